//! Metadata: v0-13
//!
//! Behaviour: answered from the connection core's image, whoever owns the partitions. Where the client and
//! `auto.create.topics.enable` both allow it, an unknown topic is created before the answer, so that the answer has it.
//!
//! Version notes:
//! - v0 takes an empty list for "all topics", later ones null
//! - v4 lets the client forbid creation
//! - v8-10 carry authorized operations; v11 moved the cluster's to DescribeCluster
//! - v10 has topic ids, v12 asks by id (KIP-516)
//! - v13 has a top-level error code

use std::collections::HashSet;
use std::sync::Arc;

use thalweg_protocol::StrBytes;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::metadata_request::MetadataRequestTopic;
use thalweg_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use thalweg_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse, TopicName};
use uuid::Uuid;

use super::{creation, topics};
use crate::dispatch::Context;
use crate::metadata::{ClusterImage, PartitionInfo, Topic};

/// What Kafka answers where authorized operations were not asked for.
pub(super) const OPERATIONS_NOT_ASKED: i32 = i32::MIN;
/// Bits of Kafka's `AclOperation` codes: all that a topic has (read, write, create, delete, alter, describe,
/// describe-configs, alter-configs), as nothing is restricted yet.
pub(super) const TOPIC_OPERATIONS_ALL: i32 = 0b1101_1111_1000;
/// The same for a cluster: create, alter, describe, cluster-action, describe-configs, alter-configs, idempotent-write.
pub(super) const CLUSTER_OPERATIONS_ALL: i32 = 0b1_1111_1010_0000;

pub async fn handle(context: Context, request: MetadataRequest) -> MetadataResponse {
    let wanted = match &request.topics {
        Some(wanted) if !(wanted.is_empty() && context.version == 0) => Some(wanted),
        _ => None,
    };
    let topics = match wanted {
        None => context.core.image().topics.values().map(describe).collect(),
        Some(wanted) => {
            let may_create = request.allow_auto_topic_creation || context.version < 4;
            find_all(&context, wanted, may_create).await
        }
    };
    let mut response = cluster(&context);
    response.topics = topics;
    if request.include_topic_authorized_operations {
        for topic in &mut response.topics {
            topic.topic_authorized_operations = TOPIC_OPERATIONS_ALL;
        }
    }
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS_ALL;
    }
    response
}

fn cluster(context: &Context) -> MetadataResponse {
    let brokers = topics::endpoints(context).map(|topics::BrokerAddress { node, host, port, rack }| {
        MetadataResponseBroker::default().with_node_id(BrokerId(node)).with_host(host).with_port(port).with_rack(rack)
    });
    MetadataResponse::default()
        .with_brokers(brokers.collect())
        .with_cluster_id(Some(StrBytes::from_string(context.core.shared.cluster_id().to_owned())))
        .with_controller_id(BrokerId(context.core.shared.config.node_id.0))
        .with_cluster_authorized_operations(OPERATIONS_NOT_ASKED)
}

async fn find_all(context: &Context, wanted: &[MetadataRequestTopic], may_create: bool) -> Vec<MetadataResponseTopic> {
    let image = context.core.image();
    let named = wanted.iter().filter_map(asked_name).map(|name| name.0.as_str());
    let missing: Vec<String> = named.filter(|name| image.topic(name).is_none()).map(ToOwned::to_owned).collect();
    let failed = if may_create && context.core.shared.config.auto_create_topics_enable && !missing.is_empty() {
        creation::auto_create(&context.core, missing).await
    } else {
        Default::default()
    };
    let image = context.core.image();
    let mut answered = HashSet::new();
    let once = wanted.iter().filter(|topic| answered.insert((&topic.name, topic.topic_id)));
    once.map(|topic| find(&image, topic, &failed)).collect()
}

/// The name that is asked for, if a topic is asked for by name: with an id, clients leave the name null or empty.
fn asked_name(wanted: &MetadataRequestTopic) -> Option<&TopicName> {
    wanted.name.as_ref().filter(|_| wanted.topic_id.is_nil())
}

fn find(
    image: &ClusterImage,
    wanted: &MetadataRequestTopic,
    failed: &std::collections::BTreeMap<String, ErrorCode>,
) -> MetadataResponseTopic {
    let Some(name) = asked_name(wanted) else {
        return match image.topic_by_id(wanted.topic_id) {
            Some(topic) => describe(topic),
            None => unknown(None, wanted.topic_id, ErrorCode::UnknownTopicId),
        };
    };
    match image.topic(name.0.as_str()) {
        Some(topic) => describe(topic),
        None => {
            let code = match topics::check_name(&name.0) {
                Err(_) => ErrorCode::InvalidTopicException,
                Ok(()) => failed.get(name.0.as_str()).copied().unwrap_or(ErrorCode::UnknownTopicOrPartition),
            };
            unknown(Some(name.clone()), Uuid::nil(), code)
        }
    }
}

fn unknown(name: Option<TopicName>, id: Uuid, code: ErrorCode) -> MetadataResponseTopic {
    MetadataResponseTopic::default()
        .with_error_code(code.code())
        .with_name(name)
        .with_topic_id(id)
        .with_topic_authorized_operations(OPERATIONS_NOT_ASKED)
}

fn describe(topic: &Arc<Topic>) -> MetadataResponseTopic {
    let partitions = topic.partitions.iter().enumerate().map(|(index, info)| describe_partition(index, info));
    MetadataResponseTopic::default()
        .with_name(Some(topics::wire(&topic.name)))
        .with_topic_id(topic.id)
        .with_is_internal(topic.internal)
        .with_partitions(partitions.collect())
        .with_topic_authorized_operations(OPERATIONS_NOT_ASKED)
}

fn describe_partition(index: usize, info: &PartitionInfo) -> MetadataResponsePartition {
    let leader = info.leadership.leader();
    let code = if leader.node.is_some() { ErrorCode::None } else { ErrorCode::LeaderNotAvailable };
    MetadataResponsePartition::default()
        .with_error_code(code.code())
        .with_partition_index(i32::try_from(index).unwrap_or(i32::MAX))
        .with_leader_id(BrokerId(leader.node.map_or(-1, |node| node.0)))
        .with_leader_epoch(leader.epoch.0)
        .with_replica_nodes(topics::broker_ids(&info.replicas))
        .with_isr_nodes(topics::broker_ids(&info.leadership.in_sync(&info.replicas)))
}
