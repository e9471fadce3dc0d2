//! AddPartitionsToTxn: v0-5
//!
//! Behaviour: all partitions of a transaction are added, or none. If one does not exist, the others are answered with
//! OPERATION_NOT_ATTEMPTED.
//!
//! Version notes:
//! - v2 PRODUCER_FENCED (KIP-588)
//! - v4 is for brokers: several transactions at once, and asking whether partitions are in them (KIP-890); what is added by
//!   it is a transaction of V2
//! - v5 TRANSACTION_ABORTABLE (KIP-890)

use futures::future;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use thalweg_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
};
use thalweg_protocol::messages::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, TopicName};
use thalweg_protocol::{PartitionIndex, ProducerEpoch, ProducerId};

use super::transactions;
use crate::coordinator::transaction::{Producer, TopicPartition, TransactionVersion};
use crate::dispatch::Context;

pub async fn handle(context: Context, request: AddPartitionsToTxnRequest) -> AddPartitionsToTxnResponse {
    if context.version < 4 {
        let only = AddPartitionsToTxnTransaction::default()
            .with_transactional_id(request.v3_and_below_transactional_id)
            .with_producer_id(request.v3_and_below_producer_id)
            .with_producer_epoch(request.v3_and_below_producer_epoch)
            .with_topics(request.v3_and_below_topics);
        let result = one(&context, only).await;
        return AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(result.topic_results);
    }
    let results = request.transactions.into_iter().map(|transaction| one(&context, transaction));
    AddPartitionsToTxnResponse::default().with_results_by_transaction(future::join_all(results).await)
}

async fn one(context: &Context, transaction: AddPartitionsToTxnTransaction) -> AddPartitionsToTxnResult {
    let codes = match check_exist(context, &transaction.topics) {
        Ok(()) => ask(context, &transaction).await,
        Err(codes) => codes,
    };
    let mut codes = codes.into_iter();
    let topics = transaction.topics.into_iter().map(|topic| {
        let results = topic.partitions.iter().map(|index| {
            let code = codes.next().unwrap_or(ErrorCode::UnknownServerError);
            AddPartitionsToTxnPartitionResult::default()
                .with_partition_index(*index)
                .with_partition_error_code(code.code())
        });
        let results = results.collect();
        AddPartitionsToTxnTopicResult::default().with_name(topic.name).with_results_by_partition(results)
    });
    let topics = topics.collect();
    AddPartitionsToTxnResult::default().with_transactional_id(transaction.transactional_id).with_topic_results(topics)
}

/// Every partition, in the order of the request.
fn partitions(topics: &[AddPartitionsToTxnTopic]) -> impl Iterator<Item = (&TopicName, i32)> {
    topics.iter().flat_map(|topic| topic.partitions.iter().map(move |index| (&topic.name, *index)))
}

/// If a partition does not exist, what each of them is answered with.
fn check_exist(context: &Context, topics: &[AddPartitionsToTxnTopic]) -> Result<(), Vec<ErrorCode>> {
    let image = context.core.image();
    let exists = |(topic, index): (&TopicName, i32)| {
        image.topic(topic.0.as_str()).is_some_and(|topic| topic.partition(PartitionIndex(index)).is_some())
    };
    if partitions(topics).all(exists) {
        return Ok(());
    }
    let code = |exists| if exists { ErrorCode::OperationNotAttempted } else { ErrorCode::UnknownTopicOrPartition };
    Err(partitions(topics).map(|partition| code(exists(partition))).collect())
}

async fn ask(context: &Context, transaction: &AddPartitionsToTxnTransaction) -> Vec<ErrorCode> {
    let producer =
        Producer { id: ProducerId(transaction.producer_id.0), epoch: ProducerEpoch(transaction.producer_epoch) };
    let id = transaction.transactional_id.0.as_str();
    let wanted: Vec<TopicPartition> =
        partitions(&transaction.topics).map(|(topic, index)| transactions::partition(topic, index)).collect();
    if transaction.verify_only {
        return transactions::verify_partitions(&context.core, id, producer, wanted).await;
    }
    let version = if context.version < 4 { TransactionVersion::V0 } else { TransactionVersion::V2 };
    let count = wanted.len();
    let code = transactions::add_partitions(&context.core, id, producer, wanted, version).await;
    vec![transactions::fenced_as_known(code, context.version >= 2); count]
}
