//! Sealing the active segment: its files get their exact length, and are never written again.

use bytes::Bytes;

use super::aids::write_producer_snapshot;
use super::prepare::{file_for_writing, write_staged};
use crate::error::StorageError;
use crate::log::segment::IndexEntries;
use crate::log::{FileKind, LogRef, PartitionLog};

/// The caller is through the log's gate, and there is an active segment.
pub(super) async fn roll(log: &LogRef) -> Result<(), StorageError> {
    write_fragments(log).await?;
    log.borrow_mut().seal();
    write_producer_snapshot(log).await;
    Ok(())
}

/// Writes what of the active segment's files fills no block. The caller is through the log's gate.
pub(super) async fn write_fragments(log: &LogRef) -> Result<(), StorageError> {
    index_newest_timestamp(log).await?;
    let kinds = log.borrow().active_kinds();
    for kind in kinds {
        let file = file_for_writing(log, kind).await?;
        let staged = log.borrow().stage_fragment(kind);
        if let Some(mut staged) = staged {
            write_staged(log, kind, &file, &mut staged).await?;
        }
    }
    Ok(())
}

/// Kafka's sealed segments end their time index with the newest timestamp (`LogSegment.onBecomeInactiveSegment`).
async fn index_newest_timestamp(log: &LogRef) -> Result<(), StorageError> {
    let (mut staged, content) = {
        let log = log.borrow();
        let Some(segment) = log.active_segment() else { return Ok(()) };
        let Some(active) = &segment.active else { return Ok(()) };
        let (mut content, mut entries) = (segment.content.clone(), IndexEntries::default());
        content.index_time(segment.base_offset, &mut entries);
        (active.file(FileKind::TimeIndex).stage(log.shared.disk.as_ref(), &[Bytes::from(entries.times)]), content)
    };
    if staged.needs_file() {
        let file = file_for_writing(log, FileKind::TimeIndex).await?;
        write_staged(log, FileKind::TimeIndex, &file, &mut staged).await?;
    }
    let mut log = log.borrow_mut();
    if let Some(segment) = log.segments.back_mut() {
        segment.content = content;
        if let Some(active) = &mut segment.active {
            *active.file_mut(FileKind::TimeIndex) = staged.next;
        }
    }
    Ok(())
}

impl PartitionLog {
    fn stage_fragment(&self, kind: FileKind) -> Option<crate::log::block_tail::Staged> {
        let active = self.active_segment()?.active.as_ref()?;
        let staged = active.file(kind).stage_fragment(self.shared.disk.as_ref());
        staged.needs_file().then_some(staged)
    }

    /// The files that the active segment has once they are whole: without aborted transactions, no index of them.
    fn active_kinds(&self) -> Vec<FileKind> {
        let Some(segment) = self.active_segment() else { return Vec::new() };
        let has = |kind: &FileKind| *kind != FileKind::TransactionIndex || segment.content.aborted > 0;
        FileKind::ALL.into_iter().filter(has).collect()
    }

    fn seal(&mut self) {
        let Some(segment) = self.segments.back_mut() else { return };
        tracing::debug!(group = %self.group, base_offset = %segment.base_offset, "segment sealed");
        segment.active = None;
        self.disk_state.unsynced.note(segment.base_offset);
        self.shared.indexes.forget(self.group, |base| base == segment.base_offset);
    }
}
