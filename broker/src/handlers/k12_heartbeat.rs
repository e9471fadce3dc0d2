//! Heartbeat: v0-4

use thalweg_protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use super::groups;
use crate::coordinator::group::Response;
use crate::dispatch::Context;

pub async fn handle(context: Context, request: HeartbeatRequest) -> HeartbeatResponse {
    let group = request.group_id.0.clone();
    match groups::ask(&context, &group, move |shard, caller, now| shard.heartbeat(&request, caller, now)).await {
        Ok(Response::Heartbeat(response)) => response,
        Ok(_) => unreachable!("a heartbeat is answered as a heartbeat"),
        Err(code) => HeartbeatResponse::default().with_error_code(code.code()),
    }
}
