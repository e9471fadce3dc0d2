//! Kafka offsets beside Raft indexes: entries that are not batches take an index and no offset.
//!
//! They are few (one per leader, one per membership change) and are kept whole, so that segments hold batches only.

use std::collections::VecDeque;

use thalweg_protocol::KafkaOffset;

use crate::types::{LogEntry, RaftIndex};

/// A Raft-only entry, and the offset of the first record behind it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RaftOnly {
    pub(crate) entry: LogEntry,
    pub(crate) offset: KafkaOffset,
}

/// The Raft-only entries among what is in segments, in order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct OffsetMap {
    raft_only: VecDeque<RaftOnly>,
}

impl OffsetMap {
    pub(crate) fn from_entries(raft_only: impl IntoIterator<Item = RaftOnly>) -> Self {
        Self { raft_only: raft_only.into_iter().collect() }
    }

    pub(crate) fn entries(&self) -> impl ExactSizeIterator<Item = &RaftOnly> {
        self.raft_only.iter()
    }

    pub(super) fn push(&mut self, entry: LogEntry, offset: KafkaOffset) {
        debug_assert!(self.raft_only.back().is_none_or(|last| last.entry.index < entry.index));
        self.raft_only.push_back(RaftOnly { entry, offset });
    }

    pub(super) fn get(&self, index: RaftIndex) -> Option<&RaftOnly> {
        let at = self.raft_only.binary_search_by_key(&index, |held| held.entry.index).ok()?;
        self.raft_only.get(at)
    }

    /// Entries before `index` can no longer be read.
    pub(super) fn compact(&mut self, index: RaftIndex) {
        let gone = self.raft_only.partition_point(|held| held.entry.index < index);
        self.raft_only.drain(..gone);
    }
}
