//! OffsetDelete (KIP-496), and the removal of offsets whose topic was deleted.

use thalweg_protocol::messages::offset_delete_request::OffsetDeleteRequestTopic;
use thalweg_protocol::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use thalweg_protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};
use thalweg_protocol::{StrBytes, TimestampMs};

use super::ErrorCode;
use super::append::{Change, Completion};
use super::caller::Caller;
use super::classic::Group;
use super::context::Context;
use super::effect::{Effect, Response};
use super::limits::TOMBSTONES_PER_BATCH_MAX;
use super::record::OffsetKey;
use super::shard::GroupShard;
use super::state::GroupState;

impl GroupShard {
    /// Removes offsets of topics that the group does not subscribe to; answered once that is durable.
    pub fn delete_offsets(&mut self, request: &OffsetDeleteRequest, caller: &Caller, now: TimestampMs) -> Vec<Effect> {
        self.begin(now);
        if let Err(error) = self.try_delete_offsets(request, caller) {
            let response = OffsetDeleteResponse::default().with_error_code(error.code());
            self.cx.reply(caller.token, Response::OffsetDelete(response));
        }
        self.finish()
    }

    fn try_delete_offsets(&mut self, request: &OffsetDeleteRequest, caller: &Caller) -> Result<(), ErrorCode> {
        self.check_group_id(&request.group_id)?;
        self.check_serving()?;
        let (group, cx) = self.group_and_context(&request.group_id);
        let group = group.ok_or(ErrorCode::GroupIdNotFound)?;
        group.modern.current().map_or(Ok(()), |group| group.check_has_offsets())?;
        match group.state() {
            GroupState::Dead => return Err(ErrorCode::GroupIdNotFound),
            GroupState::Empty => {}
            // What a group that is not one of consumers uses its offsets for is unknown.
            _ if !group.uses_consumer_protocol() => return Err(ErrorCode::NonEmptyGroup),
            _ => {}
        }
        let mut tombstones = Vec::new();
        let topics = request.topics.iter().map(|topic| group.delete_topic(topic, &mut tombstones)).collect();
        let response = Response::OffsetDelete(OffsetDeleteResponse::default().with_topics(topics));
        if tombstones.is_empty() {
            cx.reply(caller.token, response);
        } else {
            group.write(tombstones, Completion::Reply(caller.token, response), cx);
        }
        Ok(())
    }

    /// Removes what all groups have committed for deleted topics.
    pub fn topics_deleted(&mut self, topics: &[StrBytes], now: TimestampMs) -> Vec<Effect> {
        self.begin(now);
        if self.check_serving().is_ok() {
            for group in self.groups.values_mut().filter(|group| !group.is(GroupState::Dead)) {
                let gone = group.known_offsets(|topic| topics.contains(topic));
                group.write_tombstones(gone, &mut self.cx);
            }
        }
        self.finish()
    }
}

impl Group {
    fn delete_topic(
        &self,
        topic: &OffsetDeleteRequestTopic,
        tombstones: &mut Vec<Change>,
    ) -> OffsetDeleteResponseTopic {
        let subscribed = self.is_subscribed_to(&topic.name);
        let code = if subscribed { ErrorCode::GroupSubscribedToTopic.code() } else { 0 };
        let mut response = OffsetDeleteResponseTopic::default().with_name(topic.name.clone());
        for partition in &topic.partitions {
            let index = partition.partition_index;
            if !subscribed && self.knows_offset(&topic.name, index) {
                tombstones.push(self.tombstone(topic.name.0.clone(), index));
            }
            response
                .partitions
                .push(OffsetDeleteResponsePartition::default().with_partition_index(index).with_error_code(code));
        }
        response
    }

    fn knows_offset(&self, topic: &StrBytes, partition: i32) -> bool {
        self.offsets.get(topic).is_some_and(|partitions| partitions.contains_key(&partition))
            || self.offsets_in_flight.contains_key(&(topic.clone(), partition))
            || self.pending.has(topic, partition)
    }

    /// Every offset of some topics, also those that are only about to be durable: a removal comes after them in the log.
    pub(super) fn known_offsets(&self, wanted: impl Fn(&StrBytes) -> bool) -> Vec<(StrBytes, i32)> {
        let durable =
            self.offsets.iter().flat_map(|(topic, partitions)| partitions.keys().map(move |index| (topic, *index)));
        let in_flight = self.offsets_in_flight.keys().map(|(topic, index)| (topic, *index));
        let pending = self.pending.keys().map(|(topic, index)| (topic, *index));
        let mut known: Vec<(StrBytes, i32)> = durable
            .chain(in_flight)
            .chain(pending)
            .filter(|(topic, _)| wanted(topic))
            .map(|(topic, index)| (topic.clone(), index))
            .collect();
        known.sort_unstable();
        known.dedup();
        known
    }

    pub(super) fn tombstone(&self, topic: StrBytes, partition: i32) -> Change {
        Change::Offset { key: OffsetKey { group: self.id.clone(), topic, partition }, value: None }
    }

    /// Removals that need not be in one batch, and that nobody waits for.
    pub(super) fn write_tombstones(&mut self, offsets: Vec<(StrBytes, i32)>, cx: &mut Context) {
        for offsets in offsets.chunks(TOMBSTONES_PER_BATCH_MAX) {
            let changes = offsets.iter().map(|(topic, index)| self.tombstone(topic.clone(), *index)).collect();
            self.write(changes, Completion::Nothing, cx);
        }
    }
}
