//! A clean shutdown: everything committed is in segments, the checkpoint is at the write-ahead log's end, and the files
//! are complete for other programs.

use std::path::PathBuf;

use bytes::Bytes;
use thalweg_protocol::TimestampMs;

use super::checkpoint::flush_all;
use super::{Store, StoreConfig};
use crate::error::StorageError;
use crate::io::Disk;
use crate::log::FlushMode;
use crate::types::WalSequence;

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
        inner.compactor.wake();
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
        let covered = inner.wal.durable();
        inner.checkpoint().await?;
        // Only now: the fragments are safe in the checkpoint while their blocks are written over.
        flush_all(&inner.all_logs(), FlushMode::Shutdown).await?;
        inner.config.note_files_complete(inner.shared.disk.as_ref(), covered).await;
        inner.deleter.sweep(inner, TimestampMs(i64::MAX)).await
    }
}

/// Beside the checkpoint, as text: the files of all logs are complete as of a checkpoint that covers this sequence. Spares
/// the next clean shutdown the logs that nobody wrote to, and says nothing to recovery.
impl StoreConfig {
    fn completion_path(&self) -> PathBuf {
        self.wal.dir.with_file_name("files-complete")
    }

    async fn note_files_complete(&self, disk: &dyn Disk, covered: WalSequence) {
        let path = self.completion_path();
        if let Err(error) = disk.write_file(&path, Bytes::from(covered.0.to_string())).await {
            tracing::warn!(path = %path.display(), %error, "not written; the next clean stop takes longer");
        }
    }

    pub(super) async fn files_complete_up_to(&self, disk: &dyn Disk) -> Option<WalSequence> {
        let file = disk.read_file(&self.completion_path()).await.ok()?;
        std::str::from_utf8(&file).ok()?.parse().ok().map(WalSequence)
    }
}
