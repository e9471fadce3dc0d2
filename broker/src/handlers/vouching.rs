//! Asking the coordinator of a transaction whether partitions are in it, or to take them in (KIP-890).

use std::time::Instant;

use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::{TopicName, TransactionalId};
use thalweg_protocol::{ProducerEpoch, ProducerId};

use super::transactions;
use crate::dispatch::Context;
use crate::reactor::sleep;

/// What the client's version of an API can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Abilities {
    /// It knows TRANSACTION_ABORTABLE.
    pub knows_abortable: bool,
    /// Its partitions are added in passing.
    pub adds: bool,
}

/// A transaction, as a client names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Named {
    pub id: TransactionalId,
    pub producer: ProducerId,
    pub epoch: ProducerEpoch,
}

/// What the coordinator says of each partition, in the words that the client knows. While the transaction before this one
/// is being completed, it is asked again for a moment.
pub async fn ask(
    context: &Context,
    named: &Named,
    partitions: &[(TopicName, i32)],
    abilities: Abilities,
) -> Vec<ErrorCode> {
    let config = context.core.config();
    let deadline = Instant::now() + config.add_partitions_retry_backoff_max;
    loop {
        let answers = transactions::verify_or_add(
            context,
            named.id.0.as_str(),
            named.producer.0,
            named.epoch.0,
            partitions,
            abilities.adds,
        );
        let answers = answers.await;
        let is_busy = abilities.adds && answers.contains(&ErrorCode::ConcurrentTransactions);
        if !is_busy || Instant::now() >= deadline || context.core.shared.is_stopping() {
            return answers.into_iter().map(|code| told(code, abilities)).collect();
        }
        sleep(config.add_partitions_retry_backoff).await;
    }
}

/// `AddPartitionsToTxnManager`: what the coordinator tells brokers, and clients do not know.
fn told(code: ErrorCode, abilities: Abilities) -> ErrorCode {
    match code {
        ErrorCode::ProducerFenced => ErrorCode::InvalidProducerEpoch,
        ErrorCode::TransactionAbortable if !abilities.knows_abortable => ErrorCode::InvalidTxnState,
        other => other,
    }
}

/// Whether the coordinator is to be asked at all.
pub fn is_asked(context: &Context, abilities: Abilities) -> bool {
    abilities.adds || context.core.config().transaction_partition_verification_enable
}
