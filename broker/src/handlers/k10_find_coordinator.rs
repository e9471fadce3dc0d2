//! FindCoordinator: v0-6
//!
//! Behaviour: the coordinator of a group, of a transactional id or of a share-partition is the leader of its partition of
//! `__consumer_offsets`, `__transaction_state` or `__share_group_state`, which is created when somebody first asks.
//!
//! Version notes:
//! - v4 several keys at once (KIP-699)
//! - v6 share groups (KIP-932)

use thalweg_protocol::StrBytes;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::find_coordinator_response::Coordinator;
use thalweg_protocol::messages::{BrokerId, FindCoordinatorRequest, FindCoordinatorResponse};

use super::groups::OFFSETS_TOPIC;
use super::transactions::STATE_TOPIC;
use super::{coordinators, share, topics};
use crate::dispatch::Context;

/// Types of keys.
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;

/// Characters of a topic's id as Kafka writes it.
const TOPIC_ID_LENGTH: usize = 22;

pub async fn handle(context: Context, request: FindCoordinatorRequest) -> FindCoordinatorResponse {
    let keys = if context.version >= 4 { request.coordinator_keys.clone() } else { vec![request.key.clone()] };
    let refused = match request.key_type {
        GROUP => coordinators::ensure_topic(&context, OFFSETS_TOPIC).await.err(),
        TRANSACTION => coordinators::ensure_topic(&context, STATE_TOPIC).await.err(),
        // Each key names a group, a topic's id and a partition.
        SHARE if !keys.iter().all(|key| is_share_key(key)) => Some(ErrorCode::InvalidRequest),
        SHARE => coordinators::ensure_topic(&context, share::STATE_TOPIC).await.err(),
        _ => Some(ErrorCode::InvalidRequest),
    };
    let topic = match request.key_type {
        TRANSACTION => STATE_TOPIC,
        SHARE => share::STATE_TOPIC,
        _ => OFFSETS_TOPIC,
    };
    let coordinators: Vec<Coordinator> = keys.into_iter().map(|key| find(&context, topic, key, refused)).collect();
    if context.version >= 4 {
        return FindCoordinatorResponse::default().with_coordinators(coordinators);
    }
    let Some(only) = coordinators.into_iter().next() else { return FindCoordinatorResponse::default() };
    FindCoordinatorResponse::default()
        .with_error_code(only.error_code)
        .with_error_message(only.error_message)
        .with_node_id(only.node_id)
        .with_host(only.host)
        .with_port(only.port)
}

/// Kafka's `SharePartitionKey.validate`: a group's id may itself have colons.
fn is_share_key(key: &str) -> bool {
    let mut parts = key.rsplitn(3, ':');
    let partition = parts.next().is_some_and(|index| index.parse::<i32>().is_ok_and(|index| index >= 0));
    let topic = parts.next().is_some_and(|id| {
        id.len() == TOPIC_ID_LENGTH
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    });
    partition && topic && parts.next().is_some_and(|group| !group.trim().is_empty())
}

fn find(context: &Context, topic: &str, key: StrBytes, refused: Option<ErrorCode>) -> Coordinator {
    let leader = coordinators::leader_for(&context.core, topic, &key);
    let endpoint = leader.and_then(|node| topics::endpoints(context).find(|broker| broker.node == node.0));
    match (refused, endpoint) {
        (None, Some(broker)) => Coordinator::default()
            .with_key(key)
            .with_node_id(BrokerId(broker.node))
            .with_host(broker.host)
            .with_port(broker.port),
        (code, _) => Coordinator::default()
            .with_key(key)
            .with_node_id(BrokerId(-1))
            .with_port(-1)
            .with_error_code(code.unwrap_or(ErrorCode::CoordinatorNotAvailable).code()),
    }
}
