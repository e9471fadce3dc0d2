//! Completing the files at a clean shutdown, so that Kafka's own tools read every record.
//!
//! Fragments are in the checkpoint already: a crash in here loses nothing, and the next start writes over them.

use super::aids::{write_epochs, write_producer_snapshot};
use super::prepare::{file_for_writing, tidy_directory, write_staged};
use super::roll::index_newest_timestamp;
use crate::error::StorageError;
use crate::log::{LogRef, PartitionLog};

pub(super) async fn complete_files(log: &LogRef) -> Result<(), StorageError> {
    let has_changed = {
        let log = log.borrow();
        log.disk_state.incomplete && !log.disk_state.removed && !log.is_untouched()
    };
    if !has_changed {
        return Ok(());
    }
    tidy_directory(log).await?;
    index_newest_timestamp(log).await?;
    if log.borrow().active_segment().is_some() {
        let kinds = log.borrow().kinds_to_seal();
        for kind in kinds {
            let file = file_for_writing(log, kind).await?;
            let staged = log.borrow().stage_fragment(kind);
            if let Some(mut staged) = staged {
                write_staged(log, kind, &file, &mut staged).await?;
            }
        }
    }
    write_epochs(log).await;
    write_producer_snapshot(log).await;
    let mut log = log.borrow_mut();
    log.disk_state.incomplete = false;
    // What lies behind `written` must be cut again before the next write.
    if let Some(active) = log.segments.back_mut().and_then(|segment| segment.active.as_mut()) {
        active.prepared = [false; 4];
    }
    Ok(())
}

impl PartitionLog {
    /// Nothing was ever written into a segment: there are no files to complete.
    fn is_untouched(&self) -> bool {
        self.segments.is_empty() && self.flushed.next_offset == self.descriptor.start.next_offset
    }
}
