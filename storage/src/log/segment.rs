//! One segment: its place in the log, its size and timestamps, and for the last one how far its files are written.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use thalweg_protocol::records::BatchHeader;
use thalweg_protocol::{KafkaOffset, TimestampMs};

use super::block_tail::BlockTail;
use super::config::LogConfig;
pub(crate) use super::file_names::{
    FileKind, SNAPSHOT_SUFFIX, cleaned_path, file_name, file_path, parse_cleaned_name, parse_file_name,
    parse_snapshot_name,
};
use super::index::{offset_entry, time_entry};
use super::transactions::AbortedTransaction;
use crate::types::RaftIndex;

/// What is in a segment so far. Grows batch by batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Content {
    pub(crate) next_offset: KafkaOffset,
    pub(crate) size_bytes: u64,
    /// Of the first batch: `segment.ms` counts from it.
    pub(crate) first_timestamp: TimestampMs,
    pub(crate) max_timestamp: TimestampMs,
    /// Last offset of the first batch with `max_timestamp`, as Kafka's time index has it.
    pub(crate) max_timestamp_offset: KafkaOffset,
    /// Bytes since the last index entry.
    pub(crate) unindexed_bytes: u64,
    /// Timestamp of the time index's last entry.
    pub(crate) indexed_timestamp: TimestampMs,
    /// Markers of aborts: so many entries the transaction index has.
    pub(crate) aborted: u32,
}

/// A segment of one log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Segment {
    pub(crate) base_offset: KafkaOffset,
    /// Raft index of its first batch.
    pub(crate) base_index: RaftIndex,
    pub(crate) created: TimestampMs,
    pub(crate) content: Content,
    /// Of the segment that is being written; the others are sealed: their files have their final length.
    pub(crate) active: Option<Box<Active>>,
    pub(crate) rewritten: Rewritten,
    pub(crate) identity: Identity,
}

/// What compaction did to a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Rewritten {
    /// How often it was written anew; 0 for never.
    pub(crate) generation: u32,
    /// No record up to its end has a newer one of its key up to its end.
    pub(crate) cleaned: bool,
    /// The files have taken the place of those before them. In memory only: false after a start, whatever is so.
    pub(crate) in_place: bool,
}

impl Rewritten {
    /// The generation whose files have yet to take the place of those before them.
    pub(crate) fn waiting(self) -> Option<u32> {
        (self.generation > 0 && !self.in_place).then_some(self.generation)
    }
}

/// Tells the files that a segment had when somebody looked from those that compaction gave it since.
#[derive(Clone, Debug, Default)]
pub(crate) struct Identity {
    retired: Rc<Cell<bool>>,
}

impl Identity {
    /// What was found in these files before holds no more.
    pub(crate) fn retire(&self) {
        self.retired.set(true);
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.retired.get()
    }
}

/// Segments are compared by what they say.
impl PartialEq for Identity {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Identity {}

/// Where a file of a segment lies: under the first of these names that exists.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct FilePlace {
    pub(crate) cleaned: Option<PathBuf>,
    pub(crate) path: PathBuf,
}

impl FilePlace {
    pub(crate) fn candidates(&self) -> impl Iterator<Item = &PathBuf> {
        self.cleaned.iter().chain([&self.path])
    }
}

/// How far the files of the active segment are written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Active {
    pub(crate) files: [BlockTail; FileKind::ALL.len()],
    /// Files that are known to exist and to end at `written`: after a restart more may be in them.
    pub(crate) prepared: [bool; FileKind::ALL.len()],
}

impl Active {
    pub(crate) fn file(&self, kind: FileKind) -> &BlockTail {
        kind.of(&self.files)
    }

    pub(crate) fn file_mut(&mut self, kind: FileKind) -> &mut BlockTail {
        kind.of_mut(&mut self.files)
    }

    pub(super) fn is_prepared(&self, kind: FileKind) -> bool {
        *kind.of(&self.prepared)
    }

    pub(super) fn set_prepared(&mut self, kind: FileKind) {
        *kind.of_mut(&mut self.prepared) = true;
    }
}

impl Segment {
    pub(super) fn new(base_offset: KafkaOffset, base_index: RaftIndex, created: TimestampMs) -> Self {
        let content = Content {
            next_offset: base_offset,
            size_bytes: 0,
            first_timestamp: TimestampMs::NONE,
            max_timestamp: TimestampMs::NONE,
            max_timestamp_offset: base_offset,
            unindexed_bytes: 0,
            indexed_timestamp: TimestampMs::NONE,
            aborted: 0,
        };
        Self {
            base_offset,
            base_index,
            created,
            content,
            active: Some(Box::default()),
            rewritten: Rewritten::default(),
            identity: Identity::default(),
        }
    }

    pub(crate) fn place(&self, dir: &Path, kind: FileKind) -> FilePlace {
        let waiting = self.rewritten.waiting();
        let cleaned = waiting.map(|generation| cleaned_path(dir, self.base_offset, kind, generation));
        FilePlace { cleaned, path: file_path(dir, self.base_offset, kind) }
    }

    /// What retention by time looks at (`LogSegment.largestTimestamp`).
    pub(super) fn largest_timestamp(&self) -> TimestampMs {
        if self.content.max_timestamp.0 >= 0 { self.content.max_timestamp } else { self.created }
    }

    /// Bytes that are in the file for certain; the fragment is behind them.
    pub(super) fn file_bytes(&self) -> u64 {
        self.active.as_ref().map_or(self.content.size_bytes, |active| active.file(FileKind::Log).written)
    }
}

/// Index entries that appending batches has made.
#[derive(Clone, Debug, Default)]
pub(crate) struct IndexEntries {
    pub(crate) offsets: Vec<u8>,
    pub(crate) times: Vec<u8>,
    pub(crate) aborted: Vec<u8>,
}

impl Content {
    /// Appends one batch, as `LogSegment.append` does: an index entry once more than `index.interval.bytes` lie behind
    /// the last one.
    pub(crate) fn add(&mut self, base: KafkaOffset, header: &BatchHeader, interval: u64, indexes: &mut IndexEntries) {
        if self.size_bytes == 0 {
            self.first_timestamp = header.max_timestamp;
        }
        // A batch that compaction emptied still says how new its records were.
        if header.max_timestamp > self.max_timestamp && header.records_count > 0 {
            self.max_timestamp = header.max_timestamp;
            self.max_timestamp_offset = header.last_offset();
        }
        if self.unindexed_bytes > interval {
            indexes.offsets.extend(offset_entry(base, header.last_offset(), self.size_bytes));
            self.index_time(base, indexes);
            self.unindexed_bytes = 0;
        }
        self.size_bytes += header.size_bytes() as u64;
        self.unindexed_bytes += header.size_bytes() as u64;
        self.next_offset = header.next_offset();
    }

    /// The newest timestamp gets its entry, also when the segment is sealed (`TimeIndex.maybeAppend`).
    pub(crate) fn index_time(&mut self, base: KafkaOffset, indexes: &mut IndexEntries) {
        if self.max_timestamp > self.indexed_timestamp {
            indexes.times.extend(time_entry(base, self.max_timestamp, self.max_timestamp_offset));
            self.indexed_timestamp = self.max_timestamp;
        }
    }

    /// The batch just added is the marker that aborted this.
    pub(crate) fn add_aborted(&mut self, aborted: &AbortedTransaction, indexes: &mut IndexEntries) {
        indexes.aborted.extend(aborted.encode());
        self.aborted += 1;
    }

    /// Whether the batch belongs into a new segment (`LogSegment.shouldRoll`).
    pub(super) fn must_roll(
        &self,
        segment: (KafkaOffset, TimestampMs),
        header: &BatchHeader,
        index_lens: (u64, u64),
        config: &LogConfig,
        now: TimestampMs,
    ) -> bool {
        let (base_offset, created) = segment;
        if self.size_bytes == 0 {
            return false;
        }
        let too_large = self.size_bytes + header.size_bytes() as u64 > config.segment_bytes;
        let waited_ms = if self.first_timestamp.0 >= 0 {
            header.max_timestamp.0.saturating_sub(self.first_timestamp.0)
        } else {
            now.0.saturating_sub(created.0)
        };
        let too_old = waited_ms > config.segment_age_max_ms().saturating_sub(config.segment_jitter_ms);
        let index_full = index_lens.0 / 8 >= config.offset_index_entries_max()
            || index_lens.1 / 12 >= config.time_index_entries_max();
        let too_far = header.last_offset().since(base_offset) > i64::from(i32::MAX);
        too_large || too_old || index_full || too_far
    }
}
