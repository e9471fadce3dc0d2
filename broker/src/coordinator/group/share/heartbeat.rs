//! ShareGroupHeartbeat: joins, keeps the session, leaves, and learns which partitions to read from (KIP-932). Follows Kafka
//! 4.3's `GroupMetadataManager.shareGroupHeartbeat`.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use thalweg_protocol::messages::share_group_heartbeat_response::{Assignment, TopicPartitions};
use thalweg_protocol::messages::{ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse};
use thalweg_protocol::{StrBytes, TimestampMs};

use super::assignor;
use crate::coordinator::group::ErrorCode;
use crate::coordinator::group::caller::{Caller, own};
use crate::coordinator::group::consumer::{
    ConsumerGroup, ConsumerRecord, CurrentAssignment, Draft, EPOCH_JOIN, EPOCH_LEFT, Kind, Member, MemberMetadata,
    MemberState, Opened, Owned, Partitions, Refusal, TargetEpoch, Terms, may_assign, update_epoch,
};
use crate::coordinator::group::effect::{Effect, Response};
use crate::coordinator::group::limits::{GROUP_MEMBERS_MAX, GROUPS_MAX, STRING_LENGTH_MAX};
use crate::coordinator::group::shard::GroupShard;

impl GroupShard {
    /// Answered once what it changes is durable.
    pub fn share_heartbeat(
        &mut self,
        request: &ShareGroupHeartbeatRequest,
        caller: &Caller,
        now: TimestampMs,
    ) -> Vec<Effect> {
        self.begin(now);
        if let Err(refusal) = self.try_share_heartbeat(request, caller) {
            let response = ShareGroupHeartbeatResponse::default()
                .with_error_code(refusal.code.code())
                .with_error_message(Some(refusal.message()));
            self.cx.reply(caller.token, Response::ShareHeartbeat(response));
        }
        self.remove_if_vacant(&request.group_id);
        self.finish()
    }

    fn try_share_heartbeat(&mut self, request: &ShareGroupHeartbeatRequest, caller: &Caller) -> Result<(), Refusal> {
        check(request)?;
        self.check_serving()?;
        if request.member_epoch == EPOCH_LEFT {
            return self.share_leave(request, caller);
        }
        let joins = request.member_epoch == EPOCH_JOIN;
        let mut opened = self.open_share_group(&request.group_id, joins)?;
        let draft = &mut opened.draft;
        let terms = self.share_terms(&request.group_id);
        check_room(&draft.group, &request.member_id, &terms)?;
        let id = own(&request.member_id);
        let member = match draft.group.member(&id) {
            Some(member) => Member::clone(member),
            None if joins => Member::new(id.clone()),
            None => return Err(Refusal::unknown_member(&id, &request.group_id)),
        };
        check_epoch(&member, request.member_epoch)?;
        advance(draft, &member, updated(&member.metadata, request, caller), &terms);
        let Some(after) = draft.group.member(&id).cloned() else {
            return Err(ErrorCode::UnknownServerError.into());
        };
        let changed = joins || member.current.assigned != after.current.assigned;
        let response = ShareGroupHeartbeatResponse::default()
            .with_member_id(Some(id.clone()))
            .with_member_epoch(after.current.epoch)
            .with_heartbeat_interval_ms(terms.config.heartbeat_interval_ms)
            .with_assignment(changed.then(|| assignment(&after.current.assigned)));
        self.commit_draft(&request.group_id, opened, caller.token, Response::ShareHeartbeat(response));
        self.schedule_session(&request.group_id, &id, terms.config.session_timeout_ms);
        Ok(())
    }

    fn share_leave(&mut self, request: &ShareGroupHeartbeatRequest, caller: &Caller) -> Result<(), Refusal> {
        let group = self.share_group(&request.group_id)?;
        let member = group.member(&request.member_id);
        let member = member.ok_or_else(|| Refusal::unknown_member(&request.member_id, &request.group_id))?;
        let id = member.id.clone();
        let response =
            ShareGroupHeartbeatResponse::default().with_member_id(Some(id.clone())).with_member_epoch(EPOCH_LEFT);
        self.dismiss_members(&request.group_id, &[id], Some((caller.token, Response::ShareHeartbeat(response))))
    }

    /// The group as its last request left it.
    pub(super) fn share_group(&self, id: &str) -> Result<&ConsumerGroup, Refusal> {
        let group = self.group(id).ok_or_else(|| Refusal::not_found(id))?;
        let share = group.modern.current().filter(|group| group.kind == Kind::Share);
        share.ok_or_else(|| not_share(id))
    }

    /// A draft of the group; with `create` it is made where nothing of its id exists.
    fn open_share_group(&self, id: &str, create: bool) -> Result<Opened, Refusal> {
        let opened = |group: &ConsumerGroup| Opened { draft: Draft::new(group), ends_classic: false };
        match self.group(id) {
            Some(_) => self.share_group(id).map(opened),
            None if !create => Err(Refusal::not_found(id)),
            None if self.groups_count() >= GROUPS_MAX => Err(ErrorCode::CoordinatorNotAvailable.into()),
            None => Ok(opened(&ConsumerGroup::of_kind(Kind::Share))),
        }
    }
}

pub(super) fn not_share(group: &str) -> Refusal {
    Refusal::new(ErrorCode::GroupIdNotFound, format!("Group {group} is not a share group."))
}

/// Kafka's `GroupCoordinatorService.throwIfShareGroupHeartbeatRequestIsInvalid`, and the limits of what is kept.
fn check(request: &ShareGroupHeartbeatRequest) -> Result<(), Refusal> {
    let given = |text: Option<&str>, message: &str| match text {
        Some(text) if text.trim().is_empty() => Err(Refusal::invalid(message)),
        _ => Ok(()),
    };
    given(Some(&request.member_id), "MemberId can't be empty.")?;
    given(Some(&request.group_id), "GroupId can't be empty.")?;
    given(request.rack_id.as_deref(), "RackId can't be empty.")?;
    if request.member_epoch < EPOCH_LEFT {
        return Err(Refusal::invalid("MemberEpoch is invalid."));
    }
    let topics = request.subscribed_topic_names.as_deref();
    if request.member_epoch == EPOCH_JOIN && topics.is_none_or(<[_]>::is_empty) {
        return Err(Refusal::invalid("SubscribedTopicNames must be set in first request."));
    }
    if request.group_id.len() > STRING_LENGTH_MAX {
        return Err(ErrorCode::InvalidGroupId.into());
    }
    let rack_length = request.rack_id.as_ref().map_or(0, |id| id.len());
    if request.member_id.len() > STRING_LENGTH_MAX || rack_length > STRING_LENGTH_MAX {
        return Err(Refusal::invalid("An id is too long."));
    }
    Ok(())
}

fn check_room(group: &ConsumerGroup, member: &str, terms: &Terms) -> Result<(), Refusal> {
    let members_max = terms.config.group_size_max.min(GROUP_MEMBERS_MAX);
    if group.members.len() < members_max || group.member(member).is_some() {
        return Ok(());
    }
    let message = format!("The share group has reached its maximum capacity of {members_max} members.");
    Err(Refusal::new(ErrorCode::GroupMaxSizeReached, message))
}

/// A member may name the epoch before its own: the answer that told it the new one may have been lost.
fn check_epoch(member: &Member, received: i32) -> Result<(), Refusal> {
    let known = member.current.epoch;
    if received == EPOCH_JOIN || received == known || (received < known && received == member.current.previous_epoch) {
        return Ok(());
    }
    let relation = if received > known { "greater" } else { "smaller" };
    Err(Refusal::fenced(&format!(
        "The share group member has a {relation} member epoch ({received}) than the one known by the group coordinator \
         ({known}). The member must abandon all its partitions and rejoin."
    )))
}

/// What the request does not say stays as it was.
fn updated(before: &MemberMetadata, request: &ShareGroupHeartbeatRequest, caller: &Caller) -> MemberMetadata {
    let topics = request.subscribed_topic_names.as_ref().map(|names| {
        let names: BTreeSet<StrBytes> = names.iter().map(|name| own(name)).collect();
        if names == *before.topics { Rc::clone(&before.topics) } else { Rc::new(names) }
    });
    MemberMetadata {
        rack_id: request.rack_id.as_deref().map(own).or_else(|| before.rack_id.clone()),
        client_id: own(&caller.client_id),
        client_host: own(&caller.client_host),
        topics: topics.unwrap_or_else(|| Rc::clone(&before.topics)),
        ..before.clone()
    }
}

/// Takes what `member`, which may be new, now says of itself.
fn advance(draft: &mut Draft, member: &Member, metadata: MemberMetadata, terms: &Terms) {
    let is_new = draft.group.epoch.epoch == 0;
    let subscription_changed = member.metadata.topics != metadata.topics;
    if draft.group.member(&member.id).is_none() || *member.metadata != metadata {
        draft.write_metadata(&member.id, Rc::new(metadata));
    }
    update_epoch(draft, is_new || subscription_changed, terms);
    let target = &draft.group.target_epoch;
    if draft.group.epoch.epoch > target.epoch && may_assign(target.computed_at, terms) {
        retarget(draft, terms);
    }
    let epoch = draft.group.target_epoch.epoch;
    if member.current.epoch != epoch {
        let assigned = assigned(&draft.group.target_of(&member.id));
        let current = CurrentAssignment {
            epoch,
            previous_epoch: member.current.epoch,
            state: MemberState::Stable,
            assigned: Rc::new(assigned),
            revoking: Rc::default(),
        };
        draft.write_current(&member.id, current);
    }
}

/// Computes the target of the group's epoch, and writes down whose changed.
fn retarget(draft: &mut Draft, terms: &Terms) {
    let mut targets = assignor::assign(&draft.group, &terms.cluster);
    let ids: Vec<StrBytes> = draft.group.members.keys().cloned().collect();
    for id in ids {
        let target = targets.remove(&id).unwrap_or_default();
        let known = draft.group.target.contains_key(&id);
        if !known || *draft.group.target_of(&id) != target {
            draft.write(ConsumerRecord::Target(id, Some(Rc::new(target))));
        }
    }
    let epoch = draft.group.epoch.epoch;
    draft.write(ConsumerRecord::TargetEpoch(Some(TargetEpoch { epoch, computed_at: terms.now })));
}

/// Since when a member has a partition does not matter: others have it too.
fn assigned(partitions: &Partitions) -> Owned {
    let topic = |(topic, partitions): (&uuid::Uuid, &BTreeSet<i32>)| {
        (*topic, partitions.iter().map(|index| (*index, 0)).collect::<BTreeMap<i32, i32>>())
    };
    partitions.iter().map(topic).collect()
}

fn assignment(assigned: &Owned) -> Assignment {
    let topic = |(topic, partitions): (&uuid::Uuid, &BTreeMap<i32, i32>)| {
        TopicPartitions::default().with_topic_id(*topic).with_partitions(partitions.keys().copied().collect())
    };
    Assignment::default().with_topic_partitions(assigned.iter().map(topic).collect())
}
