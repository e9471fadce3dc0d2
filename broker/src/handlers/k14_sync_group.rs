//! SyncGroup: v0-5

use thalweg_protocol::messages::{SyncGroupRequest, SyncGroupResponse};

use super::groups;
use crate::coordinator::group::Response;
use crate::dispatch::Context;

pub async fn handle(context: Context, request: SyncGroupRequest) -> SyncGroupResponse {
    let group = request.group_id.0.clone();
    match groups::ask(&context, &group, move |shard, caller, now| shard.sync(&request, caller, now)).await {
        Ok(Response::SyncGroup(response)) => response,
        Ok(_) => unreachable!("a sync is answered as a sync"),
        Err(code) => SyncGroupResponse::default().with_error_code(code.code()),
    }
}
