//! Compaction over all logs of a core: the dirtiest first, one at a time, beside everything else.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures::future::select;
use thalweg_protocol::TimestampMs;

use super::open::wall_clock;
use super::{Inner, Store};
use crate::error::StorageError;
use crate::event::{Gate, Signal};
use crate::log::{Cleanable, CompactionBudget, FlushMode, LogRef, compact, flush};
use crate::types::GroupId;

/// Between two looks over all logs, whatever the setting says.
const BACKOFF_LEAST: Duration = Duration::from_millis(100);

/// What compaction did on this core since the start, and how much there is to do.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct CompactionStats {
    pub passes: u64,
    pub read_bytes: u64,
    pub written_bytes: u64,
    /// From the beginning of each pass to its end, waiting included.
    pub time: Duration,
    /// Of all compacted logs, as of the last look.
    pub max_dirty_ratio: f64,
    /// Logs that are left alone until the next start, because they are damaged.
    pub uncleanable_logs: u64,
}

#[derive(Default)]
pub(super) struct Compactor {
    /// One round at a time.
    gate: Gate,
    closing: Signal,
    stats: Cell<CompactionStats>,
    uncleanable: RefCell<HashSet<GroupId>>,
    budget: Cell<CompactionBudget>,
}

impl Compactor {
    pub(super) fn new(budget: CompactionBudget) -> Self {
        Self { budget: Cell::new(budget), ..Self::default() }
    }

    pub(super) fn wake(&self) {
        self.closing.give();
    }

    /// No log is compacted while this is held.
    pub(super) async fn pause(&self) -> crate::event::Passage {
        self.gate.pass().await
    }

    fn note(&self, change: impl FnOnce(&mut CompactionStats)) {
        let mut stats = self.stats.get();
        change(&mut stats);
        self.stats.set(stats);
    }
}

impl Store {
    /// Counts from the next pass on.
    pub fn set_compaction_budget(&self, budget: CompactionBudget) {
        self.inner.compactor.budget.set(budget);
    }

    pub fn compaction_stats(&self) -> CompactionStats {
        self.inner.compactor.stats.get()
    }

    /// Looks for logs to compact every now and then, until the store is closed.
    pub(super) async fn run_compaction(&self) -> Result<(), StorageError> {
        let inner = &self.inner;
        while !inner.closing.get() {
            let budget = inner.compactor.budget.get();
            let backoff = Duration::from_millis(budget.backoff_ms).max(BACKOFF_LEAST);
            {
                let closing = pin!(inner.compactor.closing.wait());
                select(inner.shared.disk.sleep(backoff), closing).await;
            }
            if budget.enabled && !inner.closing.get() {
                inner.tolerate_full_disk(self.compact(wall_clock()).await)?;
            }
        }
        Ok(())
    }

    /// Compacts every log that is due, and makes that final with a checkpoint.
    ///
    /// # Errors
    /// As [`Store::run`], and when the disk is full.
    pub async fn compact(&self, now: TimestampMs) -> Result<(), StorageError> {
        let inner = &self.inner;
        let _passage = inner.compactor.gate.pass().await;
        inner.flush_compacted().await?;
        let (mut tried, mut changed) = (HashSet::new(), false);
        while !inner.closing.get() {
            let Some((log, cleanable)) = inner.dirtiest(now, &tried) else { break };
            if log.borrow().awaits_swaps() {
                inner.checkpoint().await?;
            }
            match inner.compact_log(&log, cleanable, now).await? {
                true => changed = true,
                false => {
                    tried.insert(log.borrow().group());
                }
            }
        }
        if changed && !inner.closing.get() {
            inner.checkpoint().await?;
        }
        Ok(())
    }
}

impl Inner {
    /// What is committed may be what fills a segment, and lets it be compacted.
    async fn flush_compacted(&self) -> Result<(), StorageError> {
        for log in self.all_logs() {
            let has_work = {
                let log = log.borrow();
                log.config().compact_enabled && log.flushable_bytes() > 0
            };
            if has_work {
                flush(&log, FlushMode::FullBlocks).await?;
            }
        }
        Ok(())
    }

    /// The log with the largest dirty share of those that are due.
    fn dirtiest(&self, now: TimestampMs, tried: &HashSet<GroupId>) -> Option<(LogRef, Cleanable)> {
        let (mut found, mut max_dirty_ratio): (Option<(LogRef, Cleanable)>, f64) = (None, 0.0);
        for (group, log) in self.logs.borrow().iter() {
            let held = log.borrow();
            let Some(cleanable) = held.cleanable(now) else { continue };
            max_dirty_ratio = max_dirty_ratio.max(cleanable.dirty_ratio);
            let is_due = held.is_worth_compacting(&cleanable);
            let is_left_alone = tried.contains(group) || self.compactor.uncleanable.borrow().contains(group);
            let is_dirtier = found.as_ref().is_none_or(|(_, best)| cleanable.dirty_ratio > best.dirty_ratio);
            if is_due && !is_left_alone && is_dirtier {
                found = Some((LogRef::clone(log), cleanable));
            }
        }
        self.compactor.note(|stats| stats.max_dirty_ratio = max_dirty_ratio);
        found
    }

    /// Whether anything changed.
    async fn compact_log(&self, log: &LogRef, cleanable: Cleanable, now: TimestampMs) -> Result<bool, StorageError> {
        let (group, begun) = (log.borrow().group(), Instant::now());
        let result = compact(log, cleanable, now, &self.compactor.budget.get(), &self.closing).await;
        match result {
            Ok(Some(done)) => {
                let time = begun.elapsed();
                tracing::debug!(%group, ?done, ?time, "compacted");
                self.compactor.note(|stats| {
                    stats.passes += 1;
                    stats.read_bytes += done.read_bytes;
                    stats.written_bytes += done.written_bytes;
                    stats.time += time;
                });
                Ok(true)
            }
            // Retention or a removal came first, or the store is being closed.
            Ok(None) | Err(StorageError::SegmentReplaced { .. } | StorageError::CompactionStopped) => Ok(false),
            Err(_) if log.borrow().disk_state.removed => Ok(false),
            Err(error @ StorageError::SegmentDamaged { .. }) => {
                tracing::error!(%group, %error, "this log is not compacted any more, until the broker is started anew");
                let mut uncleanable = self.compactor.uncleanable.borrow_mut();
                uncleanable.insert(group);
                self.compactor.note(|stats| stats.uncleanable_logs = uncleanable.len() as u64);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}
