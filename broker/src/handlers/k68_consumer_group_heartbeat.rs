//! ConsumerGroupHeartbeat: v0-1 (KIP-848)
//!
//! Behaviour: see `coordinator/group/consumer/heartbeat.rs`. UNSUPPORTED_VERSION while `group.version` is 0.
//!
//! Version notes:
//! - v1 regular expressions; members choose their ids themselves (KIP-1082)

use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};

use super::groups;
use crate::coordinator::group::Response;
use crate::dispatch::Context;

pub async fn handle(context: Context, request: ConsumerGroupHeartbeatRequest) -> ConsumerGroupHeartbeatResponse {
    let failed = |code: ErrorCode| ConsumerGroupHeartbeatResponse::default().with_error_code(code.code());
    if let Err(code) = groups::check_modern(&context.core) {
        return failed(code);
    }
    let group = request.group_id.0.clone();
    match groups::ask(&context, &group, move |shard, caller, now| shard.consumer_heartbeat(&request, caller, now)).await
    {
        Ok(Response::ConsumerHeartbeat(response)) => response,
        Ok(_) => unreachable!("a consumer's heartbeat is answered as one"),
        Err(code) => failed(code),
    }
}
