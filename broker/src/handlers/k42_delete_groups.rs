//! DeleteGroups: v0-2

use futures::future;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::delete_groups_response::DeletableGroupResult;
use thalweg_protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse, GroupId};

use super::{groups, share};
use crate::coordinator::group::Response;
use crate::dispatch::Context;

pub async fn handle(context: Context, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
    let results = request.groups_names.into_iter().map(|id| delete(&context, id));
    DeleteGroupsResponse::default().with_results(future::join_all(results).await.into_iter().flatten().collect())
}

async fn delete(context: &Context, id: GroupId) -> Vec<DeletableGroupResult> {
    // What a share group has done goes first: a group that is there can be deleted again.
    if let Ok(false) = share::has_members(context, &id.0).await
        && let Err(code) = share::forget(context, &id.0, None).await
    {
        return vec![DeletableGroupResult::default().with_group_id(id).with_error_code(code.code())];
    }
    let wanted = id.clone();
    let asked = groups::ask(context, &id.0, move |shard, caller, now| shard.delete_groups(&[wanted], caller, now));
    let code = match asked.await {
        Ok(Response::DeleteGroups(results)) => return results,
        Ok(_) => unreachable!("a deletion is answered as a deletion"),
        // Without the topic there never was a group.
        Err(ErrorCode::CoordinatorNotAvailable) => ErrorCode::GroupIdNotFound,
        Err(code) => code,
    };
    vec![DeletableGroupResult::default().with_group_id(id).with_error_code(code.code())]
}
