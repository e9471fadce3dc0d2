//! A clean shutdown: everything committed is in segments, the checkpoint is at the write-ahead log's end, and the files
//! are complete for other programs.

use thalweg_protocol::TimestampMs;

use super::Store;
use super::checkpoint::flush_all;
use crate::error::StorageError;
use crate::log::FlushMode;

impl Store {
    /// Closes the store and its write-ahead log. `Wal::run` must still be running, and ends with this; so does
    /// [`Store::run`]. Nothing may be appended any more.
    ///
    /// # Errors
    /// When the disk fails or is full: the next start then recovers from the write-ahead log.
    pub async fn close(&self) -> Result<(), StorageError> {
        let inner = &self.inner;
        inner.closing.set(true);
        inner.shared.work.give();
        let result = self.finish().await;
        inner.wal.close();
        result
    }

    async fn finish(&self) -> Result<(), StorageError> {
        let inner = &self.inner;
        inner.deleter.finish_removals(inner).await?;
        if inner.wal.is_full() {
            inner.checkpoint().await?;
        }
        inner.wait_durable(inner.wal.last_appended()).await?;
        inner.checkpoint().await?;
        // Only now: the fragments are safe in the checkpoint while their blocks are written over.
        flush_all(&inner.all_logs(), FlushMode::Shutdown).await?;
        inner.deleter.sweep(inner, TimestampMs(i64::MAX)).await
    }
}
