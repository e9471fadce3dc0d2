//! OffsetCommit: v2-9
//!
//! Behaviour: answered once the offsets are durable. Partitions that do not exist are refused; the rest is stored.

use std::collections::HashSet;

use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use thalweg_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse, TopicName};

use super::groups;
use crate::coordinator::group::{Response, wire};
use crate::dispatch::Context;

pub async fn handle(context: Context, mut request: OffsetCommitRequest) -> OffsetCommitResponse {
    let asked = request.clone();
    let unknown: HashSet<(TopicName, i32)> = groups::unknown_topics(&context.core, &request).into_iter().collect();
    for topic in &mut request.topics {
        topic.partitions.retain(|partition| !unknown.contains(&(topic.name.clone(), partition.partition_index)));
    }
    request.topics.retain(|topic| !topic.partitions.is_empty());
    let image = context.core.image();
    for topic in &mut request.topics {
        // Kept with the offset, so that a topic made anew under the same name does not inherit it.
        topic.topic_id = image.topic(topic.name.0.as_str()).map(|found| found.id).unwrap_or_default();
    }
    let group = request.group_id.0.clone();
    let stored =
        match groups::ask(&context, &group, move |shard, caller, now| shard.commit(&request, caller, now)).await {
            Ok(Response::OffsetCommit(response)) => response,
            Ok(_) => unreachable!("a commit is answered as a commit"),
            Err(code) => return wire::commit_error(&asked, code),
        };
    merge(&asked, stored, &unknown)
}

/// The shard's results and the refusals, in the request's order.
fn merge(
    asked: &OffsetCommitRequest,
    stored: OffsetCommitResponse,
    unknown: &HashSet<(TopicName, i32)>,
) -> OffsetCommitResponse {
    if unknown.is_empty() {
        return stored;
    }
    let refused = ErrorCode::UnknownTopicOrPartition.code();
    let mut results = stored.topics.into_iter().flat_map(|topic| topic.partitions);
    let topics = asked.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let index = partition.partition_index;
            if unknown.contains(&(topic.name.clone(), index)) {
                return OffsetCommitResponsePartition::default().with_partition_index(index).with_error_code(refused);
            }
            results.next().unwrap_or_default()
        });
        let partitions = partitions.collect();
        OffsetCommitResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions)
    });
    let topics = topics.collect();
    OffsetCommitResponse::default().with_topics(topics)
}
