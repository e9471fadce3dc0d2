//! OffsetCommit: v2-10
//!
//! Behaviour: answered once the offsets are durable. Partitions that do not exist are refused; the rest is stored.
//!
//! Version notes:
//! - v9 the consumer protocol's errors, v10 topics by id (both KIP-848)

use std::collections::HashSet;

use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use thalweg_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse, TopicName};

use super::groups;
use super::topic_ids::{self, TOPIC_IDS_VERSION};
use crate::coordinator::group::{Response, wire};
use crate::dispatch::Context;

pub async fn handle(context: Context, mut request: OffsetCommitRequest) -> OffsetCommitResponse {
    if context.version < TOPIC_IDS_VERSION {
        return commit(&context, request).await;
    }
    topic_ids::name_committed(&context.core.image(), &mut request);
    let asked = request.clone();
    let mut response = commit(&context, request).await;
    topic_ids::identify_committed(&asked, &mut response);
    response
}

async fn commit(context: &Context, mut request: OffsetCommitRequest) -> OffsetCommitResponse {
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
    let stored = match groups::ask(context, &group, move |shard, caller, now| shard.commit(&request, caller, now)).await
    {
        Ok(Response::OffsetCommit(response)) => response,
        Ok(_) => unreachable!("a commit is answered as a commit"),
        Err(code) => return wire::commit_error(&asked, code),
    };
    merge(&asked, stored, &unknown)
}

/// The shard's results and the refusals. As in Kafka, what is refused comes first.
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
    let (mut topics, mut wholly_stored) = (Vec::new(), Vec::new());
    for topic in &asked.topics {
        let (mut partitions, mut stored) = (Vec::new(), Vec::new());
        for index in topic.partitions.iter().map(|partition| partition.partition_index) {
            if unknown.contains(&(topic.name.clone(), index)) {
                let partition = OffsetCommitResponsePartition::default().with_partition_index(index);
                partitions.push(partition.with_error_code(refused));
            } else {
                stored.push(results.next().unwrap_or_default());
            }
        }
        let list = if partitions.is_empty() { &mut wholly_stored } else { &mut topics };
        partitions.append(&mut stored);
        list.push(OffsetCommitResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions));
    }
    topics.append(&mut wholly_stored);
    OffsetCommitResponse::default().with_topics(topics)
}
