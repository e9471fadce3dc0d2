//! ShareGroupHeartbeat: v1 (KIP-932)
//!
//! Behaviour: see `coordinator/group/share/heartbeat.rs`. UNSUPPORTED_VERSION while `share.version` is 0.

use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::{ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse};

use super::{groups, share};
use crate::coordinator::group::Response;
use crate::dispatch::Context;

pub async fn handle(context: Context, request: ShareGroupHeartbeatRequest) -> ShareGroupHeartbeatResponse {
    let failed = |code: ErrorCode| ShareGroupHeartbeatResponse::default().with_error_code(code.code());
    if let Err(code) = share::check_enabled(&context.core) {
        return failed(code);
    }
    let group = request.group_id.0.clone();
    match groups::ask(&context, &group, move |shard, caller, now| shard.share_heartbeat(&request, caller, now)).await {
        Ok(Response::ShareHeartbeat(response)) => response,
        Ok(_) => unreachable!("a share member's heartbeat is answered as one"),
        Err(code) => failed(code),
    }
}
