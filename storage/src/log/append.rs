//! Entries at the log's end: appended, and taken back while Raft has not committed them.

use thalweg_protocol::KafkaOffset;
use thalweg_protocol::records::{BatchHeader, RecordError};

use super::PartitionLog;
use super::shared::{add, subtract};
use super::tail::TailEntry;
use super::transactions::{Control, Part};
use crate::types::{EntryKind, LogEntry, RaftIndex, Term};

/// Why an entry cannot follow the log's last one. From a live leader that is a bug; from a file it is damage.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AppendError {
    #[error("entry {index} would leave a gap behind entry {last}")]
    Gap { index: RaftIndex, last: RaftIndex },
    #[error("entry {index} is committed and cannot be replaced (commit index {commit})")]
    Committed { index: RaftIndex, commit: RaftIndex },
    #[error("entry {index} is of term {term}, before the last entry's term {last}")]
    TermBackwards { index: RaftIndex, term: Term, last: Term },
    #[error("the batch of entry {index} begins at offset {base_offset} instead of {expected}")]
    WrongOffset { index: RaftIndex, base_offset: KafkaOffset, expected: KafkaOffset },
    #[error("entry {index} is no batch: {source}")]
    NotABatch { index: RaftIndex, source: RecordError },
    #[error("entry {index} holds {len} bytes, its batch has {expected}")]
    WrongLength { index: RaftIndex, len: usize, expected: usize },
}

impl PartitionLog {
    /// Appends at the tail; an entry that is there already, and all behind it, are replaced (a Raft conflict).
    ///
    /// # Panics
    /// When the entry cannot follow: the leader stamps batches with this log's `next_offset`, so that is a bug.
    pub fn append(&mut self, entry: LogEntry) {
        if let Err(error) = self.try_append(entry) {
            panic!("group {}: {error}", self.group);
        }
    }

    /// As [`Self::append`], for entries from a file. Nothing is changed when it fails.
    ///
    /// # Errors
    /// When the entry cannot follow.
    pub fn try_append(&mut self, entry: LogEntry) -> Result<(), AppendError> {
        let header = self.check_append(&entry)?;
        let control = check_control(header.as_ref(), &entry)?;
        self.truncate(entry.index);
        let (base_offset, is_batch) = (self.next_offset(), header.is_some());
        let next_offset = header.map_or(base_offset, |header| header.next_offset());
        let undo = header.and_then(|header| self.producers.record(&header, control));
        let part = header.and_then(|header| Part::of(&header, control));
        self.terms.note(entry.term, entry.index, base_offset);
        let entry = TailEntry { entry, base_offset, next_offset, undo, part };
        add(&self.shared.memory.unflushed_bytes, entry.size_bytes());
        self.tail.push(entry);
        // No file tells of Raft-only entries, and of terms only those that have records.
        self.disk_state.incomplete |= is_batch;
        self.assert_order();
        Ok(())
    }

    fn check_append(&self, entry: &LogEntry) -> Result<Option<BatchHeader>, AppendError> {
        let index = entry.index;
        if index <= self.commit {
            return Err(AppendError::Committed { index, commit: self.commit });
        }
        if index > self.last_index().next() {
            return Err(AppendError::Gap { index, last: self.last_index() });
        }
        let last = self.term_at(index.previous()).unwrap_or(Term::ZERO);
        if entry.term < last {
            return Err(AppendError::TermBackwards { index, term: entry.term, last });
        }
        if entry.kind != EntryKind::Batch {
            return Ok(None);
        }
        self.check_batch(entry).map(Some)
    }

    fn check_batch(&self, entry: &LogEntry) -> Result<BatchHeader, AppendError> {
        let index = entry.index;
        let header = BatchHeader::parse(&entry.data).map_err(|source| AppendError::NotABatch { index, source })?;
        if header.size_bytes() != entry.data.len() {
            return Err(AppendError::WrongLength { index, len: entry.data.len(), expected: header.size_bytes() });
        }
        let expected = self.tail.get(index).map_or_else(|| self.next_offset(), |replaced| replaced.base_offset);
        if header.base_offset != expected || header.last_offset_delta < 0 {
            return Err(AppendError::WrongOffset { index, base_offset: header.base_offset, expected });
        }
        Ok(header)
    }

    /// Forgets the entries from `index` on, none of which is committed.
    fn truncate(&mut self, index: RaftIndex) {
        assert!(index > self.commit, "{}: truncating committed entry {index}", self.group);
        while self.last_index() >= index {
            let Some(gone) = self.tail.pop_back() else { break };
            subtract(&self.shared.memory.unflushed_bytes, gone.size_bytes());
            if let Some(undo) = gone.undo {
                self.producers.undo(undo);
            }
        }
        self.terms.truncate(index);
    }

    /// The whole tail goes, with the log or because a snapshot replaces it.
    pub(super) fn forget_tail(&mut self) {
        while let Some(entry) = self.tail.pop_back() {
            let memory = &self.shared.memory;
            let held =
                if entry.entry.index > self.flushed.index { &memory.unflushed_bytes } else { &memory.cached_bytes };
            subtract(held, entry.size_bytes());
        }
        self.flushable_bytes = 0;
    }
}

/// What a control batch says; `None` for others.
fn check_control(header: Option<&BatchHeader>, entry: &LogEntry) -> Result<Option<Control>, AppendError> {
    let Some(header) = header else { return Ok(None) };
    Control::of(header, &entry.data).map_err(|source| AppendError::NotABatch { index: entry.index, source })
}
