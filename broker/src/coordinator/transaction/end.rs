//! EndTxn: the producer's own decision.

use thalweg_protocol::{ProducerEpoch, ProducerId, StrBytes, TimestampMs};

use super::add::check_producer;
use super::append::{Completion, DecidedBy};
use super::effect::{Effect, Producer, Response};
use super::metadata::{Transaction, is_exhausted};
use super::shard::TransactionShard;
use super::state::State;
use super::version::TransactionVersion;
use super::{ErrorCode, ReplyToken};

/// What comes of an EndTxn.
enum Verdict {
    /// The decision is to be written.
    Decide,
    /// It was made before, and this is the same request again.
    Repeated,
}

impl TransactionShard {
    /// `version` is what the client speaks.
    pub fn end(
        &mut self,
        id: &str,
        producer: Producer,
        commit: bool,
        version: TransactionVersion,
        token: ReplyToken,
        now: TimestampMs,
    ) -> Vec<Effect> {
        self.begin(now);
        if let Err(code) = self.try_end(id, producer, commit, version, token) {
            self.reply(token, Response::Ended(Err(code)));
        }
        self.finish()
    }

    fn try_end(
        &mut self,
        id: &str,
        producer: Producer,
        commit: bool,
        version: TransactionVersion,
        token: ReplyToken,
    ) -> Result<(), ErrorCode> {
        if id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        self.check_serving()?;
        let transaction = self.transaction(id).ok_or(ErrorCode::InvalidProducerIdMapping)?;
        let bumped = version.bumps_epochs();
        let verdict =
            if bumped { judge(transaction, producer, commit) } else { judge_v1(transaction, producer, commit) };
        match verdict? {
            Verdict::Repeated => {
                let told = if bumped { transaction.current.producer } else { Producer::NONE };
                self.reply(token, Response::Ended(Ok(told)));
                Ok(())
            }
            Verdict::Decide => {
                let id = transaction.id.clone();
                self.decide(&id, commit, version, DecidedBy::Client { token, bumped })
            }
        }
    }

    /// Writes a decision.
    pub(super) fn decide(
        &mut self,
        id: &StrBytes,
        commit: bool,
        version: TransactionVersion,
        by: DecidedBy,
    ) -> Result<(), ErrorCode> {
        let Some(current) = self.transactions.get(id).map(|transaction| transaction.current.clone()) else {
            return Err(ErrorCode::NotCoordinator);
        };
        // The producer gets a new id with its next epoch where this one has no more to give.
        let rotate = version.bumps_epochs() && current.is_epoch_exhausted();
        let next_id = if rotate { self.take_producer_id()? } else { ProducerId::NONE };
        let next = current.decided(commit, version, next_id, self.now);
        self.write(id, next, Completion::Decided(by));
        Ok(())
    }
}

/// Before transactions V2 a producer has one epoch for all its transactions.
fn judge_v1(transaction: &Transaction, producer: Producer, commit: bool) -> Result<Verdict, ErrorCode> {
    check_producer(transaction, producer)?;
    if transaction.pending.is_some() {
        return Err(ErrorCode::ConcurrentTransactions);
    }
    match (transaction.current.state, commit) {
        (State::Ongoing, _) => Ok(Verdict::Decide),
        (State::CompleteCommit, true) | (State::CompleteAbort, false) => Ok(Verdict::Repeated),
        (State::PrepareCommit, true) | (State::PrepareAbort, false) => Err(ErrorCode::ConcurrentTransactions),
        _ => Err(ErrorCode::InvalidTxnState),
    }
}

/// With transactions V2 every transaction has an epoch of its own: a request with the one before is the last transaction's,
/// sent again; one with the present epoch is the next transaction's.
fn judge(transaction: &Transaction, producer: Producer, commit: bool) -> Result<Verdict, ErrorCode> {
    let current = &transaction.current;
    if transaction.pending.is_some() {
        return Err(ErrorCode::ConcurrentTransactions);
    }
    let rotated = current.previous_id == producer.id
        && is_exhausted(producer.epoch)
        && current.producer.epoch == ProducerEpoch(0);
    // Only where a transaction's end has raised the epoch: a new producer of before V2 has an epoch more as well, and what
    // it decided must not be told to the one that it fenced. Where the id changed too, the new one begins with epoch 0.
    let bumped = i32::from(current.producer.epoch.0) == i32::from(producer.epoch.0) + 1;
    let repeated = rotated || (bumped && current.client_version.bumps_epochs());
    let present = current.producer.epoch == producer.epoch;
    if current.producer.id != producer.id && !rotated {
        return Err(ErrorCode::InvalidProducerIdMapping);
    }
    let valid = match current.state {
        State::Ongoing | State::Empty | State::Dead => present,
        State::PrepareCommit | State::PrepareAbort => repeated,
        State::CompleteCommit | State::CompleteAbort => repeated || present,
    };
    if !valid {
        return Err(ErrorCode::ProducerFenced);
    }
    match (current.state, commit) {
        (State::Ongoing, _) | (State::Empty, false) => Ok(Verdict::Decide),
        (State::CompleteCommit, true) | (State::CompleteAbort, false) if repeated => Ok(Verdict::Repeated),
        // A producer that is not sure whether anything reached a partition aborts: the new epoch fences what is late.
        (State::CompleteCommit | State::CompleteAbort, false) if !repeated => Ok(Verdict::Decide),
        (State::PrepareCommit, true) | (State::PrepareAbort, false) => Err(ErrorCode::ConcurrentTransactions),
        _ => Err(ErrorCode::InvalidTxnState),
    }
}
