//! Reading bytes of one segment: from its file, and behind what is written, from the fragment.

use std::io;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use thalweg_protocol::KafkaOffset;
use thalweg_protocol::records::{BatchHeader, RecordError};

use super::PartitionLog;
use super::segment::{FileKind, FilePlace, Identity, Segment};
use super::shared::CoreShared;
use crate::error::StorageError;

/// A segment as it was at one moment. What it says stays readable, since segments only grow, until compaction replaces
/// the segment: then every read ends with [`StorageError::SegmentReplaced`].
#[derive(Clone)]
pub(super) struct SegmentView {
    pub(super) base_offset: KafkaOffset,
    place: FilePlace,
    identity: Identity,
    pub(super) size_bytes: u64,
    /// What lies behind it begins here, whatever its last batch is.
    pub(super) next_offset: KafkaOffset,
    /// Compaction wrote it: offsets may be missing.
    pub(super) is_rewritten: bool,
    written: u64,
    fragment: Bytes,
    shared: Rc<CoreShared>,
}

impl PartitionLog {
    pub(super) fn view(&self, segment: &Segment) -> SegmentView {
        let fragment = segment.active.as_ref().map(|active| active.file(FileKind::Log).fragment.clone());
        SegmentView {
            base_offset: segment.base_offset,
            place: segment.place(&self.descriptor.dir, FileKind::Log),
            identity: segment.identity.clone(),
            next_offset: segment.content.next_offset,
            size_bytes: segment.content.size_bytes,
            is_rewritten: segment.rewritten.generation > 0,
            written: segment.file_bytes(),
            fragment: fragment.unwrap_or_default(),
            shared: Rc::clone(&self.shared),
        }
    }
}

impl SegmentView {
    /// Exactly the bytes at `position`, fewer only at the segment's end.
    pub(super) async fn read(&self, position: u64, len: usize) -> Result<Bytes, StorageError> {
        let end = (position + len as u64).min(self.size_bytes);
        let from_file = self.read_file(position, end.min(self.written)).await?;
        if end <= self.written {
            return Ok(from_file);
        }
        let skip = position.saturating_sub(self.written) as usize;
        let take = (end - self.written) as usize;
        let fragment = self.fragment.slice(skip.min(self.fragment.len())..take.min(self.fragment.len()));
        if from_file.is_empty() {
            return Ok(fragment);
        }
        let mut joined = BytesMut::with_capacity(from_file.len() + fragment.len());
        joined.extend_from_slice(&from_file);
        joined.extend_from_slice(&fragment);
        Ok(joined.freeze())
    }

    async fn read_file(&self, from: u64, to: u64) -> Result<Bytes, StorageError> {
        let Some(len) = to.checked_sub(from).filter(|len| *len > 0) else { return Ok(Bytes::new()) };
        let read = self.read_at(from, len as usize).await;
        self.check()?;
        let bytes = read?;
        if (bytes.len() as u64) < len {
            return Err(self.damaged(from + bytes.len() as u64, format!("the file ends here, it had {to} bytes")));
        }
        Ok(bytes)
    }

    async fn read_at(&self, from: u64, len: usize) -> Result<Bytes, StorageError> {
        let disk = self.shared.disk.as_ref();
        let mut missing = None;
        for path in self.place.candidates() {
            match self.shared.files.open_while(disk, path, || !self.is_replaced()).await {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    missing = Some(StorageError::io("open", path)(error));
                }
                opened => {
                    let file = opened.map_err(StorageError::io("open", path))?;
                    return file.read_at(from, len).await.map_err(StorageError::io("read", path));
                }
            }
        }
        missing.map_or_else(|| Ok(Bytes::new()), Err)
    }

    /// Compaction put other files in the place of these.
    pub(super) fn is_replaced(&self) -> bool {
        self.identity.is_retired()
    }

    /// # Errors
    /// When what was found in this segment belongs to files that are gone.
    pub(super) fn check(&self) -> Result<(), StorageError> {
        if self.is_replaced() {
            return Err(StorageError::SegmentReplaced { file: self.place.path.clone() });
        }
        Ok(())
    }

    pub(super) fn damaged(&self, position: u64, problem: String) -> StorageError {
        StorageError::SegmentDamaged { file: self.place.path.clone(), position, problem }
    }

    /// The header of the batch at `position` of the segment, `at` in `bytes`; `None` when more must be read to see it.
    pub(super) fn header(&self, bytes: &[u8], at: usize, position: u64) -> Result<Option<BatchHeader>, StorageError> {
        match BatchHeader::parse(bytes.get(at..).unwrap_or_default()) {
            Ok(header) if position + header.size_bytes() as u64 > self.size_bytes => Err(self
                .damaged(position, format!("a batch of {} bytes would end behind the segment", header.size_bytes()))),
            Ok(header) => Ok(Some(header)),
            Err(RecordError::Truncated { .. }) => Ok(None),
            Err(error) => Err(self.damaged(position, error.to_string())),
        }
    }
}

/// Walks the batch headers of a segment in large reads.
pub(super) struct Scan {
    view: SegmentView,
    position: u64,
    chunk: Bytes,
    /// Of the chunk's first byte.
    chunk_at: u64,
    chunk_size: usize,
}

impl Scan {
    pub(super) fn new(view: SegmentView, position: u64, chunk_size: usize) -> Self {
        Self { view, position, chunk: Bytes::new(), chunk_at: position, chunk_size: chunk_size.max(BatchHeader::LEN) }
    }

    pub(super) fn damaged(&self, position: u64, problem: String) -> StorageError {
        self.view.damaged(position, problem)
    }

    /// The next batch's header and position.
    pub(super) async fn next(&mut self) -> Result<Option<(BatchHeader, u64)>, StorageError> {
        if self.position >= self.view.size_bytes {
            return Ok(None);
        }
        let at = self.position;
        let header = match self.in_chunk()? {
            Some(header) => header,
            None => self.read_on(self.chunk_size).await?,
        };
        self.position += header.size_bytes() as u64;
        Ok(Some((header, at)))
    }

    fn in_chunk(&self) -> Result<Option<BatchHeader>, StorageError> {
        let at = (self.position - self.chunk_at) as usize;
        if at >= self.chunk.len() {
            return Ok(None);
        }
        self.view.header(&self.chunk, at, self.position)
    }

    async fn read_on(&mut self, len: usize) -> Result<BatchHeader, StorageError> {
        self.chunk = self.view.read(self.position, len).await?;
        self.chunk_at = self.position;
        let problem = || self.view.damaged(self.position, "the segment ends within a batch header".into());
        self.in_chunk()?.ok_or_else(problem)
    }

    /// All bytes of the batch given last, which was at `position`.
    pub(super) async fn batch(&self, header: &BatchHeader, position: u64) -> Result<Bytes, StorageError> {
        let start = position.checked_sub(self.chunk_at).map(|at| at as usize);
        if let Some(start) = start
            && start + header.size_bytes() <= self.chunk.len()
        {
            return Ok(self.chunk.slice(start..start + header.size_bytes()));
        }
        self.view.read(position, header.size_bytes()).await
    }
}
