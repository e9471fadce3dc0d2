//! What stays of one batch. Pure: bytes in, bytes out.

use std::collections::HashMap;

use bytes::Bytes;
use thalweg_protocol::records::{BatchHeader, BatchView, Record, RecordError, emptied_batch, retained_batch};
use thalweg_protocol::{KafkaOffset, ProducerEpoch, ProducerId, TimestampMs};

use super::key_map::KeyMap;
use super::transactions::{Decisions, MarkerWalk};
use crate::log::ProducerState;
use crate::log::transactions::Control;

/// The most that one batch may decompress to.
pub(super) const DECOMPRESSED_MAX_BYTES: usize = 256 << 20;

/// What becomes of a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Kept {
    Whole,
    Changed(Bytes),
    Nothing,
}

/// The batch of each producer that must not vanish: its last one with records, or without such its marker's epoch
/// (`UnifiedLog.lastRecordsOfActiveProducers`).
pub(super) struct LastBatches {
    of: HashMap<ProducerId, (Option<KafkaOffset>, ProducerEpoch)>,
}

impl LastBatches {
    pub(super) fn of(producers: &ProducerState) -> Self {
        let last = producers.iter().map(|(id, entry)| {
            let last_offset = entry.batches.back().map(|batch| batch.last_offset);
            (id, (last_offset, entry.epoch))
        });
        Self { of: last.collect() }
    }

    fn has(&self, header: &BatchHeader) -> bool {
        header.has_producer_id()
            && self.of.get(&header.producer_id).is_some_and(|(last_offset, epoch)| match last_offset {
                Some(last_offset) => header.last_offset() == *last_offset,
                None => header.attributes.is_control() && header.producer_epoch == *epoch,
            })
    }
}

/// One pass over a log, batch by batch in order.
pub(super) struct Filter<'a> {
    pub(super) keys: &'a KeyMap,
    pub(super) decisions: &'a Decisions,
    pub(super) last_batches: &'a LastBatches,
    pub(super) markers: MarkerWalk,
    pub(super) now: TimestampMs,
    pub(super) delete_retention_ms: i64,
}

impl Filter<'_> {
    /// `Cleaner.cleanInto` and `MemoryRecords.filterTo` for one batch.
    pub(super) fn apply(&mut self, header: &BatchHeader, batch: &Bytes) -> Result<Kept, RecordError> {
        let (is_control, mut ends_nothing) = (header.attributes.is_control(), false);
        let discarded = if is_control {
            ends_nothing = self.markers.ends_nothing(header, Control::parse(batch)?);
            ends_nothing && self.is_past_horizon(header)
        } else {
            self.markers.data(header);
            self.decisions.is_aborted(header)
        };
        let records = if discarded { Vec::new() } else { self.records(header, batch, is_control)? };
        if records.is_empty() {
            return self.empty(header);
        }
        let has_tombstones = !is_control && records.iter().any(|record| record.value.is_none());
        let begins_horizon = (has_tombstones || ends_nothing) && header.delete_horizon().is_none();
        if records.len() == usize::try_from(header.records_count).unwrap_or(0) && !begins_horizon {
            return Ok(Kept::Whole);
        }
        let begun = || TimestampMs(self.now.0.saturating_add(self.delete_retention_ms));
        let horizon = header.delete_horizon().or_else(|| begins_horizon.then(begun));
        retained_batch(header, &records, horizon).map(Kept::Changed)
    }

    fn records(&self, header: &BatchHeader, batch: &Bytes, is_control: bool) -> Result<Vec<Record>, RecordError> {
        let mut kept = Vec::new();
        for record in BatchView::first(batch)?.records(DECOMPRESSED_MAX_BYTES)? {
            let record = record?;
            if is_control || self.stays(header, &record) {
                kept.push(record);
            }
        }
        Ok(kept)
    }

    /// A record goes when a newer one of its key is there, or it is a tombstone that was there for long enough, or it
    /// has no key: the topic was not always a compacted one.
    fn stays(&self, header: &BatchHeader, record: &Record) -> bool {
        if record.offset >= self.keys.up_to() {
            return true;
        }
        let Some(key) = &record.key else { return false };
        let is_newest = self.keys.get(key).is_none_or(|newest| record.offset >= newest);
        is_newest && (record.value.is_some() || !self.is_past_horizon(header))
    }

    fn is_past_horizon(&self, header: &BatchHeader) -> bool {
        header.delete_horizon().is_some_and(|horizon| horizon <= self.now)
    }

    /// The header stays where it says how far a producer came, or where the pass ended.
    fn empty(&self, header: &BatchHeader) -> Result<Kept, RecordError> {
        if !self.last_batches.has(header) && header.next_offset() != self.keys.up_to() {
            return Ok(Kept::Nothing);
        }
        if header.records_count == 0 { Ok(Kept::Whole) } else { emptied_batch(header).map(Kept::Changed) }
    }
}
