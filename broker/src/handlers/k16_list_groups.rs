//! ListGroups: v0-5
//!
//! Version notes:
//! - v4 filters by state (KIP-518), v5 by type (KIP-848)

use std::rc::Rc;

use futures::future;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::list_groups_response::ListedGroup;
use thalweg_protocol::messages::{ListGroupsRequest, ListGroupsResponse};
use thalweg_storage::types::GroupId;

use super::{coordinators, groups};
use crate::coordinator::group::GroupShard;
use crate::dispatch::Context;
use crate::reactor::Core;

pub async fn handle(context: Context, request: ListGroupsRequest) -> ListGroupsResponse {
    let parts = coordinators::all_shards(&context.core, groups::OFFSETS_TOPIC).into_iter().map(|(owner, shards)| {
        let request = request.clone();
        context.core.on(owner, move |core| list(core, shards, request))
    });
    let mut listed = Vec::new();
    for part in future::join_all(parts).await {
        match part.unwrap_or(Err(ErrorCode::NotCoordinator)) {
            Ok(groups) => listed.extend(groups),
            Err(code) => return ListGroupsResponse::default().with_error_code(code.code()),
        }
    }
    ListGroupsResponse::default().with_groups(listed)
}

async fn list(core: Rc<Core>, shards: Vec<GroupId>, request: ListGroupsRequest) -> Result<Vec<ListedGroup>, ErrorCode> {
    let mut listed = Vec::new();
    for shard in shards {
        let hosted = core.shard::<GroupShard>(shard).await?;
        listed.extend(hosted.shard.borrow().list(&request)?);
    }
    Ok(listed)
}
