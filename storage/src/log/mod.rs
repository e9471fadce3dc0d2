//! One partition's log on one core: the newest entries in memory, everything committed in Kafka's own segment files.
//!
//! This file says what a log is; what it does is one file per flow, each with its own `impl PartitionLog`.
//!
//! - **Invariant:** segments hold committed entries only.
//! - **Invariant:** Raft-only entries take no Kafka offset.
//! - **Invariant:** positions are ordered: `compacted <= flushed <= commit <= last`.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use thalweg_protocol::{KafkaOffset, LeaderEpoch};

use crate::event::Gate;
use crate::types::{GroupId, HardState, LogEntry, RaftIndex, Term};

mod append;
mod block_tail;
mod commit;
mod compact;
mod config;
mod copy;
mod descriptor;
mod disk_state;
mod entries;
mod file_names;
mod files;
mod flush;
mod index;
mod index_cache;
mod lookup;
mod offset_map;
mod piece;
pub mod producers;
mod read;
mod read_cache;
mod rebuild;
mod recover;
mod retention;
mod segment;
mod shared;
mod state;
mod tail;
mod terms;
mod timestamp;
mod transaction_index;
pub(crate) mod transactions;

pub use self::append::AppendError;
pub use self::commit::LogStartError;
pub use self::compact::{Compacted, CompactionBudget};
pub use self::config::LogConfig;
pub use self::copy::Moving;
pub use self::descriptor::{LogDescriptor, LogPoint};
pub use self::entries::read_entries;
pub use self::flush::{FlushMode, flush};
// Public for the microbenchmarks alone: readers come to them through `read` and `lookup_timestamp`, and then the disk.
#[doc(hidden)]
pub use self::lookup::{offset_before as index_lookup_by_timestamp, position_before as index_lookup_by_offset};
pub use self::producers::ProducerState;
pub use self::read::{MemoryRead, ReadResult, read};
pub use self::retention::enforce_retention;
pub use self::shared::CoreLimits;
pub use self::terms::TermStart;
pub use self::timestamp::{TimestampedOffset, lookup_max_timestamp, lookup_timestamp};
pub use self::transaction_index::aborted_transactions;
pub use self::transactions::AbortedTransaction;
pub use self::transactions::control::Control;

pub(crate) use self::compact::plan::Cleanable;
pub(crate) use self::compact::{Swaps, compact, settle_swaps};
pub(crate) use self::copy::{LogCopy, remove_dir};
pub(crate) use self::disk_state::{DiskState, Unsynced};
pub(crate) use self::flush::sync_files;
pub(crate) use self::offset_map::{OffsetMap, RaftOnly};
pub(crate) use self::segment::{
    Active, Content, FileKind, SNAPSHOT_SUFFIX, Segment, cleaned_path, file_name, file_path, parse_file_name,
};
pub(crate) use self::shared::CoreShared;
pub(crate) use self::terms::Terms;

use self::tail::Tail;
use self::transactions::Transactions;

/// A log is shared by the partition, the flusher and readers of its core; nobody holds a borrow across an `.await`.
pub type LogRef = Rc<RefCell<PartitionLog>>;

/// One replica's log. Belongs to the core that owns the group.
pub struct PartitionLog {
    pub(crate) group: GroupId,
    pub(crate) descriptor: Rc<LogDescriptor>,
    pub(crate) config: Rc<LogConfig>,
    pub(crate) shared: Rc<CoreShared>,
    pub(crate) hard_state: HardState,
    pub(crate) log_start: KafkaOffset,
    /// What was removed or replaced by a snapshot: the last such entry. Its term is still known to Raft.
    pub(crate) compacted: LogPoint,
    /// The last entry that is in segments (or, if Raft-only, in `offset_map`).
    pub(crate) flushed: LogPoint,
    pub(crate) commit: RaftIndex,
    pub(crate) high_watermark: KafkaOffset,
    tail: Tail,
    pub(crate) terms: Terms,
    pub(crate) producers: ProducerState,
    /// Producers as of `flushed`, each with its newest batch: for the `.snapshot` files beside the segments.
    flushed_producers: ProducerState,
    /// As of `commit`.
    transactions: Transactions,
    /// The same as of `flushed`: what a checkpoint begins with.
    flushed_transactions: Transactions,
    pub(crate) offset_map: OffsetMap,
    /// In order; the last may be active.
    pub(crate) segments: VecDeque<Segment>,
    /// Bytes of batches behind `flushed` and at or before `commit`.
    flushable_bytes: usize,
    /// One flush, roll or deletion at a time.
    pub(crate) writing: Gate,
    pub(crate) disk_state: DiskState,
    compaction: compact::CompactionState,
}

impl PartitionLog {
    /// An empty log, which begins behind `descriptor.start`.
    pub(crate) fn new(
        group: GroupId,
        descriptor: LogDescriptor,
        config: Rc<LogConfig>,
        shared: Rc<CoreShared>,
    ) -> Self {
        let start = descriptor.start;
        let mut terms = Terms::default();
        if start.index > RaftIndex::ZERO {
            terms.note(start.term, start.index, start.next_offset);
        }
        Self {
            group,
            descriptor: Rc::new(descriptor),
            config,
            shared,
            hard_state: HardState::default(),
            log_start: start.next_offset,
            compacted: start,
            flushed: start,
            commit: start.index,
            high_watermark: start.next_offset,
            tail: Tail::default(),
            terms,
            producers: ProducerState::default(),
            flushed_producers: ProducerState::default(),
            transactions: Transactions::default(),
            flushed_transactions: Transactions::default(),
            offset_map: OffsetMap::default(),
            segments: VecDeque::new(),
            flushable_bytes: 0,
            writing: Gate::default(),
            disk_state: DiskState::default(),
            compaction: compact::CompactionState::default(),
        }
    }

    pub fn group(&self) -> GroupId {
        self.group
    }

    pub fn descriptor(&self) -> &Rc<LogDescriptor> {
        &self.descriptor
    }

    pub fn config(&self) -> &Rc<LogConfig> {
        &self.config
    }

    pub fn set_config(&mut self, config: LogConfig) {
        self.config = Rc::new(config);
    }

    pub fn hard_state(&self) -> HardState {
        self.hard_state
    }

    /// Producers as of the last appended entry.
    pub fn producers(&self) -> &ProducerState {
        &self.producers
    }

    // Raft's view.

    /// The first entry that can still be read.
    pub fn first_index(&self) -> RaftIndex {
        self.compacted.index.next()
    }

    /// The first entry from which on all are in memory; one behind the last if none is.
    pub fn first_index_in_memory(&self) -> RaftIndex {
        self.tail.first_index().unwrap_or_else(|| self.last_index().next())
    }

    pub fn last_index(&self) -> RaftIndex {
        self.tail.back().map_or(self.flushed.index, |last| last.entry.index)
    }

    pub fn last_term(&self) -> Term {
        self.terms.last().unwrap_or(Term::ZERO)
    }

    /// Of an entry that can be read, or of the one before the first such; `None` for others.
    pub fn term_at(&self, index: RaftIndex) -> Option<Term> {
        if index == self.compacted.index {
            return Some(self.compacted.term);
        }
        if index < self.compacted.index || index > self.last_index() {
            return None;
        }
        self.terms.at(index)
    }

    /// Where terms begin, oldest first; the first may have begun before the first entry that is left.
    pub fn term_starts(&self) -> &[TermStart] {
        self.terms.starts()
    }

    /// The entries in memory, in order: for opening the Raft group after recovery.
    pub fn entries_in_memory(&self) -> impl Iterator<Item = &LogEntry> {
        self.tail.iter().map(|entry| &entry.entry)
    }

    pub fn entry_in_memory(&self, index: RaftIndex) -> Option<&LogEntry> {
        self.tail.get(index).map(|entry| &entry.entry)
    }

    pub fn commit_index(&self) -> RaftIndex {
        self.commit
    }

    /// Entries up to here are in segments: Raft need not keep them in memory.
    pub fn evictable_up_to(&self) -> RaftIndex {
        self.flushed.index
    }

    // Kafka's view.

    pub fn log_start_offset(&self) -> KafkaOffset {
        self.log_start
    }

    pub fn high_watermark(&self) -> KafkaOffset {
        self.high_watermark
    }

    /// Behind the last record that a reader of committed records may see: before the first open transaction, if there is
    /// one (`UnifiedLog.lastStableOffset`).
    pub fn last_stable_offset(&self) -> KafkaOffset {
        let first_open = self.transactions.first_open().unwrap_or(self.high_watermark);
        first_open.min(self.high_watermark).max(self.log_start)
    }

    /// The log end offset: what the next batch begins with.
    pub fn next_offset(&self) -> KafkaOffset {
        self.tail.back().map_or(self.flushed.next_offset, |last| last.next_offset)
    }

    /// Bytes of all batches: in segments and not yet there.
    pub fn size_bytes(&self) -> u64 {
        let segments: u64 = self.segments.iter().map(|segment| segment.content.size_bytes).sum();
        let tail = self.tail.from(self.flushed.index.next()).filter(|entry| entry.is_batch());
        segments + tail.map(|entry| entry.entry.data.len() as u64).sum::<u64>()
    }

    /// Committed bytes that no segment holds yet.
    pub fn flushable_bytes(&self) -> usize {
        self.flushable_bytes
    }

    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        self.terms.last().map(Term::leader_epoch)
    }

    /// Kafka's epochs: each with the offset at which it begins.
    pub fn epochs(&self) -> Vec<(LeaderEpoch, KafkaOffset)> {
        self.terms.epochs(self.log_start)
    }

    /// `LeaderEpochFileCache.endOffsetFor`; (-1, -1) when the answer is unknown.
    pub fn end_offset_for_epoch(&self, epoch: LeaderEpoch) -> (LeaderEpoch, KafkaOffset) {
        self.terms.end_offset_for(epoch, self.log_start, self.next_offset())
    }

    /// The epoch in which `offset` was written.
    pub fn epoch_at(&self, offset: KafkaOffset) -> Option<LeaderEpoch> {
        let epochs = self.epochs();
        epochs.iter().rev().find(|(_, start)| *start <= offset).map(|(epoch, _)| *epoch)
    }

    /// What must hold after every change.
    fn assert_order(&self) {
        assert!(self.compacted.index <= self.flushed.index, "{}: compacted beyond what is flushed", self.group);
        assert!(self.flushed.index <= self.commit, "{}: an uncommitted entry is in a segment", self.group);
        assert!(self.commit <= self.last_index(), "{}: committed beyond the last entry", self.group);
        assert!(self.log_start <= self.high_watermark, "{}: the log starts behind its high watermark", self.group);
        debug_assert!(self.tail.first_index().is_none_or(|first| first <= self.flushed.index.next()));
    }
}

impl std::fmt::Debug for PartitionLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PartitionLog")
            .field("group", &self.group)
            .field("log_start", &self.log_start)
            .field("high_watermark", &self.high_watermark)
            .field("compacted", &self.compacted)
            .field("flushed", &self.flushed)
            .field("commit", &self.commit)
            .field("last", &self.last_index())
            .finish_non_exhaustive()
    }
}

impl Drop for PartitionLog {
    fn drop(&mut self) {
        self.forget_tail();
    }
}
