//! Idempotent producers of one partition: duplicates are recognised, gaps refused.
//!
//! The rules are those of Kafka 4's `ProducerStateManager`, `ProducerStateEntry` and `ProducerAppendInfo`; what is
//! new is that every change can be undone, since an entry that Raft has not committed may still be replaced.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use thalweg_protocol::records::{BatchHeader, increment_sequence};
use thalweg_protocol::{ErrorCode, KafkaOffset, ProducerEpoch, ProducerId, TimestampMs};

mod snapshot;

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

impl ProducerEntry {
    fn duplicate_of(&self, header: &BatchHeader) -> Option<&ProducerBatch> {
        if self.epoch != header.producer_epoch {
            return None;
        }
        self.batches.iter().find(|batch| {
            batch.first_sequence() == header.base_sequence && batch.last_sequence == header.last_sequence()
        })
    }

    /// `ProducerAppendInfo.inSequence`; a producer without batches of this epoch must begin at 0.
    fn expects(&self, sequence: i32) -> bool {
        match self.batches.back() {
            Some(last) => sequence == increment_sequence(last.last_sequence, 1),
            None => sequence == 0,
        }
    }
}

/// What to do with a batch from a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SequenceCheck {
    Accept,
    /// It is in the log already; the producer gets its first answer again.
    Duplicate {
        base_offset: KafkaOffset,
        timestamp: TimestampMs,
    },
    Reject(ErrorCode),
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

    /// Judges a batch that a client sent, against everything appended before it.
    ///
    /// An unknown producer may begin at any sequence: its records may have been deleted, or its state may have expired
    /// while it was idle (KIP-360), so that expiry breaks nobody who is still writing.
    pub fn check(&self, header: &BatchHeader) -> SequenceCheck {
        if !header.has_producer_id() {
            return SequenceCheck::Accept;
        }
        let Some(entry) = self.get(header.producer_id) else { return SequenceCheck::Accept };
        if let Some(batch) = entry.duplicate_of(header) {
            return SequenceCheck::Duplicate { base_offset: batch.base_offset(), timestamp: batch.timestamp };
        }
        if header.producer_epoch < entry.epoch {
            return SequenceCheck::Reject(ErrorCode::InvalidProducerEpoch);
        }
        let in_sequence = if header.producer_epoch > entry.epoch {
            header.base_sequence == 0
        } else {
            entry.expects(header.base_sequence)
        };
        if in_sequence { SequenceCheck::Accept } else { SequenceCheck::Reject(ErrorCode::OutOfOrderSequenceNumber) }
    }

    /// An appended batch counts from here on. `None` when its producer is not idempotent.
    ///
    /// The header is of a stamped batch: offsets are final.
    pub fn record(&mut self, header: &BatchHeader) -> Option<ProducerUndo> {
        if !header.has_producer_id() {
            return None;
        }
        let previous = self.entries.get(&header.producer_id).cloned();
        let mut entry = previous.as_deref().cloned().unwrap_or_else(|| ProducerEntry::new(header));
        entry.note(header);
        self.entries.insert(header.producer_id, Rc::new(entry));
        Some(ProducerUndo { id: header.producer_id, previous })
    }

    /// The same for a batch that is never taken back, where only the newest batch of each producer counts.
    pub(super) fn record_final(&mut self, header: &BatchHeader) {
        if !header.has_producer_id() {
            return;
        }
        let entry = self.entries.entry(header.producer_id).or_insert_with(|| Rc::new(ProducerEntry::new(header)));
        let entry = Rc::make_mut(entry);
        entry.note(header);
        while entry.batches.len() > 1 {
            entry.batches.pop_front();
        }
    }

    /// The state as it was when the log ended at `offset`, as far as the batches remembered tell; of each producer the
    /// newest batch.
    pub(super) fn newest_before(&self, offset: KafkaOffset) -> Self {
        let entries = self.entries.iter().filter_map(|(id, entry)| {
            let mut before = entry.as_ref().clone();
            let last = before.batches.iter().rev().find(|batch| batch.last_offset < offset).copied();
            let had_batches = !before.batches.is_empty();
            before.batches = last.into_iter().collect();
            (last.is_some() || !had_batches).then(|| (*id, Rc::new(before)))
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

    fn note(&mut self, header: &BatchHeader) {
        if self.epoch != header.producer_epoch {
            self.epoch = header.producer_epoch;
            self.batches.clear();
        }
        self.last_timestamp = header.max_timestamp;
        if header.attributes.is_control() {
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
