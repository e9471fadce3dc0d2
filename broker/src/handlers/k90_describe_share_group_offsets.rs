//! DescribeShareGroupOffsets: v0 (KIP-932)
//!
//! Behaviour: where a group begins in each partition; -1 where it has not begun. Version 1 (KIP-1226, the lag) is not served.

use std::collections::BTreeMap;

use futures::future;
use thalweg_protocol::StrBytes;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::describe_share_group_offsets_request::DescribeShareGroupOffsetsRequestGroup;
use thalweg_protocol::messages::describe_share_group_offsets_response::{
    DescribeShareGroupOffsetsResponseGroup, DescribeShareGroupOffsetsResponsePartition,
    DescribeShareGroupOffsetsResponseTopic,
};
use thalweg_protocol::messages::{DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsResponse};

use super::share_session::TopicIndex;
use super::{share, topics};
use crate::dispatch::Context;

/// Where a group has not begun.
const UNKNOWN: i64 = -1;

/// Start offset and leader epoch of partitions.
type Starts = BTreeMap<TopicIndex, (i64, i32)>;

pub async fn handle(context: Context, request: DescribeShareGroupOffsetsRequest) -> DescribeShareGroupOffsetsResponse {
    let groups = request.groups.into_iter().map(|group| describe(&context, group));
    DescribeShareGroupOffsetsResponse::default().with_groups(future::join_all(groups).await)
}

async fn describe(
    context: &Context,
    group: DescribeShareGroupOffsetsRequestGroup,
) -> DescribeShareGroupOffsetsResponseGroup {
    let described = DescribeShareGroupOffsetsResponseGroup::default().with_group_id(group.group_id.clone());
    match read(context, &group.group_id.0).await {
        Ok(starts) => described.with_topics(told(context, &group, &starts)),
        Err(code) => {
            described.with_error_code(code.code()).with_error_message(Some(StrBytes::from_static_str(code.name())))
        }
    }
}

async fn read(context: &Context, group: &StrBytes) -> Result<Starts, ErrorCode> {
    share::check_enabled(&context.core)?;
    share::has_members(context, group).await?;
    let states = share::states(context, group).await?;
    let start = |(key, state): (crate::coordinator::share::StateKey, crate::coordinator::share::State)| {
        ((key.topic, key.partition), (state.kept.start_offset, state.leader_epoch))
    };
    Ok(states.into_iter().map(start).collect())
}

fn told(
    context: &Context,
    group: &DescribeShareGroupOffsetsRequestGroup,
    starts: &Starts,
) -> Vec<DescribeShareGroupOffsetsResponseTopic> {
    let image = context.core.image();
    let partition = |topic: uuid::Uuid, index: i32| {
        let (start, epoch) = starts.get(&(topic, index)).copied().unwrap_or((UNKNOWN, 0));
        DescribeShareGroupOffsetsResponsePartition::default()
            .with_partition_index(index)
            .with_start_offset(start)
            .with_leader_epoch(epoch)
    };
    let Some(asked) = &group.topics else {
        let mut all: BTreeMap<uuid::Uuid, Vec<i32>> = BTreeMap::new();
        starts.keys().for_each(|(topic, index)| all.entry(*topic).or_default().push(*index));
        // Of topics that are gone there is nothing left to tell.
        let known = all.into_iter().filter_map(|(id, indexes)| Some((image.topic_by_id(id)?, indexes)));
        let topic = known.map(|(topic, indexes)| {
            DescribeShareGroupOffsetsResponseTopic::default()
                .with_topic_name(topics::wire(&topic.name))
                .with_topic_id(topic.id)
                .with_partitions(indexes.into_iter().map(|index| partition(topic.id, index)).collect())
        });
        return topic.collect();
    };
    let topic = asked.iter().map(|topic| {
        let described = DescribeShareGroupOffsetsResponseTopic::default().with_topic_name(topic.topic_name.clone());
        let Some(found) = image.topic(topic.topic_name.0.as_str()) else {
            let code = ErrorCode::UnknownTopicOrPartition;
            let partitions = topic.partitions.iter().map(|index| {
                DescribeShareGroupOffsetsResponsePartition::default()
                    .with_partition_index(*index)
                    .with_start_offset(UNKNOWN)
                    .with_error_code(code.code())
                    .with_error_message(Some(StrBytes::from_static_str(code.name())))
            });
            return described.with_partitions(partitions.collect());
        };
        let partitions = topic.partitions.iter().map(|index| partition(found.id, *index)).collect();
        described.with_topic_id(found.id).with_partitions(partitions)
    });
    topic.collect()
}
