//! What the transaction APIs share: finding the shard that a transactional id belongs to, and asking it.

use std::rc::Rc;

use futures::future;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::TopicName;
use thalweg_protocol::{ProducerEpoch, ProducerId, TimestampMs};
use thalweg_storage::types::GroupId;

use super::coordinators;
use crate::cluster::transactions::Vouching;
use crate::coordinator::ReplyToken;
use crate::coordinator::transaction::{
    Effect, Producer, Response, TopicPartition, TransactionShard, TransactionVersion,
};
use crate::dispatch::Context;
use crate::reactor::Core;

/// Where transactions live.
pub const STATE_TOPIC: &str = "__transaction_state";

/// The Raft group of the partition that a transactional id belongs to. Without the topic, clients that hear of it look
/// for their coordinator again, and that makes it.
pub fn shard_of(core: &Core, id: &str) -> Result<GroupId, ErrorCode> {
    coordinators::partition_of(core, STATE_TOPIC, id).map(|(_, group)| group).ok_or(ErrorCode::NotCoordinator)
}

/// Has a transactional id's shard handle an event.
pub async fn ask<F>(core: &Rc<Core>, id: &str, handle: F) -> Result<Response, ErrorCode>
where
    F: FnOnce(&mut TransactionShard, ReplyToken, TimestampMs) -> Vec<Effect> + Send + 'static,
{
    if id.is_empty() {
        return Err(ErrorCode::InvalidRequest);
    }
    let shard = shard_of(core, id)?;
    let owner = core.owner(shard);
    let asked = core.on(owner, move |core: Rc<Core>| core.ask_transactions(shard, handle));
    asked.await.unwrap_or(Err(ErrorCode::NotCoordinator))
}

/// Adds all partitions to the transaction, or none.
pub async fn add_partitions(
    core: &Rc<Core>,
    id: &str,
    producer: Producer,
    partitions: Vec<TopicPartition>,
    version: TransactionVersion,
) -> ErrorCode {
    let of = id.to_owned();
    let asked =
        ask(core, id, move |shard, token, now| shard.add_partitions(&of, producer, &partitions, version, token, now));
    match asked.await {
        Ok(Response::Added(code)) | Err(code) => code,
        Ok(_) => ErrorCode::UnknownServerError,
    }
}

/// Whether each partition is in the transaction, in the order asked.
pub async fn verify_partitions(
    core: &Rc<Core>,
    id: &str,
    producer: Producer,
    partitions: Vec<TopicPartition>,
) -> Vec<ErrorCode> {
    let (of, count) = (id.to_owned(), partitions.len());
    let asked = ask(core, id, move |shard, token, now| shard.verify_partitions(&of, producer, &partitions, token, now));
    match asked.await {
        Ok(Response::Verified(codes)) => codes,
        Ok(_) => vec![ErrorCode::UnknownServerError; count],
        Err(code) => vec![code; count],
    }
}

/// What Produce asks before it writes the first batch of a transaction into partitions: whether they are in it, or, from
/// clients of transactions V2, that they be added. One answer for each, as the coordinator gives it.
pub async fn verify_or_add(
    context: &Context,
    transactional_id: &str,
    producer_id: i64,
    producer_epoch: i16,
    partitions: &[(TopicName, i32)],
    add: bool,
) -> Vec<ErrorCode> {
    let count = partitions.len();
    let leader = coordinators::leader_for(&context.core, STATE_TOPIC, transactional_id);
    if let Some(node) = leader.filter(|node| *node != context.core.shared.config.node_id) {
        let named = partitions.iter().map(|(topic, index)| (topic.0.to_string(), *index)).collect();
        let vouching =
            Vouching { id: transactional_id.to_owned(), producer_id, producer_epoch, partitions: named, add };
        return context.core.ask_to_vouch(node, vouching, count).await;
    }
    let producer = Producer { id: ProducerId(producer_id), epoch: ProducerEpoch(producer_epoch) };
    let partitions: Vec<_> = partitions.iter().map(|(topic, index)| partition(topic, *index)).collect();
    if add {
        let code = add_partitions(&context.core, transactional_id, producer, partitions, TransactionVersion::V2).await;
        vec![code; count]
    } else {
        verify_partitions(&context.core, transactional_id, producer, partitions).await
    }
}

pub fn partition(topic: &TopicName, index: i32) -> TopicPartition {
    TopicPartition { topic: topic.0.clone(), index }
}

/// PRODUCER_FENCED, or what clients of before KIP-588 know for it.
pub fn fenced_as_known(code: ErrorCode, known: bool) -> ErrorCode {
    if code == ErrorCode::ProducerFenced && !known { ErrorCode::InvalidProducerEpoch } else { code }
}

/// Reads something of every shard there is.
pub async fn read_all<R, F>(context: &Context, read: F) -> Result<Vec<R>, ErrorCode>
where
    R: Send + 'static,
    F: Fn(&TransactionShard, TimestampMs) -> Result<R, ErrorCode> + Clone + Send + 'static,
{
    let parts = coordinators::all_shards(&context.core, STATE_TOPIC).into_iter().map(|(owner, shards)| {
        let read = read.clone();
        context.core.on(owner, move |core| read_here(core, shards, read))
    });
    let mut all = Vec::new();
    for part in future::join_all(parts).await {
        all.extend(part.unwrap_or(Err(ErrorCode::NotCoordinator))?);
    }
    Ok(all)
}

async fn read_here<R>(
    core: Rc<Core>,
    shards: Vec<GroupId>,
    read: impl Fn(&TransactionShard, TimestampMs) -> Result<R, ErrorCode>,
) -> Result<Vec<R>, ErrorCode> {
    let mut answers = Vec::with_capacity(shards.len());
    for shard in shards {
        let hosted = core.shard::<TransactionShard>(shard).await?;
        answers.push(read(&hosted.shard.borrow(), core.now())?);
    }
    Ok(answers)
}
