//! OffsetFetch: v1-9
//!
//! Behaviour: each group is asked of its own shard. With `require_stable` an answer waits for commits under way (KIP-447).
//!
//! Version notes:
//! - v8 several groups (KIP-709)

use futures::future;
use thalweg_protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;
use thalweg_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse};

use super::groups;
use crate::coordinator::group::{Response, wire};
use crate::dispatch::Context;

pub async fn handle(context: Context, request: OffsetFetchRequest) -> OffsetFetchResponse {
    let asked = wire::fetched_groups(&request, context.version);
    let stable = request.require_stable;
    let answers = asked.iter().map(|group| {
        let (context, wanted) = (&context, group.clone());
        async move {
            let id = wanted.group_id.clone();
            let answer =
                groups::ask(context, &id.0, move |shard, caller, now| shard.fetch(&wanted, stable, caller, now));
            match answer.await {
                Ok(Response::OffsetFetch(answer)) => answer,
                Ok(_) => unreachable!("a fetch is answered as a fetch"),
                Err(code) => OffsetFetchResponseGroup::default().with_group_id(id).with_error_code(code.code()),
            }
        }
    });
    let answers = future::join_all(answers).await;
    wire::fetch_response(&asked, answers, context.version)
}
