//! Splitting a request's partitions by the core that owns them, and putting the owners' answers back in the request's order.

use std::collections::BTreeMap;
use std::rc::Rc;

use futures::future;
use thalweg_protocol::PartitionIndex;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::TopicName;
use thalweg_storage::types::GroupId;

use super::topics;
use crate::dispatch::Context;
use crate::reactor::{Core, CoreId};

/// One partition that a request names, with what it asks of it.
pub struct Asked<Q> {
    pub topic: TopicName,
    pub partition: i32,
    pub question: Q,
}

/// Asks each owner about its partitions, one message per core, and gives the answers in the order of `asked`. A
/// partition that does not exist, or whose owner is stopping, is answered with the error.
pub async fn ask_owners<Q, A, F, Fut>(context: &Context, asked: &[Asked<Q>], execute: F) -> Vec<Result<A, ErrorCode>>
where
    Q: Clone + Send + 'static,
    A: Send + 'static,
    F: Fn(Rc<Core>, GroupId, Q) -> Fut + Copy + Send + 'static,
    Fut: Future<Output = Result<A, ErrorCode>> + 'static,
{
    let image = context.core.image();
    let mut answers: Vec<Option<Result<A, ErrorCode>>> = Vec::with_capacity(asked.len());
    let mut by_owner: BTreeMap<CoreId, Vec<(usize, GroupId, Q)>> = BTreeMap::new();
    for (slot, Asked { topic, partition, question }) in asked.iter().enumerate() {
        let info = topics::find(&image, false, topic, uuid::Uuid::nil()).and_then(|topic| {
            let info = topic.partition(PartitionIndex(*partition));
            info.map(|info| info.group).ok_or(ErrorCode::UnknownTopicOrPartition)
        });
        answers.push(match info {
            Ok(group) => {
                by_owner.entry(context.core.owner(group)).or_default().push((slot, group, question.clone()));
                None
            }
            Err(code) => Some(Err(code)),
        });
    }
    let parts = by_owner.into_iter().map(|(owner, items)| {
        context.core.on(owner, move |core| async move {
            let running = items.into_iter().map(|(slot, group, question)| {
                let answer = execute(Rc::clone(&core), group, question);
                async move { (slot, answer.await) }
            });
            future::join_all(running).await
        })
    });
    for (slot, answer) in future::join_all(parts).await.into_iter().flatten().flatten() {
        if let Some(place) = answers.get_mut(slot) {
            *place = Some(answer);
        }
    }
    answers.into_iter().map(|answer| answer.unwrap_or(Err(ErrorCode::NotLeaderOrFollower))).collect()
}
