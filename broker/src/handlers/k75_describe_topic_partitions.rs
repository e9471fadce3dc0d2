//! DescribeTopicPartitions: v0 (KIP-966)
//!
//! Behaviour: topics in order of their names, as many partitions as the request and
//! `max.request.partition.size.limit` allow; what did not fit begins at
//! the cursor of the answer. With no topics named, all of them. A cursor must be at one of the topics asked for.

use std::collections::BTreeSet;

use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use thalweg_protocol::messages::{BrokerId, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse};
use uuid::Uuid;

use super::k03_metadata::TOPIC_OPERATIONS_ALL;
use super::topics;
use crate::dispatch::Context;
use crate::metadata::{PartitionInfo, Topic};

pub async fn handle(context: Context, request: DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse {
    let image = context.core.image();
    let (from, first_partition) = match &request.cursor {
        Some(cursor) => (cursor.topic_name.0.to_string(), usize::try_from(cursor.partition_index).unwrap_or(0)),
        None => (String::new(), 0),
    };
    let names: BTreeSet<String> = if request.topics.is_empty() {
        image.topics.keys().map(|name| name.to_string()).collect()
    } else {
        request.topics.iter().map(|topic| topic.name.0.to_string()).collect()
    };
    if request.cursor.as_ref().is_some_and(|cursor| cursor.partition_index < 0 || !names.contains(&from)) {
        let refused = names.iter().map(|name| refused(name, ErrorCode::InvalidRequest));
        return DescribeTopicPartitionsResponse::default().with_topics(refused.collect());
    }
    let most = context.core.config().max_request_partition_size_limit;
    let mut room = usize::try_from(request.response_partition_limit).unwrap_or(most).clamp(1, most);
    let mut described = Vec::new();
    let mut next = None;
    for name in names.range(from.clone()..) {
        let Some(topic) = image.topic(name) else {
            described.push(unknown(name));
            continue;
        };
        if room == 0 {
            next = Some(cursor(name, 0));
            break;
        }
        let first = if *name == from { first_partition } else { 0 };
        let last = topic.partitions.len().min(first.saturating_add(room));
        described.push(describe(topic, first, last));
        room -= last.saturating_sub(first);
        if last < topic.partitions.len() {
            next = Some(cursor(name, last));
            break;
        }
    }
    DescribeTopicPartitionsResponse::default().with_topics(described).with_next_cursor(next)
}

fn cursor(name: &str, partition: usize) -> Cursor {
    Cursor::default()
        .with_topic_name(topics::wire(name))
        .with_partition_index(i32::try_from(partition).unwrap_or(i32::MAX))
}

fn unknown(name: &str) -> DescribeTopicPartitionsResponseTopic {
    let code = match topics::check_name(name) {
        Ok(()) => ErrorCode::UnknownTopicOrPartition,
        Err(_) => ErrorCode::InvalidTopicException,
    };
    refused(name, code)
}

fn refused(name: &str, code: ErrorCode) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic::default()
        .with_error_code(code.code())
        .with_name(Some(topics::wire(name)))
        .with_topic_id(Uuid::nil())
}

fn describe(topic: &Topic, first: usize, last: usize) -> DescribeTopicPartitionsResponseTopic {
    let partitions = topic.partitions.iter().enumerate().take(last).skip(first);
    DescribeTopicPartitionsResponseTopic::default()
        .with_name(Some(topics::wire(&topic.name)))
        .with_topic_id(topic.id)
        .with_is_internal(topic.internal)
        .with_partitions(partitions.map(|(index, info)| describe_partition(index, info)).collect())
        .with_topic_authorized_operations(TOPIC_OPERATIONS_ALL)
}

fn describe_partition(index: usize, info: &PartitionInfo) -> DescribeTopicPartitionsResponsePartition {
    let leader = info.leadership.leader();
    let code = if leader.node.is_some() { ErrorCode::None } else { ErrorCode::LeaderNotAvailable };
    DescribeTopicPartitionsResponsePartition::default()
        .with_partition_index(i32::try_from(index).unwrap_or(i32::MAX))
        .with_error_code(code.code())
        .with_leader_id(BrokerId(leader.node.map_or(-1, |node| node.0)))
        .with_leader_epoch(leader.epoch.0)
        .with_replica_nodes(topics::broker_ids(&info.replicas))
        .with_isr_nodes(topics::broker_ids(&info.leadership.in_sync(&info.replicas)))
        .with_eligible_leader_replicas(Some(Vec::new()))
        .with_last_known_elr(Some(Vec::new()))
}
