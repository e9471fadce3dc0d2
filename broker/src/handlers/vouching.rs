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

/// What the coordinator says of each partition, in the words that the client knows.
pub async fn ask(
    context: &Context,
    named: &Named,
    partitions: &[(TopicName, i32)],
    abilities: Abilities,
) -> Vec<ErrorCode> {
    let id = named.id.0.as_str();
    let answers =
        transactions::verify_or_add(context, id, named.producer.0, named.epoch.0, partitions, abilities.adds).await;
    answers.into_iter().map(|code| told(code, abilities)).collect()
}

/// While the transaction before this one is being completed, the coordinator is asked again for a moment. Guards are to be
/// had anew each time: the marker of the transaction before takes away those that were given while it was missing.
pub struct Patience {
    deadline: Instant,
}

impl Patience {
    pub fn new(context: &Context) -> Self {
        Self { deadline: Instant::now() + context.core.config().add_partitions_retry_backoff_max }
    }

    /// Whether to ask again after these answers; if so, waits first.
    pub async fn again(&self, context: &Context, answers: &[ErrorCode], abilities: Abilities) -> bool {
        let is_busy = abilities.adds && answers.contains(&ErrorCode::ConcurrentTransactions);
        if !is_busy || Instant::now() >= self.deadline || context.core.shared.is_stopping() {
            return false;
        }
        sleep(context.core.config().add_partitions_retry_backoff).await;
        true
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
