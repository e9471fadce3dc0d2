//! [`TransactionShard`]: all transactional ids of one partition of `__transaction_state`.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use thalweg_protocol::{ProducerId, StrBytes, TimestampMs};

use super::append::Appends;
use super::effect::{Effect, Response};
use super::metadata::{Metadata, Transaction};
use super::state::State;
use super::version::TransactionVersion;
use super::{ErrorCode, ReplyToken};
use crate::coordinator::Phase;

/// Kafka's settings of the transaction coordinator, with its defaults.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TransactionConfig {
    /// The finalized level of the feature `transaction.version`
    pub version: TransactionVersion,
    /// `transaction.max.timeout.ms`
    pub timeout_ms_max: i32,
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`
    pub abort_interval_ms: i64,
    /// `transactional.id.expiration.ms`
    pub expiration_ms: i64,
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`
    pub expiry_interval_ms: i64,
    /// `max.message.bytes` of `__transaction_state`
    pub batch_size_max_bytes: usize,
}

impl Default for TransactionConfig {
    fn default() -> Self {
        Self {
            version: TransactionVersion::V2,
            timeout_ms_max: 900_000,
            abort_interval_ms: 10_000,
            expiration_ms: 7 * 24 * 60 * 60 * 1000,
            expiry_interval_ms: 60 * 60 * 1000,
            batch_size_max_bytes: 1_048_588,
        }
    }
}

/// See the [module](super). Owned by the core that owns the partition.
#[derive(Debug)]
pub struct TransactionShard {
    pub(super) phase: Phase,
    pub(super) config: TransactionConfig,
    /// The leader epoch of the partition, which every marker carries: partitions refuse those of an older coordinator.
    pub(super) coordinator_epoch: i32,
    pub(super) transactions: IndexMap<StrBytes, Transaction>,
    /// Ongoing transactions by the time at which they have taken too long.
    pub(super) ongoing: BTreeSet<(TimestampMs, StrBytes)>,
    /// Decided transactions that have something to be tried again, by when.
    pub(super) retries: BTreeSet<(TimestampMs, StrBytes)>,
    pub(super) appends: Appends,
    /// Ids that no producer was given yet.
    pub(super) producer_ids: Vec<ProducerId>,
    /// When transactions that take too long are looked for next.
    pub(super) abort_at: Option<TimestampMs>,
    /// When expired ids are looked for next.
    pub(super) expiry_at: Option<TimestampMs>,
    /// How many ids of this round are still to be looked at, once it has begun.
    pub(super) expiry_left: Option<usize>,
    /// The time of the event that is being handled.
    pub(super) now: TimestampMs,
    effects: Vec<Effect>,
}

impl TransactionShard {
    /// An empty shard that is loading.
    #[must_use]
    pub fn new(config: TransactionConfig, coordinator_epoch: i32) -> Self {
        Self {
            phase: Phase::Loading,
            config,
            coordinator_epoch,
            transactions: IndexMap::new(),
            ongoing: BTreeSet::new(),
            retries: BTreeSet::new(),
            appends: Appends::default(),
            producer_ids: Vec::new(),
            abort_at: None,
            expiry_at: None,
            expiry_left: None,
            now: TimestampMs(0),
            effects: Vec::new(),
        }
    }

    /// Takes new settings, from the next event on.
    pub fn set_config(&mut self, config: TransactionConfig) {
        self.config = config;
    }

    /// The largest batch that its log takes from now on.
    pub fn set_batch_size_max(&mut self, bytes: usize) {
        self.config.batch_size_max_bytes = bytes;
    }

    /// The level of `transaction.version` from now on.
    pub fn set_version(&mut self, version: TransactionVersion) {
        self.config.version = version;
    }

    /// Whether the next request may need a producer id that is not here.
    #[must_use]
    pub fn wants_producer_id(&self) -> bool {
        self.producer_ids.is_empty()
    }

    /// Whether a transaction is under way that the clock may end.
    #[must_use]
    pub fn has_ongoing(&self) -> bool {
        !self.ongoing.is_empty()
    }

    /// An id that nobody has.
    pub fn supply(&mut self, id: ProducerId) {
        self.producer_ids.push(id);
    }

    /// How many transactional ids there are.
    #[must_use]
    pub fn transactions_count(&self) -> usize {
        self.transactions.len()
    }

    /// When [`Self::tick`] is to be called next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<TimestampMs> {
        let retry = self.retries.first().map(|(at, _)| *at);
        [retry, self.abort_at, self.expiry_at].into_iter().flatten().min()
    }

    /// Does what has become due. Early calls do nothing.
    pub fn tick(&mut self, now: TimestampMs) -> Vec<Effect> {
        self.begin(now);
        self.retry_markers();
        if self.abort_at.is_some_and(|at| at <= now) {
            self.abort_timed_out();
        }
        if self.expiry_at.is_some_and(|at| at <= now) {
            self.expire();
        }
        self.finish()
    }

    pub(super) fn begin(&mut self, now: TimestampMs) {
        self.now = now;
    }

    /// Ends the handling of an event.
    pub(super) fn finish(&mut self) -> Vec<Effect> {
        self.complete_refused();
        std::mem::take(&mut self.effects)
    }

    pub(super) fn reply(&mut self, token: ReplyToken, response: Response) {
        self.push(Effect::Reply { token, response: Box::new(response) });
    }

    pub(super) fn push(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(super) fn after(&self, delay_ms: i64) -> TimestampMs {
        TimestampMs(self.now.0.saturating_add(delay_ms.max(1)))
    }

    pub(super) fn check_serving(&self) -> Result<(), ErrorCode> {
        self.phase.check_serving()
    }

    pub(super) fn transaction(&self, id: &str) -> Option<&Transaction> {
        self.transactions.get(id.as_bytes())
    }

    #[cfg(test)]
    pub(super) fn transaction_mut(&mut self, id: &str) -> Option<&mut Transaction> {
        self.transactions.get_mut(id.as_bytes())
    }

    /// What is durable of an id from now on.
    pub(super) fn set_current(&mut self, id: &StrBytes, next: Metadata) {
        let Some(transaction) = self.transactions.get_mut(id) else { return };
        let before = std::mem::replace(&mut transaction.current, next);
        let after = &transaction.current;
        if before.state == State::Ongoing {
            self.ongoing.remove(&(before.expires_at(), id.clone()));
        }
        if after.state == State::Ongoing {
            self.ongoing.insert((after.expires_at(), id.clone()));
        }
    }
}
