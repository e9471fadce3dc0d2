//! What of a log may be compacted now, and whether it is worth it (`LogCleanerManager.grabFilthiestCompactedLog`).

use thalweg_protocol::{KafkaOffset, TimestampMs};

use crate::log::{PartitionLog, Segment};

/// A log as the cleaner sees it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Cleanable {
    /// How many segments, from the first one on, may be written anew.
    pub(super) segments: usize,
    /// No record before here has a newer one of its key before here.
    pub(super) first_dirty: KafkaOffset,
    pub(crate) dirty_ratio: f64,
    /// `max.compaction.lag.ms` has passed since the oldest dirty record.
    overdue: bool,
}

impl PartitionLog {
    /// `None` when there is nothing that could be compacted, be it worth it or not.
    pub(crate) fn cleanable(&self, now: TimestampMs) -> Option<Cleanable> {
        if !self.config.compact_enabled || self.disk_state.removed {
            return None;
        }
        let cleaned = self.segments.iter().take_while(|segment| segment.rewritten.cleaned).count();
        // The newest segment is never touched, even if it is sealed: the log's end stays what it is.
        let last = self.segments.len().checked_sub(1)?;
        let dirty = self.segments.iter().take(last).skip(cleaned);
        let segments = cleaned + dirty.take_while(|segment| !self.is_too_young(segment, now)).count();
        let dirty = || self.segments.iter().take(segments).skip(cleaned);
        let base = dirty().next()?.base_offset;
        let (clean_bytes, dirty_bytes) = (bytes_of(self.segments.iter().take(cleaned)), bytes_of(dirty()));
        if dirty_bytes == 0 {
            return None;
        }
        Some(Cleanable {
            segments,
            first_dirty: base.max(self.compaction.mapped_up_to),
            dirty_ratio: dirty_bytes as f64 / (clean_bytes + dirty_bytes) as f64,
            overdue: self.is_overdue(dirty(), now),
        })
    }

    /// Whether what could be compacted is worth it now.
    pub(crate) fn is_worth_compacting(&self, cleanable: &Cleanable) -> bool {
        cleanable.overdue || cleanable.dirty_ratio > self.config.min_cleanable_dirty_ratio
    }

    fn is_too_young(&self, segment: &Segment, now: TimestampMs) -> bool {
        let lag_ms = self.config.min_compaction_lag_ms;
        lag_ms > 0 && segment.largest_timestamp().0 > now.0.saturating_sub(lag_ms)
    }

    fn is_overdue<'a>(&self, mut dirty: impl Iterator<Item = &'a Segment>, now: TimestampMs) -> bool {
        let until = now.0.saturating_sub(self.config.max_compaction_lag_ms);
        dirty.any(|segment| segment.content.first_timestamp.0 > 0 && segment.content.first_timestamp.0 < until)
    }
}

fn bytes_of<'a>(segments: impl Iterator<Item = &'a Segment>) -> u64 {
    segments.map(|segment| segment.content.size_bytes).sum()
}
