//! Idempotent producers of one partition: duplicates are recognised, gaps refused.
//!
//! The rules are those of Kafka 4's `ProducerStateManager`, `ProducerStateEntry` and `ProducerAppendInfo`; what is
//! new is that every change can be undone, since an entry that Raft has not committed may still be replaced.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use thalweg_protocol::records::BatchHeader;
use thalweg_protocol::{KafkaOffset, ProducerEpoch, ProducerId, TimestampMs};

use super::transactions::Control;

mod check;
mod snapshot;

pub use self::check::{Claim, EndRequest, SequenceCheck};

/// Batches remembered per producer: as many as a client may have in flight (`ProducerStateEntry.NUM_BATCHES_TO_RETAIN`).
pub const BATCHES_RETAINED: usize = 5;

/// A batch that a producer wrote.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProducerBatch {
    pub last_sequence: i32,
    pub last_offset: KafkaOffset,
    pub offset_delta: i32,
    pub timestamp: TimestampMs,
}

impl ProducerBatch {
    pub fn first_sequence(&self) -> i32 {
        decrement_sequence(self.last_sequence, self.offset_delta)
    }

    pub fn base_offset(&self) -> KafkaOffset {
        KafkaOffset(self.last_offset.0 - i64::from(self.offset_delta))
    }
}

/// What is known of one producer id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProducerEntry {
    pub epoch: ProducerEpoch,
    /// Oldest first, at most [`BATCHES_RETAINED`], all of `epoch`.
    pub batches: VecDeque<ProducerBatch>,
    /// Newest record timestamp: what expiry is counted from.
    pub last_timestamp: TimestampMs,
    pub coordinator_epoch: i32,
    /// First offset of the open transaction.
    pub transaction_first_offset: Option<KafkaOffset>,
}

/// How to take a recorded batch back.
#[derive(Clone, Debug)]
pub struct ProducerUndo {
    id: ProducerId,
    previous: Option<Rc<ProducerEntry>>,
}

/// All producers of one partition.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ProducerState {
    entries: HashMap<ProducerId, Rc<ProducerEntry>>,
}

impl ProducerState {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn get(&self, id: ProducerId) -> Option<&ProducerEntry> {
        self.entries.get(&id).map(Rc::as_ref)
    }

    /// Producers in order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (ProducerId, &ProducerEntry)> {
        let mut ids: Vec<_> = self.entries.iter().map(|(id, entry)| (*id, entry.as_ref())).collect();
        ids.sort_by_key(|(id, _)| id.0);
        ids.into_iter()
    }

    /// An appended batch counts from here on. `None` when its producer is not idempotent.
    ///
    /// The header is of a stamped batch: offsets are final. `control` is what it says if it is a control batch.
    pub fn record(&mut self, header: &BatchHeader, control: Option<Control>) -> Option<ProducerUndo> {
        if !counts(header, control) {
            return None;
        }
        let previous = self.entries.get(&header.producer_id).cloned();
        let mut entry = previous.as_deref().cloned().unwrap_or_else(|| ProducerEntry::new(header));
        entry.note(header, control);
        self.entries.insert(header.producer_id, Rc::new(entry));
        Some(ProducerUndo { id: header.producer_id, previous })
    }

    /// The same for a batch that is never taken back, where only the newest batch of each producer counts.
    pub(super) fn record_final(&mut self, header: &BatchHeader, control: Option<Control>) {
        if !counts(header, control) {
            return;
        }
        let entry = self.entries.entry(header.producer_id).or_insert_with(|| Rc::new(ProducerEntry::new(header)));
        let entry = Rc::make_mut(entry);
        entry.note(header, control);
        while entry.batches.len() > 1 {
            entry.batches.pop_front();
        }
    }

    /// Producers with an open transaction, each with the first offset of that, in order of their ids.
    pub(crate) fn open_transactions(&self) -> Vec<(ProducerId, KafkaOffset)> {
        self.iter().filter_map(|(id, entry)| Some((id, entry.transaction_first_offset?))).collect()
    }

    /// The state as it was when the log ended at `offset`, as far as the batches remembered tell; of each producer the
    /// newest batch. `open` are the transactions that were open then, in order of their producers.
    pub(super) fn newest_before(&self, offset: KafkaOffset, open: &[(ProducerId, KafkaOffset)]) -> Self {
        let entries = self.entries.iter().filter_map(|(id, entry)| {
            let mut before = entry.as_ref().clone();
            let last = before.batches.iter().rev().find(|batch| batch.last_offset < offset).copied();
            let had_batches = !before.batches.is_empty();
            before.batches = last.into_iter().collect();
            before.transaction_first_offset = {
                let at = open.binary_search_by_key(&id.0, |(owner, _)| owner.0).ok();
                at.and_then(|at| open.get(at)).map(|(_, first)| *first)
            };
            let is_open = before.transaction_first_offset.is_some();
            (last.is_some() || !had_batches || is_open).then(|| (*id, Rc::new(before)))
        });
        Self { entries: entries.collect() }
    }

    /// Takes back what [`Self::record`] did; the latest first.
    pub fn undo(&mut self, undo: ProducerUndo) {
        match undo.previous {
            Some(previous) => self.entries.insert(undo.id, previous),
            None => self.entries.remove(&undo.id),
        };
    }

    /// Forgets producers without an open transaction that wrote nothing for `expiration_ms`
    /// (`producer.id.expiration.ms`; `ProducerStateManager.removeExpiredProducers`).
    pub fn expire(&mut self, now: TimestampMs, expiration_ms: i64) {
        self.entries.retain(|_, entry| {
            entry.transaction_first_offset.is_some() || now.0.saturating_sub(entry.last_timestamp.0) < expiration_ms
        });
        if self.entries.is_empty() {
            self.entries = HashMap::new();
        }
    }

    pub(super) fn insert(&mut self, id: ProducerId, entry: ProducerEntry) {
        self.entries.insert(id, Rc::new(entry));
    }
}

/// Whether a batch says anything of a producer.
fn counts(header: &BatchHeader, control: Option<Control>) -> bool {
    header.has_producer_id() && matches!(control, None | Some(Control::End { .. }))
}

impl ProducerEntry {
    /// Before its first batch.
    fn new(header: &BatchHeader) -> Self {
        Self {
            epoch: header.producer_epoch,
            batches: VecDeque::new(),
            last_timestamp: TimestampMs::NONE,
            coordinator_epoch: -1,
            transaction_first_offset: None,
        }
    }

    fn note(&mut self, header: &BatchHeader, control: Option<Control>) {
        if self.epoch != header.producer_epoch {
            self.epoch = header.producer_epoch;
            self.batches.clear();
        }
        self.last_timestamp = header.max_timestamp;
        if let Some(Control::End { coordinator_epoch, .. }) = control {
            self.coordinator_epoch = coordinator_epoch;
            self.transaction_first_offset = None;
            return;
        }
        if self.batches.len() == BATCHES_RETAINED {
            self.batches.pop_front();
        }
        self.batches.push_back(ProducerBatch {
            last_sequence: header.last_sequence(),
            last_offset: header.last_offset(),
            offset_delta: header.last_offset_delta,
            timestamp: header.max_timestamp,
        });
        if header.attributes.is_transactional() && self.transaction_first_offset.is_none() {
            self.transaction_first_offset = Some(header.base_offset);
        }
    }
}

/// `DefaultRecordBatch.decrementSequence`: sequences wrap from 0 back to `i32::MAX`.
fn decrement_sequence(sequence: i32, by: i32) -> i32 {
    if sequence < by { i32::MAX - (by - sequence) + 1 } else { sequence - by }
}

#[cfg(test)]
mod tests;
