//! OffsetCommit: by members of a group, and by consumers and tools that only keep their offsets here.

use thalweg_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use thalweg_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use thalweg_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};
use thalweg_protocol::{LeaderEpoch, StrBytes, TimestampMs};
use uuid::Uuid;

use super::append::{Change, Completion};
use super::caller::{Caller, own};
use super::classic::{CommittedOffset, Group};
use super::context::Context;
use super::effect::{Effect, Response};
use super::limits::{GROUPS_MAX, STRING_LENGTH_MAX, TOPIC_NAME_LENGTH_MAX};
use super::pending::LogOrder;
use super::record::OffsetKey;
use super::shard::GroupShard;
use super::state::GroupState;
use super::{ErrorCode, wire};

/// From this version on a group that does not exist is called that.
const GROUP_ID_NOT_FOUND_VERSION: i16 = 9;

/// Versions 2 to 4 carry a retention; this means the broker's.
const RETENTION_DEFAULT: i64 = -1;

impl GroupShard {
    /// Stores offsets; answered once they are durable. The handler has taken out topics that do not exist, and filled in
    /// the topics' ids where the request's version has none, as Kafka stores them with the offset.
    pub fn commit(&mut self, request: &OffsetCommitRequest, caller: &Caller, now: TimestampMs) -> Vec<Effect> {
        self.begin(now);
        if let Err(error) = self.try_commit(request, caller) {
            self.cx.reply(caller.token, Response::OffsetCommit(wire::commit_error(request, error)));
        }
        self.remove_if_vacant(&request.group_id);
        self.finish()
    }

    fn try_commit(&mut self, request: &OffsetCommitRequest, caller: &Caller) -> Result<(), ErrorCode> {
        // An empty group id is allowed here, for old clients' sake.
        if request.group_id.len() > STRING_LENGTH_MAX {
            return Err(ErrorCode::InvalidGroupId);
        }
        self.check_serving()?;
        self.group_for_commit(request, caller.version)?;
        let (group, cx) = self.group_and_context(&request.group_id);
        let group = group.ok_or(ErrorCode::UnknownMemberId)?;
        group.check_commit(request, caller.version)?;
        if matches!(group.state(), GroupState::Stable | GroupState::PreparingRebalance) {
            group.keep_session(&request.member_id, cx);
        }
        group.commit(request, caller, cx);
        Ok(())
    }

    /// Who manages its partitions itself gets a group without members, made at its first commit.
    fn group_for_commit(&mut self, request: &OffsetCommitRequest, version: i16) -> Result<(), ErrorCode> {
        if self.groups.contains_key(&*request.group_id) {
            return Ok(());
        }
        if request.generation_id_or_member_epoch >= 0 {
            let knows = version >= GROUP_ID_NOT_FOUND_VERSION;
            return Err(if knows { ErrorCode::GroupIdNotFound } else { ErrorCode::IllegalGeneration });
        }
        if self.groups.len() >= GROUPS_MAX {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        self.create_group(&request.group_id);
        Ok(())
    }
}

impl Group {
    /// Kafka's `ClassicGroup.validateOffsetCommit`.
    fn check_commit(&self, request: &OffsetCommitRequest, version: i16) -> Result<(), ErrorCode> {
        if let Some(consumer) = self.modern.current() {
            consumer.check_has_offsets()?;
            return consumer.check_commit(request, version);
        }
        if self.is(GroupState::Dead) {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        let generation = request.generation_id_or_member_epoch;
        if generation < 0 && self.is(GroupState::Empty) {
            return Ok(());
        }
        if generation < 0 && request.member_id.is_empty() && request.group_instance_id.is_none() {
            // Not a member, but the group has some.
            return Err(ErrorCode::UnknownMemberId);
        }
        self.check_member(&request.member_id, request.group_instance_id.as_deref())?;
        self.check_generation(generation)?;
        // It knows the new generation, so it has to fetch its assignment first.
        if self.is(GroupState::CompletingRebalance) { Err(ErrorCode::RebalanceInProgress) } else { Ok(()) }
    }

    fn commit(&mut self, request: &OffsetCommitRequest, caller: &Caller, cx: &mut Context) {
        let expires_at = match request.retention_time_ms {
            RETENTION_DEFAULT => None,
            retention_ms => Some(TimestampMs(cx.now.0.saturating_add(retention_ms.max(0)))),
        };
        let mut changes = Vec::new();
        let mut response = OffsetCommitResponse::default();
        for topic in &request.topics {
            response.topics.push(self.commit_topic(topic, expires_at, &mut changes, cx));
        }
        let response = Response::OffsetCommit(response);
        if changes.is_empty() {
            cx.reply(caller.token, response);
        } else {
            self.write(changes, Completion::Reply(caller.token, response), cx);
        }
    }

    fn commit_topic(
        &self,
        topic: &OffsetCommitRequestTopic,
        expires_at: Option<TimestampMs>,
        changes: &mut Vec<Change>,
        cx: &Context,
    ) -> OffsetCommitResponseTopic {
        let name = own(&topic.name);
        let mut response = OffsetCommitResponseTopic::default().with_name(topic.name.clone());
        for partition in &topic.partitions {
            let code = match check_offset(&name, partition.committed_metadata.as_deref(), cx) {
                Ok(()) => {
                    let key =
                        OffsetKey { group: self.id.clone(), topic: name.clone(), partition: partition.partition_index };
                    let value = Some(committed(topic.topic_id, partition, expires_at, cx.now));
                    changes.push(Change::Offset { key, value });
                    0
                }
                Err(error) => error.code(),
            };
            response.partitions.push(
                OffsetCommitResponsePartition::default()
                    .with_partition_index(partition.partition_index)
                    .with_error_code(code),
            );
        }
        response
    }

    /// Writes offset changes of this group in one batch.
    pub(super) fn write(&mut self, changes: Vec<Change>, completion: Completion, cx: &mut Context) {
        for change in &changes {
            if let Change::Offset { key, .. } = change {
                *self.offsets_in_flight.entry((key.topic.clone(), key.partition)).or_default() += 1;
            }
        }
        cx.append(changes, completion);
    }

    /// The counterpart of [`Self::write`], for each offset.
    pub(super) fn land_offset(&mut self, key: &OffsetKey) {
        let in_flight = (key.topic.clone(), key.partition);
        if let Some(count) = self.offsets_in_flight.get_mut(&in_flight) {
            *count -= 1;
            if *count == 0 {
                self.offsets_in_flight.remove(&in_flight);
            }
        }
    }

    pub(super) fn set_offset(&mut self, key: &OffsetKey, value: Option<CommittedOffset>) {
        match value {
            Some(value) => {
                self.offsets.entry(key.topic.clone()).or_default().insert(key.partition, value);
            }
            None => {
                self.pending.remove(key);
                if let Some(partitions) = self.offsets.get_mut(&key.topic) {
                    partitions.remove(&key.partition);
                    if partitions.is_empty() {
                        self.offsets.remove(&key.topic);
                    }
                }
            }
        }
    }
}

/// Whether an offset can be stored for a topic, with this metadata.
pub(super) fn check_offset(topic: &str, metadata: Option<&str>, cx: &Context) -> Result<(), ErrorCode> {
    if topic.len() > TOPIC_NAME_LENGTH_MAX {
        return Err(ErrorCode::UnknownTopicOrPartition);
    }
    let too_large = metadata.is_some_and(|metadata| cx.config.metadata_too_large(metadata));
    if too_large { Err(ErrorCode::OffsetMetadataTooLarge) } else { Ok(()) }
}

fn committed(
    topic_id: Uuid,
    partition: &OffsetCommitRequestPartition,
    expires_at: Option<TimestampMs>,
    now: TimestampMs,
) -> CommittedOffset {
    CommittedOffset {
        offset: partition.committed_offset,
        leader_epoch: LeaderEpoch(partition.committed_leader_epoch),
        metadata: partition.committed_metadata.as_deref().map_or_else(StrBytes::default, own),
        topic_id,
        committed_at: now,
        expires_at,
        order: LogOrder::default(),
    }
}
