//! Completing the files at a clean shutdown, so that Kafka's own tools read every record.
//!
//! Fragments are in the checkpoint already: a crash in here loses nothing, and the next start writes over them.

use super::aids::{write_epochs, write_producer_snapshot};
use super::prepare::tidy_directory;
use super::roll::write_fragments;
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
    write_fragments(log).await?;
    write_epochs(log).await;
    write_producer_snapshot(log).await;
    let mut log = log.borrow_mut();
    log.disk_state.incomplete = false;
    // What lies behind `written` must be cut again before the next write.
    if let Some(active) = log.segments.back_mut().and_then(|segment| segment.active.as_mut()) {
        active.prepared = Default::default();
    }
    Ok(())
}

impl PartitionLog {
    /// Nothing was ever written into a segment: there are no files to complete.
    fn is_untouched(&self) -> bool {
        self.segments.is_empty() && self.flushed.next_offset == self.descriptor.start.next_offset
    }
}
