//! ConsumerGroupDescribe: v0-1 (KIP-848)
//!
//! Behaviour: UNSUPPORTED_VERSION for each group while `group.version` is 0.
//!
//! Version notes:
//! - v1 tells members of the classic protocol from those of the consumer protocol (KIP-1099)

use std::rc::Rc;

use futures::future;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::consumer_group_describe_response::DescribedGroup;
use thalweg_protocol::messages::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, GroupId};

use super::groups;
use crate::coordinator::group::GroupShard;
use crate::dispatch::Context;
use crate::reactor::Core;

pub async fn handle(context: Context, request: ConsumerGroupDescribeRequest) -> ConsumerGroupDescribeResponse {
    let described = request.group_ids.iter().map(|id| describe(&context, id.clone()));
    let mut described = future::join_all(described).await;
    for group in &mut described {
        group.authorized_operations = groups::operations(request.include_authorized_operations);
    }
    ConsumerGroupDescribeResponse::default().with_groups(described)
}

async fn describe(context: &Context, id: GroupId) -> DescribedGroup {
    let failed = |code: ErrorCode| DescribedGroup::default().with_group_id(id.clone()).with_error_code(code.code());
    if let Err(code) = groups::check_modern(&context.core) {
        return failed(code);
    }
    // Without the topic there never was a group.
    let Ok(shard) = groups::shard_of(&context.core, &id.0) else { return failed(ErrorCode::GroupIdNotFound) };
    let wanted = id.clone();
    let asked = context.core.on(context.core.owner(shard), move |core: Rc<Core>| async move {
        let hosted = core.shard::<GroupShard>(shard).await?;
        let described = hosted.shard.borrow().describe_consumer(&wanted);
        Ok::<_, ErrorCode>(described)
    });
    match asked.await {
        Ok(Ok(described)) => described,
        Ok(Err(code)) => failed(code),
        Err(_) => failed(ErrorCode::NotCoordinator),
    }
}
