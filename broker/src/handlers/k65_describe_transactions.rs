//! DescribeTransactions: v0 (KIP-664)
//!
//! Behaviour: the partitions of a transaction that is being ended are those without a marker yet.

use std::rc::Rc;

use futures::future;
use thalweg_protocol::StrBytes;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::describe_transactions_response::{TopicData, TransactionState};
use thalweg_protocol::messages::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, ProducerId, TopicName, TransactionalId,
};

use super::transactions;
use crate::coordinator::transaction::{Described, TopicPartition, TransactionShard};
use crate::dispatch::Context;
use crate::reactor::Core;

pub async fn handle(context: Context, request: DescribeTransactionsRequest) -> DescribeTransactionsResponse {
    let described = request.transactional_ids.into_iter().map(|id| one(&context, id));
    DescribeTransactionsResponse::default().with_transaction_states(future::join_all(described).await)
}

async fn one(context: &Context, id: TransactionalId) -> TransactionState {
    let state = TransactionState::default().with_transactional_id(id.clone());
    match describe(context, id).await {
        Ok(described) => state
            .with_transaction_state(StrBytes::from_static_str(described.state.name()))
            .with_transaction_timeout_ms(described.timeout_ms)
            .with_transaction_start_time_ms(described.started_at.0)
            .with_producer_id(ProducerId(described.producer.id.0))
            .with_producer_epoch(described.producer.epoch.0)
            .with_topics(topics(described.partitions)),
        Err(code) => state.with_error_code(code.code()),
    }
}

async fn describe(context: &Context, id: TransactionalId) -> Result<Described, ErrorCode> {
    if id.0.is_empty() {
        return Err(ErrorCode::InvalidRequest);
    }
    let shard = transactions::shard_of(&context.core, &id.0)?;
    let asked = context.core.on(context.core.owner(shard), move |core: Rc<Core>| async move {
        let hosted = core.shard::<TransactionShard>(shard).await?;
        let shard = hosted.shard.borrow();
        shard.describe(&id.0)
    });
    asked.await.unwrap_or(Err(ErrorCode::NotCoordinator))
}

/// By topic; the partitions are in order.
fn topics(partitions: Vec<TopicPartition>) -> Vec<TopicData> {
    let mut topics: Vec<TopicData> = Vec::new();
    for TopicPartition { topic, index } in partitions {
        match topics.last_mut() {
            Some(last) if last.topic.0 == topic => last.partitions.push(index),
            _ => topics.push(TopicData::default().with_topic(TopicName(topic)).with_partitions(vec![index])),
        }
    }
    topics
}
