//! What Raft has committed becomes visible, may be flushed, and can no longer be taken back.

use thalweg_protocol::{KafkaOffset, TimestampMs};

use super::PartitionLog;
use super::producers::ProducerState;
use super::shared::subtract;
use crate::types::RaftIndex;

/// Why the log cannot start at an offset.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("offset {wanted} is not between the log's start {log_start} and its high watermark {high_watermark}")]
pub struct LogStartError {
    pub wanted: KafkaOffset,
    pub log_start: KafkaOffset,
    pub high_watermark: KafkaOffset,
}

impl PartitionLog {
    /// Entries up to `index` are committed. Gives the high watermark; an index that is committed already changes nothing.
    ///
    /// # Panics
    /// When there is no such entry.
    pub fn commit(&mut self, index: RaftIndex) -> KafkaOffset {
        assert!(index <= self.last_index(), "{}: entry {index} committed, last is {}", self.group, self.last_index());
        while self.commit < index {
            self.commit = self.commit.next();
            let Some(entry) = self.tail.get_mut(self.commit) else { break };
            entry.undo = None;
            self.high_watermark = entry.next_offset;
            if let Some(part) = entry.part {
                self.transactions.commit(part, entry.base_offset);
            }
            if entry.is_batch() {
                self.flushable_bytes += entry.entry.data.len();
            }
        }
        if self.flushable_bytes >= self.shared.limits.flush_bytes {
            self.shared.want_flush(self.group);
        }
        self.assert_order();
        self.high_watermark
    }

    /// DeleteRecords: nothing before `offset` can be read any more. False if that is so already.
    ///
    /// # Errors
    /// When the offset is beyond the high watermark.
    pub fn set_log_start(&mut self, offset: KafkaOffset) -> Result<bool, LogStartError> {
        if offset.0 < 0 || offset > self.high_watermark {
            let (log_start, high_watermark) = (self.log_start, self.high_watermark);
            return Err(LogStartError { wanted: offset, log_start, high_watermark });
        }
        if offset <= self.log_start {
            return Ok(false);
        }
        self.log_start = offset;
        self.disk_state.incomplete = true;
        Ok(true)
    }

    /// Forgets idle producers.
    pub fn expire_producers(&mut self, now: TimestampMs, expiration_ms: i64) {
        self.producers.expire(now, expiration_ms);
        self.flushed_producers.expire(now, expiration_ms);
    }

    /// Producers as of the commit index: what is appended behind it is recorded again at recovery.
    pub(crate) fn committed_producers(&self) -> ProducerState {
        let mut producers = self.producers.clone();
        let uncommitted: Vec<_> = self.tail.from(self.commit.next()).filter_map(|entry| entry.undo.clone()).collect();
        uncommitted.into_iter().rev().for_each(|undo| producers.undo(undo));
        producers
    }

    /// Gives memory back: entries that segments hold as well, the oldest first, until `bytes` are free. Says how many
    /// were freed.
    pub(crate) fn evict(&mut self, bytes: usize) -> usize {
        let mut freed = 0;
        while freed < bytes && self.tail.front().is_some_and(|entry| entry.entry.index <= self.flushed.index) {
            freed += self.tail.pop_front().map_or(0, |entry| entry.size_bytes());
        }
        self.tail.shrink();
        subtract(&self.shared.memory.cached_bytes, freed);
        freed
    }

    /// Gives back the entries up to `index`, which segments hold in another form.
    pub(super) fn evict_up_to(&mut self, index: RaftIndex) {
        let evictable = index.min(self.flushed.index);
        let mut freed = 0;
        while self.tail.front().is_some_and(|entry| entry.entry.index <= evictable) {
            freed += self.tail.pop_front().map_or(0, |entry| entry.size_bytes());
        }
        self.tail.shrink();
        subtract(&self.shared.memory.cached_bytes, freed);
    }

    /// Whether there is anything that [`Self::evict`] could free.
    pub(crate) fn has_cache(&self) -> bool {
        self.tail.front().is_some_and(|entry| entry.entry.index <= self.flushed.index)
    }
}
