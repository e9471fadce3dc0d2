//! UnregisterBroker: v0 (KIP-631)
//!
//! Behaviour: a broker that is not registered cannot be unregistered. The only one that is, is this node, and it runs:
//! Kafka would take its word for it, fence the node for good and leave every partition without a leader. Here that is
//! refused.

use thalweg_protocol::StrBytes;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::{UnregisterBrokerRequest, UnregisterBrokerResponse};

use crate::dispatch::Context;

pub async fn handle(context: Context, request: UnregisterBrokerRequest) -> UnregisterBrokerResponse {
    let id = request.broker_id.0;
    let (code, message) = if context.core.image().brokers.contains_key(&id) {
        let message = format!("Broker ID {id} is running, and the last one of its cluster: it cannot be unregistered");
        (ErrorCode::InvalidRequest, message)
    } else {
        (ErrorCode::BrokerIdNotRegistered, format!("Broker ID {id} is not currently registered"))
    };
    UnregisterBrokerResponse::default()
        .with_error_code(code.code())
        .with_error_message(Some(StrBytes::from_string(message)))
}
