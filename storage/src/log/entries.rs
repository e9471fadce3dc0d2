//! Entries for Raft that are no longer in memory: read back from segments, for a follower that lags.

use super::piece::Scan;
use super::{LogRef, PartitionLog};
use crate::error::StorageError;
use crate::types::{EntryKind, LogEntry, RaftIndex, Term};

const SCAN_CHUNK_BYTES: usize = 256 << 10;

/// Entries from `low` on, before `high`: at least one if there is any, then as many as fit into `size_max_bytes`. Empty
/// when `low` was removed by retention or is behind the log's end.
///
/// # Errors
/// When the disk fails or a segment is damaged.
pub async fn read_entries(
    log: &LogRef,
    low: RaftIndex,
    high: RaftIndex,
    size_max_bytes: usize,
) -> Result<Vec<LogEntry>, StorageError> {
    let (mut entries, mut size_bytes, mut next) = (Vec::new(), 0, low);
    while next < high {
        let found = match read_from(log, next, high, size_max_bytes.saturating_sub(size_bytes)).await {
            // What is left of these entries is no longer what Raft wrote.
            Err(StorageError::SegmentReplaced { .. }) => continue,
            found => found?,
        };
        let Some(found) = found else { break };
        for entry in found {
            size_bytes += entry.data.len();
            if !entries.is_empty() && size_bytes > size_max_bytes {
                return Ok(entries);
            }
            next = entry.index.next();
            entries.push(entry);
        }
        if size_bytes >= size_max_bytes {
            break;
        }
    }
    Ok(entries)
}

/// What can be had without crossing from one place to another: memory, the Raft-only list, one segment.
async fn read_from(
    log: &LogRef,
    low: RaftIndex,
    high: RaftIndex,
    size_max_bytes: usize,
) -> Result<Option<Vec<LogEntry>>, StorageError> {
    let (mut scan, mut index) = {
        let log = log.borrow();
        if let Some(entry) = log.entry_without_disk(low) {
            return Ok(Some(vec![entry]));
        }
        let Some((scan, first)) = log.scan_from(low) else { return Ok(None) };
        (scan, first)
    };
    let (mut entries, mut size_bytes) = (Vec::new(), 0);
    while let Some((header, position)) = scan.next().await? {
        // Raft-only entries in between take an index, and are not in the segment.
        while let Some(entry) = log.borrow().raft_only(index) {
            if index >= low {
                entries.push(entry);
            }
            index = index.next();
        }
        if index >= high || (!entries.is_empty() && size_bytes >= size_max_bytes) {
            break;
        }
        if index >= low {
            let data = scan.batch(&header, position).await?;
            size_bytes += data.len();
            let term = Term::from(header.leader_epoch);
            entries.push(LogEntry { index, term, kind: EntryKind::Batch, data });
        }
        index = index.next();
    }
    entries.retain(|entry| entry.index < high);
    Ok((!entries.is_empty()).then_some(entries))
}

impl PartitionLog {
    fn entry_without_disk(&self, index: RaftIndex) -> Option<LogEntry> {
        self.entry_in_memory(index).cloned().or_else(|| self.raft_only(index))
    }

    fn raft_only(&self, index: RaftIndex) -> Option<LogEntry> {
        self.offset_map.get(index).map(|held| held.entry.clone())
    }

    /// The segment that holds the batch at `index`, from its beginning, and the index of its first batch.
    fn scan_from(&self, index: RaftIndex) -> Option<(Scan, RaftIndex)> {
        if index < self.first_index() || index > self.flushed.index {
            return None;
        }
        let after = self.segments.partition_point(|segment| segment.base_index <= index);
        let segment = self.segments.get(after.checked_sub(1)?)?;
        Some((Scan::new(self.view(segment), 0, SCAN_CHUNK_BYTES), segment.base_index))
    }
}
