//! The newest entries of a log, in memory: what is not yet in a segment, and behind it what still serves readers.

use std::collections::VecDeque;

use bytes::Bytes;
use thalweg_protocol::KafkaOffset;

use super::producers::ProducerUndo;
use super::transactions::Part;
use crate::types::{EntryKind, LogEntry, RaftIndex};

/// One entry and the offsets it covers: `base_offset..next_offset`, empty for Raft-only entries.
pub(super) struct TailEntry {
    pub(super) entry: LogEntry,
    pub(super) base_offset: KafkaOffset,
    pub(super) next_offset: KafkaOffset,
    /// How to forget its producer's batch, while the entry may still be replaced.
    pub(super) undo: Option<ProducerUndo>,
    /// What it is to a transaction.
    pub(super) part: Option<Part>,
}

impl TailEntry {
    pub(super) fn is_batch(&self) -> bool {
        self.entry.kind == EntryKind::Batch
    }

    /// Memory that the entry holds, roughly.
    pub(super) fn size_bytes(&self) -> usize {
        size_of::<Self>() + self.entry.data.len()
    }
}

/// Entries with consecutive Raft indexes.
#[derive(Default)]
pub(super) struct Tail {
    entries: VecDeque<TailEntry>,
}

impl Tail {
    pub(super) fn iter(&self) -> impl Iterator<Item = &TailEntry> {
        self.entries.iter()
    }

    pub(super) fn first_index(&self) -> Option<RaftIndex> {
        self.entries.front().map(|entry| entry.entry.index)
    }

    pub(super) fn front(&self) -> Option<&TailEntry> {
        self.entries.front()
    }

    pub(super) fn back(&self) -> Option<&TailEntry> {
        self.entries.back()
    }

    /// How many there are from `index` on.
    pub(super) fn len_from(&self, index: RaftIndex) -> usize {
        self.first_index().map_or(0, |first| {
            let skip = usize::try_from(index.0.saturating_sub(first.0)).unwrap_or(usize::MAX);
            self.entries.len().saturating_sub(skip)
        })
    }

    fn slot(&self, index: RaftIndex) -> Option<usize> {
        let first = self.first_index()?;
        usize::try_from(index.0.checked_sub(first.0)?).ok()
    }

    pub(super) fn get(&self, index: RaftIndex) -> Option<&TailEntry> {
        self.entries.get(self.slot(index)?)
    }

    pub(super) fn get_mut(&mut self, index: RaftIndex) -> Option<&mut TailEntry> {
        let slot = self.slot(index)?;
        self.entries.get_mut(slot)
    }

    /// Entries from `index` on, as far as they are here.
    pub(super) fn from(&self, index: RaftIndex) -> impl Iterator<Item = &TailEntry> {
        let first = self.first_index().unwrap_or(index);
        let skip = usize::try_from(index.0.saturating_sub(first.0)).unwrap_or(usize::MAX);
        self.entries.range(skip.min(self.entries.len())..)
    }

    pub(super) fn push(&mut self, entry: TailEntry) {
        self.entries.push_back(entry);
    }

    pub(super) fn pop_back(&mut self) -> Option<TailEntry> {
        self.entries.pop_back()
    }

    pub(super) fn pop_front(&mut self) -> Option<TailEntry> {
        self.entries.pop_front()
    }

    /// Gives memory back once a burst is over: ten thousand quiet partitions must stay small.
    pub(super) fn shrink(&mut self) {
        if self.entries.capacity() > 16 && self.entries.len() * 4 < self.entries.capacity() {
            self.entries.shrink_to(self.entries.len() * 2);
        }
    }

    /// Whether the batch that contains `offset` is here.
    pub(super) fn covers(&self, offset: KafkaOffset) -> bool {
        self.front().is_some_and(|front| front.base_offset <= offset)
            && self.back().is_some_and(|back| offset < back.next_offset)
    }

    /// Whole batches from the one that contains `from`, before `up_to`: at least one, then as many as fit.
    pub(super) fn read(&self, from: KafkaOffset, up_to: KafkaOffset, size_max_bytes: usize) -> Vec<Bytes> {
        let start = self.entries.partition_point(|entry| entry.next_offset <= from);
        let mut batches = Vec::new();
        let mut size_bytes = 0;
        for entry in self.entries.range(start..).filter(|entry| entry.is_batch()) {
            size_bytes += entry.entry.data.len();
            if entry.next_offset > up_to || (!batches.is_empty() && size_bytes > size_max_bytes) {
                break;
            }
            batches.push(entry.entry.data.clone());
        }
        batches
    }
}
