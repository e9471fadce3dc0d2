//! ConsumerGroupHeartbeat: joins, keeps the session, says what the member has, and learns what it is to have (KIP-848).

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use thalweg_protocol::messages::consumer_group_heartbeat_response::{Assignment, TopicPartitions};
use thalweg_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use thalweg_protocol::{StrBytes, TimestampMs};

use super::advance::advance;
use super::check;
use super::draft::Draft;
use super::member::{EPOCH_JOIN, Member, MemberMetadata, MemberState, Owned, Partitions};
use super::refusal::Refusal;
use crate::coordinator::group::ErrorCode;
use crate::coordinator::group::caller::{Caller, own};
use crate::coordinator::group::effect::{Effect, Response};
use crate::coordinator::group::limits::GROUP_MEMBERS_MAX;
use crate::coordinator::group::shard::GroupShard;

impl GroupShard {
    /// Answered once what it changes is durable.
    pub fn consumer_heartbeat(
        &mut self,
        request: &ConsumerGroupHeartbeatRequest,
        caller: &Caller,
        now: TimestampMs,
    ) -> Vec<Effect> {
        self.begin(now);
        if let Err(refusal) = self.try_consumer_heartbeat(request, caller) {
            let response = ConsumerGroupHeartbeatResponse::default()
                .with_error_code(refusal.code.code())
                .with_error_message(Some(refusal.message()));
            self.cx.reply(caller.token, Response::ConsumerHeartbeat(response));
        }
        self.remove_if_vacant(&request.group_id);
        self.finish()
    }

    fn try_consumer_heartbeat(
        &mut self,
        request: &ConsumerGroupHeartbeatRequest,
        caller: &Caller,
    ) -> Result<(), Refusal> {
        check::heartbeat(request, caller.version, &self.cx.config.consumer)?;
        self.check_serving()?;
        if request.member_epoch < EPOCH_JOIN {
            return self.consumer_leave(request, caller);
        }
        let joins = request.member_epoch == EPOCH_JOIN;
        let mut opened = self.open_consumer_group(&request.group_id, joins)?;
        let draft = &mut opened.draft;
        self.check_room(draft, &request.member_id)?;
        let owned = request.topic_partitions.as_ref().map(|topics| {
            topics.iter().map(|topic| (topic.topic_id, topic.partitions.iter().copied().collect())).collect()
        });
        let owned: Option<Partitions> = owned;
        let id = if request.member_id.is_empty() { self.cx.member_ids.bare() } else { own(&request.member_id) };
        let member = match &request.instance_id {
            None => dynamic_member(draft, &id, request, owned.as_ref())?,
            Some(instance) => static_member(draft, &id, instance, request, owned.as_ref())?,
        };
        let terms = self.terms(&request.group_id);
        advance(draft, &member, updated(&member.metadata, request, caller), owned.as_ref(), &terms)?;
        let Some(after) = opened.draft.group.member(&member.id).cloned() else {
            return Err(ErrorCode::UnknownServerError.into());
        };
        let response =
            response(request, &member, &after).with_heartbeat_interval_ms(terms.config.heartbeat_interval_ms);
        let session_timeout_ms = terms.config.session_timeout_ms;
        self.commit_draft(&request.group_id, opened, caller.token, Response::ConsumerHeartbeat(response));
        self.watch_member(&request.group_id, &member, &after, session_timeout_ms);
        Ok(())
    }

    /// A group that has grown to its limit takes nobody new.
    pub(super) fn check_room(&self, draft: &Draft, member: &str) -> Result<(), Refusal> {
        let members_max = self.cx.config.consumer.group_size_max.min(GROUP_MEMBERS_MAX);
        if draft.group.members.len() < members_max || draft.group.member(member).is_some() {
            return Ok(());
        }
        let message = format!("The consumer group has reached its maximum capacity of {members_max} members.");
        Err(Refusal::new(ErrorCode::GroupMaxSizeReached, message))
    }

    /// Sets the timers of a member that was heard of.
    fn watch_member(&mut self, group: &str, before: &Member, after: &Member, session_timeout_ms: i32) {
        self.schedule_session(group, &after.id, session_timeout_ms);
        if before.current == after.current {
            return;
        }
        if after.current.state == MemberState::Unrevoked {
            self.schedule_revocation(group, &after.id, after.metadata.rebalance_timeout_ms);
        } else {
            self.cancel_revocation(group, &after.id);
        }
    }
}

fn dynamic_member(
    draft: &Draft,
    id: &StrBytes,
    request: &ConsumerGroupHeartbeatRequest,
    owned: Option<&Partitions>,
) -> Result<Member, Refusal> {
    match draft.group.member(id) {
        Some(member) => {
            check_epoch(member, request.member_epoch, owned)?;
            Ok(Member::clone(member))
        }
        None if request.member_epoch == EPOCH_JOIN => Ok(Member::new(id.clone())),
        None => Err(Refusal::unknown_member(id, &request.group_id)),
    }
}

/// Also gives a static member that comes back its old place, under its new id.
fn static_member(
    draft: &mut Draft,
    id: &StrBytes,
    instance: &str,
    request: &ConsumerGroupHeartbeatRequest,
    owned: Option<&Partitions>,
) -> Result<Member, Refusal> {
    let existing = draft.group.static_member(instance).cloned();
    if request.member_epoch != EPOCH_JOIN {
        let existing = check::instance(existing.as_ref(), id, instance)?;
        check_epoch(existing, request.member_epoch, owned)?;
        return Ok(Member::clone(existing));
    }
    let Some(existing) = existing else {
        return Ok(draft.group.member(id).map_or_else(|| Member::new(id.clone()), |member| Member::clone(member)));
    };
    if !existing.is_classic() {
        check::released(&existing, id, instance)?;
    }
    draft.replace_member(&existing, id);
    draft.group.member(id).map(|member| Member::clone(member)).ok_or_else(|| ErrorCode::UnknownServerError.into())
}

/// A member may name the epoch before its own: the answer that told it the new one may have been lost.
fn check_epoch(member: &Member, received: i32, owned: Option<&Partitions>) -> Result<(), Refusal> {
    let current = &member.current;
    if received == EPOCH_JOIN || received == current.epoch {
        return Ok(());
    }
    let known = current.epoch;
    let refused = |relation: &str| {
        Err(Refusal::fenced(&format!(
            "The consumer group member has a {relation} member epoch ({received}) than the one known by the group \
             coordinator ({known}). The member must abandon all its partitions and rejoin."
        )))
    };
    if received > known {
        return refused("greater");
    }
    let lost_answer =
        received == current.previous_epoch && owned.is_some_and(|owned| is_subset(owned, &current.assigned));
    if lost_answer { Ok(()) } else { refused("smaller") }
}

fn is_subset(owned: &Partitions, assigned: &Owned) -> bool {
    owned.iter().all(|(topic, partitions)| {
        assigned.get(topic).is_some_and(|assigned| partitions.iter().all(|index| assigned.contains_key(index)))
    })
}

/// What the request does not say stays as it was.
fn updated(before: &MemberMetadata, request: &ConsumerGroupHeartbeatRequest, caller: &Caller) -> MemberMetadata {
    let kept =
        |given: &Option<StrBytes>, before: &Option<StrBytes>| given.as_deref().map(own).or_else(|| before.clone());
    let topics = request.subscribed_topic_names.as_ref().map(|names| {
        let names: BTreeSet<StrBytes> = names.iter().map(|name| own(name)).collect();
        if names == *before.topics { Rc::clone(&before.topics) } else { Rc::new(names) }
    });
    MemberMetadata {
        instance_id: kept(&request.instance_id, &before.instance_id),
        rack_id: kept(&request.rack_id, &before.rack_id),
        client_id: own(&caller.client_id),
        client_host: own(&caller.client_host),
        topics: topics.unwrap_or_else(|| Rc::clone(&before.topics)),
        regex: request.subscribed_topic_regex.as_deref().map_or_else(|| before.regex.clone(), own),
        rebalance_timeout_ms: match request.rebalance_timeout_ms {
            -1 => before.rebalance_timeout_ms,
            given => given,
        },
        assignor: kept(&request.server_assignor, &before.assignor),
        classic: None,
    }
}

/// The assignment is told where it changed, and to who begins from nothing.
fn response(
    request: &ConsumerGroupHeartbeatRequest,
    before: &Member,
    after: &Member,
) -> ConsumerGroupHeartbeatResponse {
    let subscribes = request.subscribed_topic_names.is_some() || request.subscribed_topic_regex.is_some();
    let full = request.member_epoch == EPOCH_JOIN
        || (request.rebalance_timeout_ms != -1 && subscribes && request.topic_partitions.is_some());
    let changed = full || before.current.assigned != after.current.assigned;
    ConsumerGroupHeartbeatResponse::default()
        .with_member_id(Some(after.id.clone()))
        .with_member_epoch(after.current.epoch)
        .with_assignment(changed.then(|| assignment(&after.current.assigned)))
}

fn assignment(assigned: &Owned) -> Assignment {
    let topic = |(topic, partitions): (&uuid::Uuid, &BTreeMap<i32, i32>)| {
        TopicPartitions::default().with_topic_id(*topic).with_partitions(partitions.keys().copied().collect())
    };
    Assignment::default().with_topic_partitions(assigned.iter().map(topic).collect())
}
