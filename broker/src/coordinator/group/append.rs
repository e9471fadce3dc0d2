//! Writes to `__consumer_offsets` that are under way, and what happens once they are done.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use thalweg_protocol::{ProducerEpoch, ProducerId, StrBytes, TimestampMs};
use thalweg_storage::log::producers::EndRequest;

use super::caller::ReplyToken;
use super::classic::{CommittedOffset, Group};
use super::consumer::{ConsumerRecord, Kind};
use super::context::GroupConfig;
use super::effect::{AppendToken, Effect, Errand, Response};
use super::fetch::ParkedFetch;
use super::member::Member;
use super::record::{GroupRecord, MemberRecord, OffsetKey, Record};
use super::shard::GroupShard;
use super::static_member::Replaced;
use super::sync::Assigned;
use super::{ErrorCode, batch};
use crate::coordinator::append_error;
use crate::partition::Guard;

/// One record of a write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Change {
    /// An offset, or its removal.
    Offset { key: OffsetKey, value: Option<CommittedOffset> },
    /// An offset that waits for the end of its transaction.
    HeldOffset { producer: ProducerId, key: OffsetKey, value: CommittedOffset },
    /// A transaction ended.
    TransactionEnd { producer: ProducerId, commit: bool },
    /// The group as it is. In memory it is so already.
    Group { group: StrBytes, record: GroupRecord },
    /// The group is removed.
    GroupGone { group: StrBytes },
    /// A classic group without members ends, as its id becomes that of a consumer group.
    ClassicEnds { group: StrBytes },
    /// Of a consumer group or a share group. In memory it is so already.
    Modern { group: StrBytes, kind: Kind, record: ConsumerRecord },
}

impl Change {
    /// The metadata record of `group`, with the assignments it is to have.
    pub(super) fn group_metadata(group: &Group, assignment: &dyn Fn(&Member) -> Option<Bytes>) -> Self {
        let protocol = group.protocol_name.as_deref().unwrap_or_default();
        let member = |member: &Member| MemberRecord {
            id: member.id.clone(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            session_timeout_ms: member.session_timeout_ms,
            subscription: member.metadata(protocol).cloned().unwrap_or_default(),
            assignment: assignment(member).unwrap_or_default(),
        };
        let record = GroupRecord {
            protocol_type: group.protocol_type.clone().unwrap_or_default(),
            generation: group.generation,
            protocol: group.protocol_name.clone(),
            leader: group.leader.clone(),
            state_since: group.state_since,
            members: group.members.values().map(member).collect(),
        };
        Self::Group { group: group.id.clone(), record }
    }

    fn to_record(&self) -> Record {
        match self {
            Self::Offset { key, value } => Record::Offset(key.clone(), value.clone()),
            Self::Group { group, record } => Record::Group(group.clone(), Some(record.clone())),
            Self::HeldOffset { key, value, .. } => Record::Offset(key.clone(), Some(value.clone())),
            Self::GroupGone { group } | Self::ClassicEnds { group } => Record::Group(group.clone(), None),
            Self::Modern { group, kind, record } => Record::Modern(group.clone(), *kind, record.clone()),
            Self::TransactionEnd { .. } => unreachable!("a marker is the partition's to write"),
        }
    }
}

/// The transaction that a write is part of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Transaction {
    pub(super) producer: ProducerId,
    pub(super) epoch: ProducerEpoch,
    pub(super) guard: Option<Guard>,
}

/// What is to be done when a write is done.
#[derive(Debug)]
pub(super) enum Completion {
    Nothing,
    Reply(ReplyToken, Response),
    Assignment(Box<Assigned>),
    StaticMember(Box<Replaced>),
}

/// One write under way.
#[derive(Debug)]
pub(super) struct PendingAppend {
    changes: Vec<Change>,
    completion: Completion,
    /// Fetches that want to see this write's offsets (`require_stable`).
    fetches: Vec<ParkedFetch>,
    /// Answers that rest on this write.
    replies: Vec<(ReplyToken, Response)>,
}

#[derive(Debug, Default)]
pub(super) struct Appends {
    token_next: u64,
    pending: BTreeMap<AppendToken, PendingAppend>,
    /// Could not even be tried.
    refused: Vec<(PendingAppend, ErrorCode)>,
}

impl Appends {
    /// Begins a write of all `changes` in one batch. Without an effect it was refused, and `completion` follows with
    /// the error when the event's handling ends.
    pub(super) fn open(
        &mut self,
        changes: Vec<Change>,
        completion: Completion,
        config: &GroupConfig,
        now: TimestampMs,
    ) -> Option<Effect> {
        self.open_for(None, changes, completion, config, now)
    }

    /// The same for a write within a transaction.
    pub(super) fn open_for(
        &mut self,
        transaction: Option<Transaction>,
        mut changes: Vec<Change>,
        completion: Completion,
        config: &GroupConfig,
        now: TimestampMs,
    ) -> Option<Effect> {
        let producer = transaction.map(|transaction| (transaction.producer, transaction.epoch));
        let batch = batch::build(producer, changes.iter().map(Change::to_record), config.batch_size_max_bytes, now);
        // These can be large, and there is nothing to apply.
        changes.retain(|change| !matches!(change, Change::Group { .. }));
        let pending = PendingAppend { changes, completion, fetches: Vec::new(), replies: Vec::new() };
        match batch {
            Ok(batch) => {
                let token = self.begin(pending);
                Some(match transaction {
                    None => Effect::Append { token, batch },
                    Some(Transaction { guard, .. }) => Effect::Errand(Errand::Offsets { token, batch, guard }),
                })
            }
            Err(error) => {
                self.refused.push((pending, error));
                None
            }
        }
    }

    fn begin(&mut self, pending: PendingAppend) -> AppendToken {
        let token = AppendToken(self.token_next);
        self.token_next += 1;
        self.pending.insert(token, pending);
        token
    }

    /// Begins to write the marker of a transaction.
    pub(super) fn open_end(&mut self, end: EndRequest, commit: bool, completion: Completion) -> Effect {
        let changes = vec![Change::TransactionEnd { producer: end.producer, commit }];
        let token = self.begin(PendingAppend { changes, completion, fetches: Vec::new(), replies: Vec::new() });
        Effect::Errand(Errand::End { token, end, commit })
    }

    /// Parks a fetch behind the newest write, which is done after all others. Gives it back if there is none.
    pub(super) fn park_fetch(&mut self, fetch: ParkedFetch) -> Option<ParkedFetch> {
        match self.pending.last_entry() {
            Some(mut entry) => {
                entry.get_mut().fetches.push(fetch);
                None
            }
            None => Some(fetch),
        }
    }

    /// Parks an answer behind the newest write. Gives it back if there is none.
    pub(super) fn park_reply(&mut self, token: ReplyToken, response: Response) -> Option<(ReplyToken, Response)> {
        match self.pending.last_entry() {
            Some(mut entry) => {
                entry.get_mut().replies.push((token, response));
                None
            }
            None => Some((token, response)),
        }
    }

    /// The records of a consumer group or a share group that are under way.
    fn of_modern<'a>(&'a self, id: &'a str) -> impl Iterator<Item = (Kind, &'a ConsumerRecord)> {
        let changes = self.pending.values().flat_map(|pending| pending.changes.iter());
        changes.filter_map(move |change| match change {
            Change::Modern { group, kind, record } if &**group == id => Some((*kind, record)),
            _ => None,
        })
    }
}

impl GroupShard {
    /// Reports the fate of an [`Effect::Append`]. Appends are reported in the order of their tokens: that is the order
    /// of the log. A token that is not known (of before an [`GroupShard::unload`]) is ignored.
    pub fn appended(&mut self, token: AppendToken, result: Result<(), ErrorCode>, now: TimestampMs) -> Vec<Effect> {
        self.begin(now);
        debug_assert!(self.cx.appends.pending.first_key_value().is_none_or(|(first, _)| *first >= token));
        if let Some(pending) = self.cx.appends.pending.remove(&token) {
            self.complete(pending, result.map_err(append_error));
        }
        self.finish()
    }

    /// Ends the writes that were refused while the event was handled.
    pub(super) fn complete_refused(&mut self) {
        while let Some((pending, error)) = self.cx.appends.refused.pop() {
            self.complete(pending, Err(append_error(error)));
        }
    }

    /// Fails all that is under way: the partition is another node's now.
    pub(super) fn fail_appends(&mut self, error: ErrorCode) {
        for (_, pending) in std::mem::take(&mut self.cx.appends.pending) {
            self.complete(pending, Err(error));
        }
    }

    fn complete(&mut self, pending: PendingAppend, result: Result<(), ErrorCode>) {
        let mut undone = BTreeSet::new();
        for change in pending.changes {
            if let (Change::Modern { group, .. }, Err(_)) = (&change, result) {
                undone.insert(group.clone());
            }
            self.settle(change, result.is_ok());
        }
        undone.iter().for_each(|group| self.undo_consumer(group));
        match pending.completion {
            Completion::Nothing => {}
            Completion::Reply(token, response) => {
                let response = match result {
                    Ok(()) => response,
                    Err(error) => response.failed(error),
                };
                self.cx.reply(token, response);
            }
            Completion::Assignment(assigned) => {
                let (group, cx) = self.group_and_context(&assigned.group.clone());
                if let Some(group) = group {
                    group.on_assignment_written(*assigned, result, cx);
                }
            }
            Completion::StaticMember(replaced) => {
                let (group, cx) = self.group_and_context(&replaced.group.clone());
                if let Some(group) = group {
                    group.on_static_member_written(*replaced, result, cx);
                }
            }
        }
        for fetch in pending.fetches {
            self.answer_fetch(fetch, result.err());
        }
        for (token, response) in pending.replies {
            let response = result.map_or_else(|error| response.clone().failed(error), |()| response.clone());
            self.cx.reply(token, response);
        }
    }

    /// A write failed: the group is what is durable, and what is still under way.
    fn undo_consumer(&mut self, id: &StrBytes) {
        if let Some(group) = self.groups.get_mut(id) {
            group.modern.rebuild(self.cx.appends.of_modern(id));
            if group.modern.current().is_some() {
                // It was to become a classic group.
                group.end_classic(&mut self.cx);
            }
        }
        // A member that was to go has no timer any more.
        self.watch_members(id);
        self.remove_if_vacant(id);
    }

    /// A change is durable and becomes visible, or will never be.
    fn settle(&mut self, change: Change, durable: bool) {
        let order = self.next_order();
        match change {
            Change::Group { .. } => {}
            Change::Offset { key, value } => {
                let (group, _) = self.group_and_context(&key.group);
                if let Some(group) = group {
                    group.land_offset(&key);
                    if durable {
                        group.set_offset(&key, value.map(|value| CommittedOffset { order, ..value }));
                    }
                }
                self.remove_if_vacant(&key.group);
            }
            Change::HeldOffset { producer, key, value } => {
                let (group, _) = self.group_and_context(&key.group);
                if let Some(group) = group {
                    group.land_offset(&key);
                }
                if durable {
                    self.hold_offset(producer, &key, value, order);
                }
                self.remove_if_vacant(&key.group);
            }
            Change::TransactionEnd { producer, commit } if durable => self.release_offsets(producer, commit),
            Change::TransactionEnd { .. } => {}
            Change::GroupGone { group } if durable => {
                // Nobody can join while a group is dead.
                debug_assert!(self.group(&group).is_none_or(|group| group.members.is_empty()));
                self.group_gone(&group);
            }
            Change::GroupGone { group } => {
                self.revive_group(&group);
                self.remove_if_vacant(&group);
            }
            Change::ClassicEnds { group } => {
                if let Some(group) = self.groups.get_mut(&group).filter(|_| !durable) {
                    group.recorded = true;
                }
            }
            Change::Modern { group, kind, record } => {
                if let Some(group) = self.groups.get_mut(&group) {
                    group.modern.settle(kind, &record, durable);
                }
                self.remove_if_vacant(&group);
            }
        }
    }
}
