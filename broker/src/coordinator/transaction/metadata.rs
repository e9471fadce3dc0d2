//! What is known of one transactional id, and what each event makes of it.

use std::collections::BTreeSet;

use thalweg_protocol::{ProducerEpoch, ProducerId, StrBytes, TimestampMs};

use super::effect::{NO_EPOCH, Producer, TopicPartition};
use super::state::State;
use super::version::TransactionVersion;

/// The last epoch that a producer is given: one more is left to fence it with.
const EPOCH_EXHAUSTED: ProducerEpoch = ProducerEpoch(i16::MAX - 1);

/// What a record of `__transaction_state` says: Kafka's `TransactionLogValue`, and an epoch that is kept in memory only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Metadata {
    pub(super) producer: Producer,
    /// The id before the last transition: tells a repeated EndTxn whose answer was lost when the id changed.
    pub(super) previous_id: ProducerId,
    /// The id that the producer was promised and gets once all markers are written; -1 if it stays as it is.
    pub(super) next_id: ProducerId,
    /// The epoch before the last bump that the producer asked for itself (KIP-360). Not in the log.
    pub(super) last_epoch: ProducerEpoch,
    pub(super) timeout_ms: i32,
    pub(super) state: State,
    pub(super) partitions: BTreeSet<TopicPartition>,
    /// When the transaction began.
    pub(super) started_at: TimestampMs,
    pub(super) updated_at: TimestampMs,
    /// What the client spoke when it last changed something.
    pub(super) client_version: TransactionVersion,
}

impl Metadata {
    /// Before the first InitProducerId is written.
    pub(super) fn new(id: ProducerId, timeout_ms: i32, now: TimestampMs) -> Self {
        Self {
            producer: Producer { id, epoch: NO_EPOCH },
            previous_id: ProducerId::NONE,
            next_id: ProducerId::NONE,
            last_epoch: NO_EPOCH,
            timeout_ms,
            state: State::Empty,
            partitions: BTreeSet::new(),
            started_at: TimestampMs::NONE,
            updated_at: now,
            client_version: TransactionVersion::V0,
        }
    }

    pub(super) fn is_epoch_exhausted(&self) -> bool {
        is_exhausted(self.producer.epoch)
    }

    /// When an ongoing transaction has taken too long.
    pub(super) fn expires_at(&self) -> TimestampMs {
        TimestampMs(self.started_at.0.saturating_add(i64::from(self.timeout_ms)))
    }

    /// The same on the way to `state`.
    fn to(&self, state: State, now: TimestampMs) -> Self {
        Self { state, previous_id: self.producer.id, updated_at: now, ..self.clone() }
    }

    /// A producer without a transaction.
    pub(super) fn initialised(
        &self,
        producer: Producer,
        last_epoch: ProducerEpoch,
        timeout_ms: i32,
        now: TimestampMs,
    ) -> Self {
        debug_assert!(self.state.is_idle(), "a transaction is under way: {self:?}");
        Self {
            producer,
            last_epoch,
            timeout_ms,
            partitions: BTreeSet::new(),
            started_at: TimestampMs::NONE,
            ..self.to(State::Empty, now)
        }
    }

    /// With more partitions; the first ones begin a transaction.
    pub(super) fn with_partitions(
        &self,
        added: impl Iterator<Item = TopicPartition>,
        client_version: TransactionVersion,
        now: TimestampMs,
    ) -> Self {
        let started_at = if self.state.is_idle() { now } else { self.started_at };
        let mut next = Self { started_at, client_version, ..self.to(State::Ongoing, now) };
        next.partitions.extend(added);
        next
    }

    /// Decided. `next_id` is the producer's id afterwards where its epochs are used up.
    pub(super) fn decided(
        &self,
        commit: bool,
        client_version: TransactionVersion,
        next_id: ProducerId,
        now: TimestampMs,
    ) -> Self {
        // A producer may abort a transaction that has no partitions: it begins and ends now.
        let started_at = if self.state.is_idle() { now } else { self.started_at };
        let mut next = Self { started_at, client_version, next_id, ..self.to(State::prepared(commit), now) };
        if client_version.bumps_epochs() {
            next.producer.epoch = bumped(self.producer.epoch);
            next.last_epoch = self.producer.epoch;
        }
        next
    }

    /// Every partition has its marker.
    pub(super) fn completed(&self, commit: bool, now: TimestampMs) -> Self {
        Self {
            producer: self.after_completion(),
            next_id: ProducerId::NONE,
            partitions: BTreeSet::new(),
            ..self.to(State::completed(commit), now)
        }
    }

    /// Who the producer is once the transaction is completed.
    pub(super) fn after_completion(&self) -> Producer {
        if self.client_version.bumps_epochs() && self.next_id != ProducerId::NONE {
            Producer { id: self.next_id, epoch: ProducerEpoch(0) }
        } else {
            self.producer
        }
    }
}

/// Whether no producer may get an epoch after this one.
pub(super) fn is_exhausted(epoch: ProducerEpoch) -> bool {
    epoch >= EPOCH_EXHAUSTED
}

/// The next epoch. The last one of all stays as it is: nobody was ever given it.
pub(super) fn bumped(epoch: ProducerEpoch) -> ProducerEpoch {
    ProducerEpoch(epoch.0.saturating_add(1))
}

/// A transactional id in memory.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) id: StrBytes,
    /// What is durable. Of a decided transaction, `partitions` are those without a marker yet.
    pub(super) current: Metadata,
    /// The state that is being written, or worked towards by writing markers. Meanwhile nothing else may change it.
    pub(super) pending: Option<State>,
    /// An epoch was raised to fence a producer, and the record of it failed: it need not be raised again, as nobody was
    /// told of it.
    pub(super) failed_fence: bool,
    /// Partitions whose markers are under way.
    pub(super) marking: BTreeSet<TopicPartition>,
    /// The record that completes the transaction is under way.
    pub(super) completing: bool,
    /// Somebody newer fenced the markers: nothing more is done until the log is read again.
    pub(super) abandoned: bool,
}

impl Transaction {
    pub(super) fn new(id: StrBytes, current: Metadata) -> Self {
        Self {
            id,
            current,
            pending: None,
            failed_fence: false,
            marking: BTreeSet::new(),
            completing: false,
            abandoned: false,
        }
    }
}
