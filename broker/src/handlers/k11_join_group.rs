//! JoinGroup: v0-9
//!
//! Behaviour: the group's shard answers when the group has gathered; see `coordinator/group/join.rs`.

use thalweg_protocol::messages::{JoinGroupRequest, JoinGroupResponse};

use super::groups;
use crate::coordinator::group::Response;
use crate::dispatch::Context;

pub async fn handle(context: Context, request: JoinGroupRequest) -> JoinGroupResponse {
    let group = request.group_id.0.clone();
    match groups::ask(&context, &group, move |shard, caller, now| shard.join(&request, caller, now)).await {
        Ok(Response::JoinGroup(response)) => response,
        Ok(_) => unreachable!("a join is answered as a join"),
        Err(code) => JoinGroupResponse::default().with_error_code(code.code()).with_generation_id(-1),
    }
}
