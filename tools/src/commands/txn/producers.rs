//! The producers that a partition knows, from its leader.

use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::DescribeProducersRequest;
use thalweg_protocol::messages::describe_producers_request::TopicRequest;
use thalweg_protocol::messages::describe_producers_response::ProducerState;

use crate::cluster::{Cluster, topic_name};
use crate::failure::Failure;

/// The leader of a partition.
pub(crate) fn leader(cluster: &mut Cluster, topic: &str, partition: i32) -> Result<i32, Failure> {
    let found = cluster.topic(topic)?;
    let known = found.partitions.iter().find(|known| known.index == partition);
    let known = known.ok_or_else(|| {
        Failure::new(format!("topic `{topic}` has no partition {partition}"))
            .with_code(ErrorCode::UnknownTopicOrPartition)
            .hint(format!("it has {} of them, from 0 on", found.partitions.len()))
    })?;
    known
        .leader
        .ok_or_else(|| Failure::new(format!("{topic}-{partition} has no leader now")).hint("try again in a moment"))
}

/// What the leader of a partition knows of its producers.
pub(crate) fn of(cluster: &mut Cluster, topic: &str, partition: i32) -> Result<Vec<ProducerState>, Failure> {
    let leader = leader(cluster, topic, partition)?;
    let asked = TopicRequest::default().with_name(topic_name(topic)).with_partition_indexes(vec![partition]);
    let answer = cluster.node(leader)?.call(&DescribeProducersRequest::default().with_topics(vec![asked]))?;
    let found = answer.topics.into_iter().flat_map(|topic| topic.partitions).next();
    let found = found.ok_or_else(|| Failure::new(format!("broker {leader} says nothing of {topic}-{partition}")))?;
    if found.error_code != ErrorCode::None.code() {
        let what = format!("cannot describe the producers of {topic}-{partition}");
        return Err(Failure::refused(what, found.error_code, found.error_message.as_deref()));
    }
    Ok(found.active_producers)
}
