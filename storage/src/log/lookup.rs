//! Finding a place in a segment through its indexes. An index that is missing or makes no sense is built again.

use std::io;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use thalweg_protocol::{KafkaOffset, TimestampMs};

use super::index::{OffsetIndex, TimeIndex};
use super::index_cache::IndexKey;
use super::rebuild::{rebuild_active_indexes, rebuild_sealed_indexes};
use super::segment::{FileKind, FilePlace, Identity, Segment};
use super::shared::CoreShared;
use super::transaction_index::rebuild_transaction_index;
use super::transactions::aborted::TransactionIndex;
use super::{LogRef, PartitionLog};
use crate::error::StorageError;

/// Where to begin scanning the segment with this base offset for the batch that contains `offset`.
pub async fn position_before(log: &LogRef, base: KafkaOffset, offset: KafkaOffset) -> Result<u64, StorageError> {
    let bytes = load_index(log, base, FileKind::OffsetIndex).await?;
    Ok(OffsetIndex { base, bytes }.position_before(offset))
}

/// From which offset on the segment may have records as new as `at`.
pub async fn offset_before(log: &LogRef, base: KafkaOffset, at: TimestampMs) -> Result<KafkaOffset, StorageError> {
    let bytes = load_index(log, base, FileKind::TimeIndex).await?;
    Ok(TimeIndex { base, bytes }.offset_before(at))
}

pub(super) async fn load_index(log: &LogRef, base: KafkaOffset, kind: FileKind) -> Result<Bytes, StorageError> {
    loop {
        if let Some(bytes) = try_load_index(log, base, kind).await? {
            return Ok(bytes);
        }
    }
}

/// `None` when compaction replaced the segment meanwhile.
async fn try_load_index(log: &LogRef, base: KafkaOffset, kind: FileKind) -> Result<Option<Bytes>, StorageError> {
    let wanted = log.borrow().wanted_index(base, kind);
    // Retention took the segment meanwhile: the reader will see that.
    let Some(wanted) = wanted else { return Ok(Some(Bytes::new())) };
    if wanted.file_len == Some(0) {
        return Ok(Some(wanted.fragment));
    }
    if let Some(bytes) = wanted.shared.indexes.get(wanted.key, wanted.len()) {
        return Ok(Some(bytes));
    }
    let read = wanted.read().await;
    if wanted.identity.is_retired() {
        return Ok(None);
    }
    let bytes = match read? {
        Some(bytes) if log.borrow().is_plausible(&wanted.key, &bytes, wanted.file_len.is_none()) => bytes,
        _ => {
            tracing::warn!(group = %wanted.key.group, %base, ?kind, "an index is missing or damaged; building it again");
            rebuild(log, base, kind, wanted.file_len.is_some()).await?
        }
    };
    if wanted.identity.is_retired() {
        return Ok(None);
    }
    wanted.shared.indexes.put(wanted.key, bytes.clone());
    Ok(Some(bytes))
}

async fn rebuild(log: &LogRef, base: KafkaOffset, kind: FileKind, active: bool) -> Result<Bytes, StorageError> {
    let gate = log.borrow().writing.clone();
    let _passage = gate.pass().await;
    if kind == FileKind::TransactionIndex {
        return rebuild_transaction_index(log, base).await;
    }
    let still_active = active && log.borrow().segments.back().is_some_and(|segment| segment.active.is_some());
    let entries =
        if still_active { rebuild_active_indexes(log).await? } else { rebuild_sealed_indexes(log, base).await? };
    Ok(Bytes::from(if kind == FileKind::TimeIndex { entries.times } else { entries.offsets }))
}

/// An index of one segment, as it should be.
struct WantedIndex {
    key: IndexKey,
    place: FilePlace,
    identity: Identity,
    /// Bytes in the file; `None` for a sealed segment: all of it.
    file_len: Option<u64>,
    fragment: Bytes,
    shared: Rc<CoreShared>,
}

impl WantedIndex {
    fn len(&self) -> u64 {
        self.file_len.unwrap_or(0) + self.fragment.len() as u64
    }

    /// `None` when the file is missing or too short.
    async fn read(&self) -> Result<Option<Bytes>, StorageError> {
        let mut found = None;
        for path in self.place.candidates() {
            match self.shared.disk.read_file(path).await {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                read => {
                    found = Some(read.map_err(StorageError::io("read", path))?);
                    break;
                }
            }
        }
        let Some(file) = found else { return Ok(None) };
        let Some(len) = self.file_len else { return Ok(Some(file)) };
        let Some(written) = file.get(..len as usize) else { return Ok(None) };
        let mut whole = BytesMut::with_capacity(written.len() + self.fragment.len());
        whole.extend_from_slice(written);
        whole.extend_from_slice(&self.fragment);
        Ok(Some(whole.freeze()))
    }
}

impl PartitionLog {
    pub(super) fn segment_at(&self, base: KafkaOffset) -> Option<&Segment> {
        let at = self.segments.binary_search_by_key(&base, |segment| segment.base_offset).ok()?;
        self.segments.get(at)
    }

    fn wanted_index(&self, base: KafkaOffset, kind: FileKind) -> Option<WantedIndex> {
        let segment = self.segment_at(base)?;
        let tail = segment.active.as_ref().map(|active| active.file(kind));
        Some(WantedIndex {
            key: IndexKey { group: self.group, base, kind },
            place: segment.place(&self.descriptor.dir, kind),
            identity: segment.identity.clone(),
            file_len: tail.map(|tail| tail.written),
            fragment: tail.map(|tail| tail.fragment.clone()).unwrap_or_default(),
            shared: Rc::clone(&self.shared),
        })
    }

    /// `is_whole` says that the segment was sealed when the bytes were asked for.
    fn is_plausible(&self, key: &IndexKey, bytes: &Bytes, is_whole: bool) -> bool {
        let IndexKey { base, kind, .. } = *key;
        let Some(segment) = self.segment_at(base) else { return true };
        let (content, bytes) = (&segment.content, bytes.clone());
        match kind {
            FileKind::TimeIndex => TimeIndex { base, bytes }.is_plausible(content.next_offset),
            FileKind::TransactionIndex => {
                let count = is_whole.then_some(content.aborted);
                TransactionIndex { base, bytes }.is_plausible(content.next_offset, count)
            }
            FileKind::Log | FileKind::OffsetIndex => {
                OffsetIndex { base, bytes }.is_plausible(content.next_offset, content.size_bytes)
            }
        }
    }
}
