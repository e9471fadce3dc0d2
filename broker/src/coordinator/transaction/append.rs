//! Writes to `__transaction_state` that are under way, and what happens once they are done.

use std::collections::BTreeMap;

use thalweg_protocol::records::BatchBuilder;
use thalweg_protocol::{StrBytes, TimestampMs};

use super::effect::{Effect, Response};
use super::limits::MARKER_RETRY_MS;
use super::metadata::Metadata;
use super::shard::TransactionShard;
use super::{AppendToken, ErrorCode, ReplyToken, record_codec};
use crate::coordinator::{append_error, batch};

/// What is written.
#[derive(Debug)]
pub(super) enum Change {
    /// A transactional id goes on to this.
    Next { id: StrBytes, next: Box<Metadata> },
    /// These ids are removed.
    Gone(Vec<StrBytes>),
}

/// What is to be done when a write is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Completion {
    /// Somebody waits to hear of his producer.
    Init(ReplyToken),
    /// Somebody waits to hear that his partitions are added.
    Added(ReplyToken),
    /// A decision: its markers follow.
    Decided(DecidedBy),
    /// The last step of a transaction.
    Completed,
    Expired,
}

/// Who decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum DecidedBy {
    /// The client of before transactions V2, which is told nothing new, or of V2, which gets a new producer.
    Client { token: ReplyToken, bumped: bool },
    /// A new producer with the same transactional id, which is to ask again.
    NewProducer(ReplyToken),
    /// The clock.
    Timeout,
}

impl DecidedBy {
    /// Whether the decision was made to fence a producer.
    fn is_fence(self) -> bool {
        !matches!(self, Self::Client { .. })
    }
}

#[derive(Debug)]
pub(super) struct PendingAppend {
    change: Change,
    completion: Completion,
}

#[derive(Debug, Default)]
pub(super) struct Appends {
    token_next: u64,
    pending: BTreeMap<AppendToken, PendingAppend>,
    /// Could not even be tried.
    refused: Vec<(PendingAppend, ErrorCode)>,
}

impl TransactionShard {
    /// Begins to write what a transactional id is to become; until that is done, nothing else may change it.
    pub(super) fn write(&mut self, id: &StrBytes, next: Metadata, completion: Completion) {
        if let Some(transaction) = self.transactions.get_mut(id) {
            transaction.pending = Some(next.state);
        }
        self.append(Change::Next { id: id.clone(), next: Box::new(next) }, completion);
    }

    /// Begins a write. If it cannot even be tried, `completion` follows when the event's handling ends.
    pub(super) fn append(&mut self, change: Change, completion: Completion) {
        let built = self.build(&change);
        let pending = PendingAppend { change, completion };
        match built {
            Ok(batch) => {
                let token = AppendToken(self.appends.token_next);
                self.appends.token_next += 1;
                self.appends.pending.insert(token, pending);
                self.push(Effect::Append { token, batch });
            }
            Err(error) => self.appends.refused.push((pending, error)),
        }
    }

    fn build(&self, change: &Change) -> Result<bytes::Bytes, ErrorCode> {
        let version = self.config.version;
        let records = match change {
            Change::Next { id, next } => vec![record_codec::encode(id, Some(next), version)],
            Change::Gone(ids) => ids.iter().map(|id| record_codec::encode(id, None, version)).collect(),
        };
        batch::build(BatchBuilder::new(), records.into_iter(), self.config.batch_size_max_bytes, self.now)
    }

    /// Reports the fate of an [`Effect::Append`]. Appends are reported in the order of their tokens: that is the order
    /// of the log. A token that is not known (of before an unload) is ignored.
    pub fn appended(&mut self, token: AppendToken, result: Result<(), ErrorCode>, now: TimestampMs) -> Vec<Effect> {
        self.begin(now);
        debug_assert!(self.appends.pending.first_key_value().is_none_or(|(first, _)| *first >= token));
        if let Some(pending) = self.appends.pending.remove(&token) {
            self.complete(pending, result.map_err(append_error));
        }
        self.finish()
    }

    /// Ends the writes that were refused while the event was handled.
    pub(super) fn complete_refused(&mut self) {
        while let Some((pending, error)) = self.appends.refused.pop() {
            self.complete(pending, Err(append_error(error)));
        }
    }

    /// Fails all that is under way: the partition is another node's now.
    pub(super) fn fail_appends(&mut self, error: ErrorCode) {
        for (_, pending) in std::mem::take(&mut self.appends.pending) {
            self.complete(pending, Err(error));
        }
    }

    fn complete(&mut self, pending: PendingAppend, result: Result<(), ErrorCode>) {
        match pending.change {
            Change::Next { id, next } => self.settle(&id, *next, pending.completion, result),
            Change::Gone(ids) => self.expired(&ids, result.is_ok()),
        }
    }

    /// A transition is durable, or did not happen.
    fn settle(&mut self, id: &StrBytes, next: Metadata, completion: Completion, result: Result<(), ErrorCode>) {
        let producer = next.producer;
        if completion == Completion::Completed {
            return self.settle_completion(id, next, result.is_ok());
        }
        if let Some(transaction) = self.transactions.get_mut(id) {
            transaction.pending = None;
        }
        let after = next.after_completion();
        if result.is_ok() {
            self.set_current(id, next);
        }
        match completion {
            Completion::Init(token) => {
                self.forget_unwritten(id);
                self.reply(token, Response::Init(result.map(|()| producer)));
            }
            Completion::Added(token) => self.reply(token, Response::Added(result.err().unwrap_or(ErrorCode::None))),
            Completion::Decided(by) => {
                if by.is_fence()
                    && let Some(transaction) = self.transactions.get_mut(id)
                {
                    transaction.failed_fence = result.is_err();
                }
                self.answer_decision(by, result.map(|()| after));
                if result.is_ok() {
                    self.begin_marking(id);
                }
            }
            Completion::Completed | Completion::Expired => {}
        }
    }

    fn answer_decision(&mut self, by: DecidedBy, result: Result<super::Producer, ErrorCode>) {
        match by {
            DecidedBy::Client { token, bumped } => {
                let told = result.map(|after| if bumped { after } else { super::Producer::NONE });
                self.reply(token, Response::Ended(told));
            }
            DecidedBy::NewProducer(token) => {
                // Its transaction is being ended: the producer asks again, and gets an epoch of its own then.
                let code = result.err().unwrap_or(ErrorCode::ConcurrentTransactions);
                self.reply(token, Response::Init(Err(code)));
            }
            DecidedBy::Timeout => {}
        }
    }

    fn settle_completion(&mut self, id: &StrBytes, next: Metadata, durable: bool) {
        let retry_at = self.after(MARKER_RETRY_MS);
        let Some(transaction) = self.transactions.get_mut(id) else { return };
        transaction.completing = false;
        if durable {
            transaction.pending = None;
            self.set_current(id, next);
        } else {
            self.retries.insert((retry_at, id.clone()));
        }
    }

    /// An id whose first record could not be written was never here.
    fn forget_unwritten(&mut self, id: &StrBytes) {
        if self.transactions.get(id).is_some_and(|transaction| transaction.current.producer.epoch.0 < 0) {
            self.transactions.swap_remove(id);
        }
    }
}
