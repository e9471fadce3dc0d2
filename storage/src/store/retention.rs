//! Retention over all logs of a core: the new starts are recorded, then files are deleted.

use thalweg_protocol::TimestampMs;

use super::Store;
use crate::error::StorageError;
use crate::io::yield_now;
use crate::log::{LogRef, enforce_retention};
use crate::wal::WalRecord;

impl Store {
    /// Forgets idle producers, in every log.
    pub async fn expire_producers(&self, now: TimestampMs) {
        for log in self.logs() {
            log.borrow_mut().expire_producers(now, self.inner.producer_id_expiration_ms.get());
            yield_now().await;
        }
    }

    /// Deletes what retention lets go, in every log.
    ///
    /// # Errors
    /// As [`Store::run`].
    pub async fn check_retention(&self, now: TimestampMs) -> Result<(), StorageError> {
        for log in self.logs() {
            match self.check_retention_of(&log, now).await {
                Err(error) if error.is_disk_full() => self.inner.note_error(&error),
                result => result?,
            }
            yield_now().await;
        }
        Ok(())
    }

    /// # Errors
    /// As [`Store::run`], and when the disk is full.
    pub async fn check_retention_of(&self, log: &LogRef, now: TimestampMs) -> Result<(), StorageError> {
        let moved = enforce_retention(log, now).await?;
        let (group, removed, has_doomed) = {
            let log = log.borrow();
            (log.group(), log.disk_state.removed, !log.disk_state.doomed.is_empty())
        };
        if removed {
            return Ok(());
        }
        if let Some(log_start_offset) = moved {
            tracing::debug!(%group, %log_start_offset, "retention moved the log's start");
            self.inner.wal.append(&WalRecord::LogStart { group, log_start_offset });
        }
        if has_doomed {
            // Covers also a start that DeleteRecords moved.
            self.inner.wait_durable(self.inner.wal.last_appended()).await?;
            self.inner.deleter.delete_segments(&self.inner, log).await?;
        }
        Ok(())
    }
}
