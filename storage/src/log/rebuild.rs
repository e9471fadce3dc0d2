//! Building the indexes of a segment from its batches. The caller is through the log's gate.

use std::rc::Rc;

use bytes::Bytes;
use thalweg_protocol::KafkaOffset;

use super::LogRef;
use super::block_tail::BlockTail;
use super::piece::Scan;
use super::segment::{FileKind, IndexEntries, Segment, file_path};
use crate::error::StorageError;
use crate::io::BLOCK_SIZE_BYTES;

const SCAN_CHUNK_BYTES: usize = 1 << 20;

/// For a sealed segment: both index files are replaced.
pub(super) async fn rebuild_sealed_indexes(log: &LogRef, base: KafkaOffset) -> Result<IndexEntries, StorageError> {
    let mut entries = scan(log, base).await?.unwrap_or_default();
    if let Some((mut content, base)) = log.borrow().segment_at(base).map(|segment| (segment.content.clone(), base)) {
        content.indexed_timestamp = last_timestamp(&entries, base);
        content.index_time(base, &mut entries);
    }
    replace(log, base, FileKind::OffsetIndex, &entries.offsets).await?;
    replace(log, base, FileKind::TimeIndex, &entries.times).await?;
    Ok(entries)
}

/// For the active segment: whole blocks are in the files, the rest is in memory.
pub(super) async fn rebuild_active_indexes(log: &LogRef) -> Result<IndexEntries, StorageError> {
    let base = log.borrow().segments.back().map(|segment| segment.base_offset);
    let Some(base) = base else { return Ok(IndexEntries::default()) };
    let Some(entries) = scan(log, base).await? else { return Ok(IndexEntries::default()) };
    for (kind, bytes) in [(FileKind::OffsetIndex, &entries.offsets), (FileKind::TimeIndex, &entries.times)] {
        let (blocks, fragment) = bytes.split_at(bytes.len() - bytes.len() % BLOCK_SIZE_BYTES);
        replace(log, base, kind, blocks).await?;
        let mut log = log.borrow_mut();
        if let Some(active) = log.segments.back_mut().and_then(|segment| segment.active.as_mut()) {
            let fragment = Bytes::copy_from_slice(fragment);
            *active.file_mut(kind) = BlockTail { written: blocks.len() as u64, fragment };
            active.set_prepared(kind);
        }
        log.shared.indexes.forget(log.group, |other| other == base);
    }
    Ok(entries)
}

pub(super) async fn replace(
    log: &LogRef,
    base: KafkaOffset,
    kind: FileKind,
    content: &[u8],
) -> Result<(), StorageError> {
    let (shared, path) = {
        let log = log.borrow();
        let place = log.segment_at(base).map(|segment| segment.place(&log.descriptor.dir, kind));
        let path = place.map(|place| place.cleaned.unwrap_or(place.path));
        (Rc::clone(&log.shared), path.unwrap_or_else(|| file_path(&log.descriptor.dir, base, kind)))
    };
    shared.files.close_matching(|open| open == path);
    let replaced = shared.disk.replace_file(&path, Bytes::copy_from_slice(content)).await;
    replaced.map_err(StorageError::io("write", &path))
}

/// The entries that appending the segment's batches made.
async fn scan(log: &LogRef, base: KafkaOffset) -> Result<Option<IndexEntries>, StorageError> {
    let found = {
        let log = log.borrow();
        log.segment_at(base).map(|segment| (log.view(segment), segment.base_index, log.config.index_interval_bytes))
    };
    let Some((view, base_index, interval)) = found else { return Ok(None) };
    let mut content = Segment::new(base, base_index, log.borrow().shared.now()).content;
    let mut entries = IndexEntries::default();
    let mut scan = Scan::new(view, 0, SCAN_CHUNK_BYTES);
    while let Some((header, _)) = scan.next().await? {
        content.add(base, &header, interval, &mut entries);
    }
    Ok(Some(entries))
}

fn last_timestamp(entries: &IndexEntries, base: KafkaOffset) -> thalweg_protocol::TimestampMs {
    let index = super::index::TimeIndex { base, bytes: Bytes::copy_from_slice(&entries.times) };
    index.entries().next_back().map_or(thalweg_protocol::TimestampMs::NONE, |(timestamp, _)| timestamp)
}
