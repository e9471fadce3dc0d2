//! Taking a checkpoint: afterwards the write-ahead log is needed only from a later record on.
//!
//! Logs go on while one is taken, so each is remembered as of its own moment. That is sound because replay over a
//! newer state ends in the same place: committed entries are skipped, and what replaced others comes again.

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::checkpoint_file::CheckpointWriter;
use super::{Inner, Store};
use crate::error::StorageError;
use crate::io::yield_now;
use crate::log::{FlushMode, LogRef, Swaps, flush, settle_swaps, sync_files};
use crate::types::WalSequence;

/// Logs that are flushed or synced at the same time.
const IN_FLIGHT_MAX: usize = 4;
/// The same when nobody is served any more.
const SHUTDOWN_IN_FLIGHT_MAX: usize = 32;
/// Logs encoded, flushed or synced before the core's other tasks get a turn: most have nothing that is waited for, and
/// ten thousand of them in one go would hold up everybody for a tenth of a second.
const LOGS_PER_TURN: usize = 16;

impl Store {
    /// Flushes what is committed, makes it durable, writes the checkpoint and frees the write-ahead log.
    ///
    /// # Errors
    /// When the disk fails. A full disk is not an error: the write-ahead log is then kept, see [`Store::is_disk_full`].
    pub async fn checkpoint(&self) -> Result<(), StorageError> {
        match self.inner.checkpoint().await {
            Err(error) if error.is_disk_full() => {
                self.inner.note_error(&error);
                Ok(())
            }
            result => result,
        }
    }
}

impl Inner {
    pub(super) async fn checkpoint(&self) -> Result<(), StorageError> {
        let _passage = self.checkpointing.pass().await;
        // Not what was appended last: a full write-ahead log can write nothing before this checkpoint frees it.
        let sequence = self.wal.durable();
        self.deleter.settle_removals(self, sequence).await?;
        let mut logs = self.all_logs();
        flush_all(&logs, FlushMode::FullBlocks).await?;
        logs.extend(self.deleter.pending());
        let (file, swaps) = self.encode(sequence, &logs).await;
        for some in logs.chunks(LOGS_PER_TURN) {
            stream::iter(some.iter().map(Ok)).try_for_each_concurrent(IN_FLIGHT_MAX, sync_files).await?;
            yield_now().await;
        }
        let path = self.config.checkpoint_path();
        let size_bytes = file.len();
        self.shared.disk.replace_file(&path, file).await.map_err(StorageError::io("write", &path))?;
        self.wal.trim(sequence);
        for (log, swaps) in &swaps {
            settle_swaps(log, swaps).await?;
            self.deleter.delete_merged(self, log, &swaps.merged).await?;
        }
        self.shared.set_disk_full(false);
        tracing::debug!(core = self.config.core, %sequence, groups = logs.len(), size_bytes, "checkpoint");
        Ok(())
    }

    /// The file, and the compacted segments that may take their places once it is durable.
    async fn encode(&self, sequence: WalSequence, logs: &[LogRef]) -> (Bytes, Vec<(LogRef, Swaps)>) {
        let mut swaps = Vec::new();
        let mut writer = CheckpointWriter::new(sequence, self.config.core);
        for (at, log) in logs.iter().enumerate() {
            if at % LOGS_PER_TURN == LOGS_PER_TURN - 1 {
                yield_now().await;
            }
            let held = log.borrow();
            writer.add(&held);
            let waiting = held.swaps();
            if !waiting.is_empty() {
                swaps.push((LogRef::clone(log), waiting));
            }
        }
        (writer.finish(), swaps)
    }
}

/// All of them, some at the same time.
pub(super) async fn flush_all(logs: &[LogRef], mode: FlushMode) -> Result<(), StorageError> {
    if mode == FlushMode::Shutdown {
        return flush_together(logs, mode, SHUTDOWN_IN_FLIGHT_MAX).await;
    }
    for some in logs.chunks(LOGS_PER_TURN) {
        flush_together(some, mode, IN_FLIGHT_MAX).await?;
        yield_now().await;
    }
    Ok(())
}

async fn flush_together(logs: &[LogRef], mode: FlushMode, in_flight_max: usize) -> Result<(), StorageError> {
    stream::iter(logs).map(|log| flush(log, mode)).buffer_unordered(in_flight_max).try_collect().await
}
