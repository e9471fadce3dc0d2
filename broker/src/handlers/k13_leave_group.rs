//! LeaveGroup: v0-5
//!
//! Version notes:
//! - v3 several members, by instance id (KIP-345)

use thalweg_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

use super::groups;
use crate::coordinator::group::Response;
use crate::dispatch::Context;

pub async fn handle(context: Context, request: LeaveGroupRequest) -> LeaveGroupResponse {
    let group = request.group_id.0.clone();
    match groups::ask(&context, &group, move |shard, caller, now| shard.leave(&request, caller, now)).await {
        Ok(Response::LeaveGroup(response)) => response,
        Ok(_) => unreachable!("a leave is answered as a leave"),
        Err(code) => LeaveGroupResponse::default().with_error_code(code.code()),
    }
}
