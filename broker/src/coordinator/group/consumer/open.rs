//! Between the shard and the drafts of its consumer groups: opening one, putting it in its group's place, timers.

use thalweg_protocol::StrBytes;

use super::config::Terms;
use super::draft::Draft;
use super::group::ConsumerGroup;
use super::record::{ConsumerRecord, Kind};
use super::refusal::Refusal;
use super::upgrade::upgraded;
use crate::coordinator::codec::own;
use crate::coordinator::group::append::{Change, Completion};
use crate::coordinator::group::effect::Response;
use crate::coordinator::group::limits::GROUPS_MAX;
use crate::coordinator::group::shard::GroupShard;
use crate::coordinator::group::state::GroupState;
use crate::coordinator::group::timers::{GroupTimer, TimerKey};
use crate::coordinator::group::{ErrorCode, ReplyToken};

/// A group that is being changed.
#[derive(Debug)]
pub(in crate::coordinator::group) struct Opened {
    pub(in crate::coordinator::group) draft: Draft,
    /// A classic group of this id ends with it; its members, if there are any, are the draft's already.
    pub(in crate::coordinator::group) ends_classic: bool,
}

impl GroupShard {
    /// The group as its last request left it.
    pub(in crate::coordinator::group) fn consumer_group(&self, id: &str) -> Result<&ConsumerGroup, Refusal> {
        let group = self.group(id).ok_or_else(|| Refusal::not_found(id))?;
        let consumer = group.modern.current().filter(|group| group.kind == Kind::Consumer);
        consumer.ok_or_else(|| Refusal::not_consumer(id))
    }

    /// The same, or a share group.
    pub(in crate::coordinator::group) fn modern_group(&self, id: &str) -> Option<&ConsumerGroup> {
        self.group(id)?.modern.current()
    }

    /// A draft of a consumer group or a share group that is there.
    pub(super) fn open_modern_group(&self, id: &str) -> Result<Opened, Refusal> {
        let group = self.modern_group(id).ok_or_else(|| Refusal::not_found(id))?;
        Ok(Opened { draft: Draft::new(group), ends_classic: false })
    }

    /// A draft of the group. With `create` it is made where it does not exist, and takes the place of a classic group.
    pub(super) fn open_consumer_group(&self, id: &str, create: bool) -> Result<Opened, Refusal> {
        let opened = |group: &ConsumerGroup, ends_classic| Opened { draft: Draft::new(group), ends_classic };
        let Some(group) = self.group(id) else {
            return if !create {
                Err(Refusal::not_found(id))
            } else if self.groups_count() >= GROUPS_MAX {
                Err(ErrorCode::CoordinatorNotAvailable.into())
            } else {
                Ok(opened(&ConsumerGroup::default(), false))
            };
        };
        if group.modern.current().is_some() {
            return self.consumer_group(id).map(|consumer| opened(consumer, false));
        }
        match group.state() {
            _ if !create => Err(Refusal::not_consumer(id)),
            GroupState::Dead => Err(ErrorCode::CoordinatorNotAvailable.into()),
            GroupState::Empty => Ok(opened(&ConsumerGroup::default(), true)),
            _ => Ok(Opened { draft: upgraded(group, &self.terms(id))?, ends_classic: true }),
        }
    }

    pub(super) fn terms(&self, group: &str) -> Terms {
        let cluster = self.cx.cluster.clone();
        let config = self.cx.config.consumer.of_group(group, &cluster);
        Terms { cluster, now: self.cx.now, config }
    }

    /// Makes a draft the group, and answers once that is durable.
    pub(in crate::coordinator::group) fn commit_draft(
        &mut self,
        id: &str,
        opened: Opened,
        token: ReplyToken,
        response: Response,
    ) {
        self.commit_records(id, opened, Some((token, response)));
    }

    /// The same where perhaps nobody waits.
    pub(in crate::coordinator::group) fn commit_records(
        &mut self,
        id: &str,
        opened: Opened,
        reply: Option<(ReplyToken, Response)>,
    ) {
        let Opened { draft, ends_classic } = opened;
        let Draft { group: next, records } = draft;
        let kind = next.kind;
        let erased = matches!(records.last(), Some(ConsumerRecord::Epoch(None)));
        self.create_group(id);
        let (group, cx) = self.group_and_context(id);
        let Some(group) = group else { return };
        group.modern.advance((!erased).then_some(next), records.len());
        let mut changes = Vec::with_capacity(records.len() + 1);
        if ends_classic && group.recorded {
            changes.push(Change::ClassicEnds { group: group.id.clone() });
        }
        let of_group = |record| Change::Modern { group: group.id.clone(), kind, record };
        changes.extend(records.into_iter().map(of_group));
        let in_flight = group.modern.has_in_flight();
        let completion = reply.map_or(Completion::Nothing, |(token, response)| Completion::Reply(token, response));
        if !changes.is_empty() {
            // What is refused, as it is too large, leaves the classic group as it is.
            if cx.append(changes, completion) && ends_classic {
                group.end_classic(cx);
                self.restart_sessions(id);
            }
        } else if let Completion::Reply(token, response) = completion {
            // What it says may rest on what is not durable yet.
            if in_flight { cx.reply_behind_appends(token, response) } else { cx.reply(token, response) }
        }
    }

    /// The members of what was a classic group have to be heard of: who waited in a JoinGroup was given more time than a
    /// session, and may not come back.
    fn restart_sessions(&mut self, id: &str) {
        let Ok(group) = self.consumer_group(id) else { return };
        let sessions = group.members.values().filter_map(|member| {
            let classic = member.metadata.classic.as_ref()?;
            Some((member.id.clone(), classic.session_timeout_ms))
        });
        let sessions: Vec<(StrBytes, i32)> = sessions.collect();
        for (member, timeout_ms) in sessions {
            self.schedule_session(id, &member, timeout_ms);
        }
    }

    /// Ends the draft's group and goes on as a classic one with those of its members that speak the classic protocol.
    pub(super) fn downgrade(&mut self, id: &str, opened: Opened, completion: Completion) {
        let mut draft = opened.draft;
        let cluster = self.cx.cluster.clone();
        let (group, cx) = self.group_and_context(id);
        let Some(group) = group else { return };
        let metadata = group.become_classic(&mut draft, &cluster, cx);
        group.modern.advance(None, draft.records.len());
        let of_group = |record| Change::Modern { group: group.id.clone(), kind: Kind::Consumer, record };
        let mut changes: Vec<Change> = draft.records.into_iter().map(of_group).collect();
        changes.push(metadata);
        cx.append(changes, completion);
    }

    pub(in crate::coordinator::group) fn schedule_session(&mut self, group: &str, member: &StrBytes, timeout_ms: i32) {
        self.schedule_member(group, GroupTimer::Session(member.clone()), timeout_ms);
    }

    pub(in crate::coordinator::group) fn schedule_revocation(
        &mut self,
        group: &str,
        member: &StrBytes,
        timeout_ms: i32,
    ) {
        self.schedule_member(group, GroupTimer::Revocation(member.clone()), timeout_ms);
    }

    pub(super) fn cancel_revocation(&mut self, group: &str, member: &StrBytes) {
        self.cx.timers.cancel(&TimerKey { group: own(group), timer: GroupTimer::Revocation(member.clone()) });
    }

    pub(super) fn schedule_member(&mut self, group: &str, timer: GroupTimer, timeout_ms: i32) {
        let at = self.cx.after(timeout_ms);
        self.cx.timers.schedule(TimerKey { group: own(group), timer }, at);
    }

    /// Nothing is expected of the member any more.
    pub(super) fn cancel_member(&mut self, group: &str, member: &StrBytes) {
        let timers: [fn(StrBytes) -> GroupTimer; 4] =
            [GroupTimer::Session, GroupTimer::Revocation, GroupTimer::MemberJoin, GroupTimer::MemberSync];
        for timer in timers.map(|timer| timer(member.clone())) {
            self.cx.timers.cancel(&TimerKey { group: own(group), timer });
        }
    }
}
