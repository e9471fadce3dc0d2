//! DescribeGroups: v0-6
//!
//! Version notes:
//! - v3 authorized operations; v6 GROUP_ID_NOT_FOUND (KIP-1043)

use std::rc::Rc;

use futures::future;
use thalweg_protocol::StrBytes;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::describe_groups_response::DescribedGroup;
use thalweg_protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse, GroupId};

use super::groups;
use crate::coordinator::group::GroupShard;
use crate::dispatch::Context;
use crate::reactor::Core;

pub async fn handle(context: Context, request: DescribeGroupsRequest) -> DescribeGroupsResponse {
    let described = request.groups.iter().map(|id| describe(&context, id.clone()));
    let mut described = future::join_all(described).await;
    for group in &mut described {
        group.authorized_operations = groups::operations(request.include_authorized_operations);
    }
    DescribeGroupsResponse::default().with_groups(described)
}

async fn describe(context: &Context, id: GroupId) -> DescribedGroup {
    let version = context.version;
    let failed = |code: ErrorCode| DescribedGroup::default().with_group_id(id.clone()).with_error_code(code.code());
    let shard = match groups::shard_of(&context.core, &id.0) {
        Ok(shard) => shard,
        Err(_) => {
            // No group was ever here.
            let dead = failed(if version >= 6 { ErrorCode::GroupIdNotFound } else { ErrorCode::None });
            return dead.with_group_state(StrBytes::from_static_str("Dead"));
        }
    };
    let wanted = id.clone();
    let asked = context.core.on(context.core.owner(shard), move |core: Rc<Core>| async move {
        let hosted = core.shard::<GroupShard>(shard).await?;
        let described = hosted.shard.borrow().describe(&wanted, version);
        Ok::<_, ErrorCode>(described)
    });
    match asked.await {
        Ok(Ok(described)) => described,
        Ok(Err(code)) => failed(code),
        Err(_) => failed(ErrorCode::NotCoordinator),
    }
}
