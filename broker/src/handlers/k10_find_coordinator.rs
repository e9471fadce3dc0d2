//! FindCoordinator: v0-6
//!
//! Behaviour: the coordinator of a group or of a transactional id is the leader of its partition of `__consumer_offsets` or
//! `__transaction_state`, which is created when somebody first asks. Share groups are not served yet:
//! COORDINATOR_NOT_AVAILABLE.
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
use super::{coordinators, topics};
use crate::dispatch::Context;

/// Types of keys.
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;

pub async fn handle(context: Context, request: FindCoordinatorRequest) -> FindCoordinatorResponse {
    let keys = if context.version >= 4 { request.coordinator_keys.clone() } else { vec![request.key.clone()] };
    let refused = match request.key_type {
        GROUP => coordinators::ensure_topic(&context, OFFSETS_TOPIC).await.err(),
        TRANSACTION => coordinators::ensure_topic(&context, STATE_TOPIC).await.err(),
        SHARE => Some(ErrorCode::CoordinatorNotAvailable),
        _ => Some(ErrorCode::InvalidRequest),
    };
    let coordinators: Vec<Coordinator> = keys.into_iter().map(|key| find(&context, key, refused)).collect();
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

fn find(context: &Context, key: StrBytes, refused: Option<ErrorCode>) -> Coordinator {
    let here = context.core.shared.config.node_id.0;
    let endpoint = topics::endpoints(context).find(|broker| broker.node == here);
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
