//! Completing the files at a clean shutdown, so that Kafka's own tools read every record.
//!
//! Fragments are in the checkpoint already: a crash in here loses nothing, and the next start writes over them.

use std::fmt::Write as _;
use std::rc::Rc;

use bytes::Bytes;

use super::prepare::{file_for_writing, tidy_directory, write_staged};
use super::roll::index_newest_timestamp;
use crate::error::StorageError;
use crate::log::{FileKind, LogRef, PartitionLog, file_name};

pub(super) async fn complete_files(log: &LogRef) -> Result<(), StorageError> {
    let has_changed = {
        let log = log.borrow();
        log.disk_state.incomplete && !log.disk_state.removed
    };
    if !has_changed {
        return Ok(());
    }
    tidy_directory(log).await?;
    index_newest_timestamp(log).await?;
    if log.borrow().active_segment().is_some() {
        for kind in FileKind::ALL {
            let file = file_for_writing(log, kind).await?;
            let staged = log.borrow().stage_fragment(kind);
            if let Some(mut staged) = staged {
                write_staged(log, kind, &file, &mut staged).await?;
            }
        }
    }
    write_small_files(log).await?;
    let mut log = log.borrow_mut();
    log.disk_state.incomplete = false;
    // What lies behind `written` must be cut again before the next write.
    if let Some(active) = log.segments.back_mut().and_then(|segment| segment.active.as_mut()) {
        active.prepared = [false; 3];
    }
    Ok(())
}

async fn write_small_files(log: &LogRef) -> Result<(), StorageError> {
    let (shared, files) = {
        let log = log.borrow();
        (Rc::clone(&log.shared), log.small_files())
    };
    for (path, content) in files {
        shared.disk.replace_file(&path, content).await.map_err(StorageError::io("write", &path))?;
    }
    Ok(())
}

impl PartitionLog {
    fn small_files(&self) -> Vec<(std::path::PathBuf, Bytes)> {
        let dir = &self.descriptor.dir;
        let mut files = vec![(dir.join("leader-epoch-checkpoint"), Bytes::from(self.epoch_checkpoint()))];
        if !self.producers.is_empty() {
            let name = file_name(self.flushed.next_offset, "snapshot");
            files.push((dir.join(name), self.committed_producers().encode_kafka()));
        }
        files
    }

    /// Kafka's `leader-epoch-checkpoint` (`LeaderEpochCheckpointFile`): version, count, then one epoch per line.
    fn epoch_checkpoint(&self) -> String {
        let epochs = self.epochs();
        let mut text = format!("0\n{}\n", epochs.len());
        for (epoch, offset) in epochs {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{epoch} {offset}");
        }
        text
    }
}
