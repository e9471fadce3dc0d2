//! InitProducerId of a transactional id: who the producer is, and that nobody else is it any more.

use thalweg_protocol::{ProducerEpoch, ProducerId, TimestampMs};

use super::append::{Completion, DecidedBy};
use super::effect::{Effect, NO_EPOCH, Producer, Response};
use super::limits::{ID_LENGTH_MAX, TRANSACTIONS_MAX};
use super::metadata::{Metadata, Transaction, bumped, is_exhausted};
use super::shard::TransactionShard;
use super::state::State;
use super::{ErrorCode, ReplyToken};
use crate::coordinator::codec::own;

/// What comes of an InitProducerId.
enum Step {
    /// The producer is this from now on; also what its epoch was, if it said so itself.
    Become(Producer, ProducerEpoch),
    /// A transaction is ongoing: it is aborted first, and its producer fenced.
    Fence,
}

impl TransactionShard {
    /// `expected` is who the producer thinks it is, if it goes on after an error (KIP-360).
    pub fn init_producer_id(
        &mut self,
        id: &str,
        timeout_ms: i32,
        expected: Option<Producer>,
        token: ReplyToken,
        now: TimestampMs,
    ) -> Vec<Effect> {
        self.begin(now);
        if let Err(code) = self.try_init(id, timeout_ms, expected, token) {
            self.reply(token, Response::Init(Err(code)));
        }
        self.finish()
    }

    fn try_init(
        &mut self,
        id: &str,
        timeout_ms: i32,
        expected: Option<Producer>,
        token: ReplyToken,
    ) -> Result<(), ErrorCode> {
        if id.is_empty() || id.len() > ID_LENGTH_MAX {
            return Err(ErrorCode::InvalidRequest);
        }
        if timeout_ms <= 0 || timeout_ms > self.config.timeout_ms_max {
            return Err(ErrorCode::InvalidTransactionTimeout);
        }
        self.check_serving()?;
        let id = own(id);
        if !self.transactions.contains_key(&id) {
            if self.transactions.len() >= TRANSACTIONS_MAX {
                return Err(ErrorCode::CoordinatorNotAvailable);
            }
            let created = Metadata::new(self.take_producer_id()?, timeout_ms, self.now);
            self.transactions.insert(id.clone(), Transaction::new(id.clone(), created));
        }
        match self.step(&id, expected)? {
            Step::Become(producer, last_epoch) => {
                let Some(transaction) = self.transactions.get(&id) else { return Err(ErrorCode::NotCoordinator) };
                let next = transaction.current.initialised(producer, last_epoch, timeout_ms, self.now);
                self.write(&id, next, Completion::Init(token));
                Ok(())
            }
            Step::Fence => self.fence(&id, DecidedBy::NewProducer(token)),
        }
    }

    fn step(&mut self, id: &str, expected: Option<Producer>) -> Result<Step, ErrorCode> {
        let transaction = self.transaction(id).ok_or(ErrorCode::NotCoordinator)?;
        if transaction.pending.is_some() {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        let current = &transaction.current;
        if expected.is_some_and(|expected| !is_known(current, expected)) {
            return Err(ErrorCode::ProducerFenced);
        }
        match current.state {
            State::PrepareCommit | State::PrepareAbort | State::Dead => Err(ErrorCode::ConcurrentTransactions),
            State::Ongoing => Ok(Step::Fence),
            State::Empty | State::CompleteCommit | State::CompleteAbort => {
                let expected = expected.map(|expected| expected.epoch);
                if current.is_epoch_exhausted() && expected.is_none_or(|epoch| epoch == current.producer.epoch) {
                    let last_epoch = expected.map_or(NO_EPOCH, |_| current.producer.epoch);
                    let id = self.take_producer_id()?;
                    return Ok(Step::Become(Producer { id, epoch: ProducerEpoch(0) }, last_epoch));
                }
                next_epoch(current, expected)
            }
        }
    }

    /// An id that nobody has. The driver sees to it that there is one.
    pub(super) fn take_producer_id(&mut self) -> Result<ProducerId, ErrorCode> {
        self.producer_ids.pop().ok_or(ErrorCode::CoordinatorNotAvailable)
    }
}

/// Whether a producer that names itself may go on: it is the present one; or nobody has an epoch yet; or it is the one
/// whose epochs were used up, and it asks again because the answer was lost.
fn is_known(current: &Metadata, expected: Producer) -> bool {
    current.producer.epoch == NO_EPOCH
        || expected.id == current.producer.id
        || (expected.id == current.previous_id && is_exhausted(expected.epoch))
}

/// The next epoch of the same id.
fn next_epoch(current: &Metadata, expected: Option<ProducerEpoch>) -> Result<Step, ErrorCode> {
    let Producer { id, epoch } = current.producer;
    let next = Producer { id, epoch: bumped(epoch) };
    match expected {
        None => Ok(Step::Become(next, NO_EPOCH)),
        Some(expected) if epoch == NO_EPOCH || (expected == epoch && !is_exhausted(epoch)) => {
            Ok(Step::Become(next, epoch))
        }
        // A repeated request whose answer was lost. Nobody else has asked since: that would have cleared the last epoch.
        Some(expected) if expected == current.last_epoch => Ok(Step::Become(current.producer, expected)),
        Some(_) => Err(ErrorCode::ProducerFenced),
    }
}
