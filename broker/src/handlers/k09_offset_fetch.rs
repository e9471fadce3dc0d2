//! OffsetFetch: v1-10
//!
//! Behaviour: each group is asked of its own shard. With `require_stable` an answer waits for commits under way (KIP-447).
//!
//! Version notes:
//! - v8 several groups (KIP-709)
//! - v9 members of the consumer protocol, v10 topics by id (both KIP-848)

use futures::future;
use thalweg_protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;
use thalweg_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse};

use super::groups;
use super::topic_ids::{self, TOPIC_IDS_VERSION};
use crate::coordinator::group::{Response, wire};
use crate::dispatch::Context;

pub async fn handle(context: Context, request: OffsetFetchRequest) -> OffsetFetchResponse {
    let mut asked = wire::fetched_groups(&request, context.version);
    let stable = request.require_stable;
    let by_id = context.version >= TOPIC_IDS_VERSION;
    let image = context.core.image();
    let unknown: Vec<_> =
        asked.iter_mut().map(|group| if by_id { topic_ids::name_fetched(&image, group) } else { Vec::new() }).collect();
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
    let mut answers = future::join_all(answers).await;
    if by_id {
        let image = context.core.image();
        let identified = answers.into_iter().zip(unknown);
        answers = identified.map(|(answer, unknown)| topic_ids::identify_fetched(&image, unknown, answer)).collect();
    }
    wire::fetch_response(&asked, answers, context.version)
}
