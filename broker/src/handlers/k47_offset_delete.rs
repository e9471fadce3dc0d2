//! OffsetDelete: v0 (KIP-496)

use thalweg_protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};

use super::groups;
use crate::coordinator::group::Response;
use crate::dispatch::Context;

pub async fn handle(context: Context, request: OffsetDeleteRequest) -> OffsetDeleteResponse {
    let group = request.group_id.0.clone();
    match groups::ask(&context, &group, move |shard, caller, now| shard.delete_offsets(&request, caller, now)).await {
        Ok(Response::OffsetDelete(response)) => response,
        Ok(_) => unreachable!("a deletion is answered as a deletion"),
        Err(code) => OffsetDeleteResponse::default().with_error_code(code.code()),
    }
}
