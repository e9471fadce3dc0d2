//! Old segments go: by time, by size, and below the log's start. Whole segments, committed entries only.
//!
//! The order matters: the log start is recorded in the write-ahead log first, and only once that is durable are files
//! touched (the store does both). A crash in between leaves files that nobody refers to.

use thalweg_protocol::{KafkaOffset, TimestampMs};

use super::flush::write_committed;
use super::{LogPoint, LogRef, PartitionLog, Segment};
use crate::error::StorageError;
use crate::types::Term;

/// Applies the topic's retention. Gives the new log start if that moved: the caller records it.
///
/// # Errors
/// When flushing what is committed fails: without that the age of the active segment is not known.
pub async fn enforce_retention(log: &LogRef, now: TimestampMs) -> Result<Option<KafkaOffset>, StorageError> {
    let gate = log.borrow().writing.clone();
    let _passage = gate.pass().await;
    // What is committed but not flushed belongs to the active segment, and may make it young.
    write_committed(log).await?;
    let mut log = log.borrow_mut();
    let count = log.deletable_segments(now);
    if count == 0 {
        return Ok(None);
    }
    let before = log.log_start;
    log.drop_segments(count);
    let new_start = log.segments.front().map_or(log.flushed.next_offset, |segment| segment.base_offset);
    log.log_start = before.max(new_start);
    log.assert_order();
    Ok((log.log_start > before).then_some(log.log_start))
}

impl PartitionLog {
    /// How many of the oldest segments may go (`UnifiedLog.deleteOldSegments`).
    fn deletable_segments(&self, now: TimestampMs) -> usize {
        let by_policy = if self.config.delete_enabled {
            let old = self.count_deletable(0, |segment| self.is_expired(segment, now));
            let mut excess = self.excess_bytes(old);
            self.count_deletable(old, |segment| {
                // Compaction leaves segments without any record: they go with those around them, and never on their own.
                let fits = excess > 0 && segment.content.size_bytes <= excess;
                excess = excess.saturating_sub(segment.content.size_bytes);
                fits
            })
        } else {
            0
        };
        let below_start = self.segments.iter().take_while(|segment| self.is_below_start(segment)).count();
        by_policy.max(below_start)
    }

    /// Segments from the front that the predicate lets go, `already` of them without asking. The active one only when
    /// nothing lies behind it, committed or not.
    fn count_deletable(&self, already: usize, mut may_go: impl FnMut(&Segment) -> bool) -> usize {
        let is_whole_log = self.flushed.index == self.last_index();
        let more = self.segments.iter().skip(already).take_while(|segment| {
            let is_movable = segment.active.is_none() || (is_whole_log && segment.content.size_bytes > 0);
            is_movable && may_go(segment)
        });
        already + more.count()
    }

    fn is_expired(&self, segment: &Segment, now: TimestampMs) -> bool {
        let retention_ms = self.config.retention_ms;
        retention_ms >= 0 && now.0.saturating_sub(segment.largest_timestamp().0) > retention_ms
    }

    /// Bytes beyond `retention.bytes` that are left when `deleted` segments are gone.
    fn excess_bytes(&self, deleted: usize) -> u64 {
        let Ok(limit) = u64::try_from(self.config.retention_bytes) else { return 0 };
        let kept: u64 = self.segments.iter().skip(deleted).map(|segment| segment.content.size_bytes).sum();
        kept.saturating_sub(limit)
    }

    fn is_below_start(&self, segment: &Segment) -> bool {
        segment.active.is_none() && segment.content.next_offset <= self.log_start
    }

    /// Segments that hold nothing readable any more are given up.
    pub(super) fn drop_segments_below_start(&mut self) {
        let count = self.segments.iter().take_while(|segment| self.is_below_start(segment)).count();
        self.drop_segments(count);
    }

    fn drop_segments(&mut self, count: usize) {
        let doomed = |segment: Segment| (segment.base_offset, segment.rewritten.waiting());
        let doomed: Vec<_> = self.segments.drain(..count).map(doomed).collect();
        let gone: Vec<KafkaOffset> = doomed.iter().map(|(base, _)| *base).collect();
        if gone.is_empty() {
            return;
        }
        self.shared.windows.forget(self.group, |base| gone.contains(&base));
        self.shared.indexes.forget(self.group, |base| gone.contains(&base));
        self.disk_state.unsynced.segments.retain(|base| !gone.contains(base));
        self.disk_state.doomed.extend(doomed);
        self.disk_state.incomplete = true;
        self.compact_to_first_segment();
    }

    /// Raft's view begins with the first segment too.
    fn compact_to_first_segment(&mut self) {
        let first = self.segments.front().map(|segment| (segment.base_index, segment.base_offset));
        let (first_index, next_offset) = first.unwrap_or((self.flushed.index.next(), self.flushed.next_offset));
        let index = first_index.previous();
        if index > self.compacted.index {
            let term = self.term_at(index).unwrap_or(Term::ZERO);
            self.compacted = LogPoint { index, term, next_offset };
            self.offset_map.compact(first_index);
        }
        // Also where Raft's view began further on already, because what follows is compacted.
        self.terms.compact(index);
    }
}
