//! DescribeQuorum: v0-2 (KIP-595)
//!
//! Behaviour: the controller's group as its leader sees it. This node is its one voter; nobody observes.
//!
//! Version notes:
//! - v1 when each replica last fetched and was caught up (KIP-836)
//! - v2 directory ids, where the voters listen, error messages (KIP-853)

use thalweg_protocol::StrBytes;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::describe_quorum_response::{Listener, Node, PartitionData, ReplicaState, TopicData};
use thalweg_protocol::messages::{BrokerId, DescribeQuorumRequest, DescribeQuorumResponse};

use crate::controller::{GROUP, LOG_TOPIC};
use crate::dispatch::Context;
use crate::reactor::CoreId;

/// Of the controller's log, as far as it is asked about.
struct Quorum {
    leader_epoch: i32,
    high_watermark: i64,
    log_end_offset: i64,
}

pub async fn handle(context: Context, request: DescribeQuorumRequest) -> DescribeQuorumResponse {
    let [topic] = request.topics.as_slice() else { return unknown(&request) };
    let is_the_one = topic.topic_name.0.as_str() == LOG_TOPIC
        && topic.partitions.len() == 1
        && topic.partitions.iter().all(|partition| partition.partition_index == 0);
    if !is_the_one {
        return unknown(&request);
    }
    let quorum = context.core.on(CoreId::FIRST, |core| {
        std::future::ready(core.with_partition(GROUP, |partition| Quorum {
            leader_epoch: partition.leader_epoch().0,
            high_watermark: partition.high_watermark().0,
            log_end_offset: partition.log.borrow().next_offset().0,
        }))
    });
    match quorum.await {
        Ok(Some(quorum)) if quorum.leader_epoch >= 0 => describe(&context, &quorum),
        _ => answer(vec![partition_error(0, ErrorCode::NotLeaderOrFollower)]),
    }
}

fn describe(context: &Context, quorum: &Quorum) -> DescribeQuorumResponse {
    let node = BrokerId(context.core.shared.config.node_id.0);
    let now = context.core.now().0;
    let mut voter = ReplicaState::default()
        .with_replica_id(node)
        .with_log_end_offset(quorum.log_end_offset)
        .with_last_fetch_timestamp(now)
        .with_last_caught_up_timestamp(now);
    if context.version >= 2 {
        voter = voter.with_replica_directory_id(context.core.shared.directory_id);
    }
    let partition = PartitionData::default()
        .with_leader_id(node)
        .with_leader_epoch(quorum.leader_epoch)
        .with_high_watermark(quorum.high_watermark)
        .with_current_voters(vec![voter]);
    let response = answer(vec![partition]);
    if context.version < 2 {
        return response;
    }
    response.with_nodes(vec![Node::default().with_node_id(node).with_listeners(listeners(context))])
}

/// The controller has no listeners of its own: it is asked where the broker is.
fn listeners(context: &Context) -> Vec<Listener> {
    let image = context.core.image();
    let broker = image.brokers.get(&context.core.shared.config.node_id.0);
    let endpoints = broker.iter().flat_map(|broker| &broker.endpoints);
    endpoints
        .map(|endpoint| {
            Listener::default()
                .with_name(StrBytes::from_string(endpoint.name.clone()))
                .with_host(StrBytes::from_string(endpoint.host.clone()))
                .with_port(endpoint.port)
        })
        .collect()
}

fn answer(partitions: Vec<PartitionData>) -> DescribeQuorumResponse {
    let topic = TopicData::default().with_topic_name(super::topics::wire(LOG_TOPIC)).with_partitions(partitions);
    DescribeQuorumResponse::default().with_topics(vec![topic])
}

/// There is one quorum, and it must be asked about alone.
fn unknown(request: &DescribeQuorumRequest) -> DescribeQuorumResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic
            .partitions
            .iter()
            .map(|partition| partition_error(partition.partition_index, ErrorCode::UnknownTopicOrPartition));
        TopicData::default().with_topic_name(topic.topic_name.clone()).with_partitions(partitions.collect())
    });
    DescribeQuorumResponse::default().with_topics(topics.collect())
}

fn partition_error(index: i32, code: ErrorCode) -> PartitionData {
    PartitionData::default()
        .with_partition_index(index)
        .with_error_code(code.code())
        .with_error_message(Some(StrBytes::from_static_str(code.name())))
}
