//! OffsetFetch, one group at a time. What it shows is durable.

use std::collections::BTreeMap;

use thalweg_protocol::messages::TopicName;
use thalweg_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use thalweg_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use thalweg_protocol::{LeaderEpoch, StrBytes, TimestampMs};

use super::ErrorCode;
use super::caller::{Caller, ReplyToken};
use super::classic::{CommittedOffset, Group};
use super::effect::{Effect, Response};
use super::shard::GroupShard;

/// What is shown where nothing was committed.
const OFFSET_NONE: i64 = -1;

/// A fetch that waits for the writes under way.
#[derive(Debug)]
pub(super) struct ParkedFetch {
    token: ReplyToken,
    request: OffsetFetchRequestGroup,
    require_stable: bool,
}

impl GroupShard {
    /// Answers with the committed offsets of one group. With `require_stable` the answer waits until the commits that
    /// are under way are decided (KIP-447), so that it shows them; those of transactions that have not ended are not waited
    /// for, but said to be unstable.
    pub fn fetch(
        &mut self,
        request: &OffsetFetchRequestGroup,
        require_stable: bool,
        caller: &Caller,
        now: TimestampMs,
    ) -> Vec<Effect> {
        self.begin(now);
        let fetch = ParkedFetch { token: caller.token, request: request.clone(), require_stable };
        match self.check_serving() {
            Err(error) => self.answer_fetch(fetch, Some(error)),
            Ok(()) if require_stable && self.has_offsets_in_flight(&request.group_id) => {
                if let Some(fetch) = self.cx.appends.park_fetch(fetch) {
                    self.answer_fetch(fetch, None);
                }
            }
            Ok(()) => self.answer_fetch(fetch, None),
        }
        self.finish()
    }

    fn has_offsets_in_flight(&self, group: &str) -> bool {
        self.group(group).is_some_and(|group| !group.offsets_in_flight.is_empty())
    }

    pub(super) fn answer_fetch(&mut self, fetch: ParkedFetch, error: Option<ErrorCode>) {
        let failed = |error: ErrorCode| {
            let id = fetch.request.group_id.clone();
            OffsetFetchResponseGroup::default().with_group_id(id).with_error_code(error.code())
        };
        let response = match error {
            Some(error) => failed(error),
            None => match self.check_fetch(&fetch.request) {
                Ok(()) => self.fetch_group(&fetch.request, fetch.require_stable),
                Err(error) => failed(error),
            },
        };
        self.cx.reply(fetch.token, Response::OffsetFetch(response));
    }

    /// Members of a consumer group must be what they say.
    fn check_fetch(&self, request: &OffsetFetchRequestGroup) -> Result<(), ErrorCode> {
        let consumer = self.group(&request.group_id).and_then(|group| group.modern.durable());
        consumer.map_or(Ok(()), |group| {
            group.check_has_offsets()?;
            group.check_fetch(request.member_id.as_deref(), request.member_epoch)
        })
    }

    fn fetch_group(&self, request: &OffsetFetchRequestGroup, require_stable: bool) -> OffsetFetchResponseGroup {
        let none = BTreeMap::new();
        let group = self.group(&request.group_id);
        let offsets = group.map_or(&none, |group| &group.offsets);
        let mut topics: Vec<_> = match &request.topics {
            None => offsets.iter().map(|(topic, partitions)| all_of(topic, partitions)).collect(),
            Some(topics) => topics
                .iter()
                .map(|topic| some_of(&topic.name, &topic.partition_indexes, offsets.get(&*topic.name)))
                .collect(),
        };
        if let Some(group) = group.filter(|group| require_stable && !group.pending.is_empty()) {
            topics.iter_mut().for_each(|topic| group.hide_unstable(topic));
        }
        OffsetFetchResponseGroup::default().with_group_id(request.group_id.clone()).with_topics(topics)
    }
}

impl Group {
    /// What a transaction may yet change is not shown to who wants to know for certain.
    fn hide_unstable(&self, topic: &mut OffsetFetchResponseTopics) {
        let name = topic.name.0.clone();
        for shown in topic.partitions.iter_mut().filter(|shown| self.pending.has(&name, shown.partition_index)) {
            *shown = partition(shown.partition_index, None).with_error_code(ErrorCode::UnstableOffsetCommit.code());
        }
    }
}

fn all_of(topic: &StrBytes, partitions: &BTreeMap<i32, CommittedOffset>) -> OffsetFetchResponseTopics {
    let partitions = partitions.iter().map(|(index, offset)| partition(*index, Some(offset))).collect();
    OffsetFetchResponseTopics::default().with_name(TopicName(topic.clone())).with_partitions(partitions)
}

fn some_of(
    topic: &TopicName,
    indexes: &[i32],
    partitions: Option<&BTreeMap<i32, CommittedOffset>>,
) -> OffsetFetchResponseTopics {
    let offset = |index: i32| partitions.and_then(|partitions| partitions.get(&index));
    let partitions = indexes.iter().map(|index| partition(*index, offset(*index))).collect();
    OffsetFetchResponseTopics::default().with_name(topic.clone()).with_partitions(partitions)
}

fn partition(index: i32, offset: Option<&CommittedOffset>) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions::default()
        .with_partition_index(index)
        .with_committed_offset(offset.map_or(OFFSET_NONE, |offset| offset.offset))
        .with_committed_leader_epoch(offset.map_or(LeaderEpoch::NONE, |offset| offset.leader_epoch).0)
        .with_metadata(Some(offset.map_or_else(StrBytes::default, |offset| offset.metadata.clone())))
}
