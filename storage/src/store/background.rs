//! What a store does while nobody asks: flushing, checkpoints, retention, deletion, giving memory back.

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::{Either, select};
use thalweg_protocol::TimestampMs;

use super::checkpoint::flush_all;
use super::open::{after, wall_clock};
use super::{Inner, Store};
use crate::error::StorageError;
use crate::log::{FlushMode, LogRef};

const TICK: Duration = Duration::from_secs(1);

impl Store {
    /// The background loop; spawned once beside `Wal::run`. Ends after [`Store::close`].
    ///
    /// # Errors
    /// When the disk fails: nothing written since the last checkpoint may be relied on, the process must stop. A full
    /// disk is not an error, see [`Store::is_disk_full`].
    pub async fn run(&self) -> Result<(), StorageError> {
        futures::try_join!(self.run_work(), self.run_compaction()).map(|_| ())
    }

    async fn run_work(&self) -> Result<(), StorageError> {
        let inner = &self.inner;
        if inner.config.core == 0 {
            inner.deleter.find_leftovers(inner).await?;
        }
        inner.deleter.find_misplaced(inner).await?;
        let mut ticks = pin!(futures::stream::unfold((), |()| async move {
            inner.shared.disk.sleep(TICK).await;
            Some(((), ()))
        }));
        while !inner.closing.get() {
            let ticked = {
                let work = pin!(inner.shared.work.wait());
                matches!(select(work, ticks.next()).await, Either::Right(_))
            };
            if inner.closing.get() {
                break;
            }
            if ticked {
                self.tick(wall_clock()).await?;
            } else {
                self.work().await?;
            }
        }
        Ok(())
    }

    /// Does what is wanted now: flushes logs with much to write, takes a checkpoint if the write-ahead log is half full,
    /// finishes removals, and evicts what is cached beyond the budget.
    ///
    /// # Errors
    /// As [`Store::run`].
    pub async fn work(&self) -> Result<(), StorageError> {
        let inner = &self.inner;
        inner.tolerate_full_disk(inner.flush_wanted().await)?;
        if inner.wants_checkpoint() {
            inner.tolerate_full_disk(inner.checkpoint().await)?;
        }
        inner.tolerate_full_disk(inner.deleter.finish_removals(inner).await)?;
        inner.evict();
        Ok(())
    }

    /// Time has passed: [`Store::work`], and now and then retention, expiry and deletion.
    ///
    /// # Errors
    /// As [`Store::run`].
    pub async fn tick(&self, now: TimestampMs) -> Result<(), StorageError> {
        let inner = &self.inner;
        inner.shared.set_now(now);
        self.work().await?;
        if now >= inner.producers_due.get() {
            inner.producers_due.set(after(now, inner.config.producer_id_expiration_check_interval_ms));
            self.expire_producers(now).await;
        }
        if now >= inner.retention_due.get() {
            inner.retention_due.set(after(now, inner.config.retention_check_interval_ms));
            self.check_retention(now).await?;
        }
        inner.deleter.sweep(inner, now).await?;
        if inner.shared.is_disk_full() {
            inner.tolerate_full_disk(inner.probe_space().await)?;
        }
        Ok(())
    }
}

impl Inner {
    async fn flush_wanted(&self) -> Result<(), StorageError> {
        let wanted = self.shared.take_flush_wanted();
        let logs: Vec<LogRef> = {
            let logs = self.logs.borrow();
            wanted.iter().filter_map(|group| logs.get(group).cloned()).collect()
        };
        flush_all(&logs, FlushMode::FullBlocks).await
    }

    pub(super) fn tolerate_full_disk(&self, result: Result<(), StorageError>) -> Result<(), StorageError> {
        match result {
            Err(error) if error.is_disk_full() => {
                self.note_error(&error);
                Ok(())
            }
            result => result,
        }
    }

    /// The disk was full: a checkpoint that goes through says that it no longer is.
    async fn probe_space(&self) -> Result<(), StorageError> {
        let Some(dir) = self.config.log_dirs.first() else { return Ok(()) };
        let space = self.shared.disk.space(dir).await.map_err(StorageError::io("inspect", dir))?;
        if space.free_bytes < SPACE_LEAST_BYTES.min(space.total_bytes / 100) {
            return Ok(());
        }
        self.checkpoint().await
    }

    /// Logs whose caches were filled longest ago give memory back first.
    fn evict(&self) {
        let memory = &self.shared.memory;
        while let Some(excess) = memory.cached_bytes.get().checked_sub(self.shared.limits.tail_cache_bytes) {
            if excess == 0 {
                return;
            }
            let Some(group) = self.shared.next_cached() else { return };
            let log = self.logs.borrow().get(&group).cloned();
            let Some(log) = log else { continue };
            log.borrow_mut().evict(excess);
            if log.borrow().has_cache() {
                self.shared.keep_cached_longest(group);
                return;
            }
        }
    }
}

/// Free space at which a full disk is tried again.
const SPACE_LEAST_BYTES: u64 = 64 << 20;
