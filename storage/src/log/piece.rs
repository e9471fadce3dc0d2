//! Reading bytes of one segment: from its file, and behind what is written, from the fragment.

use std::path::PathBuf;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use thalweg_protocol::KafkaOffset;
use thalweg_protocol::records::{BatchHeader, RecordError};

use super::PartitionLog;
use super::segment::{FileKind, Segment, file_path};
use super::shared::CoreShared;
use crate::error::StorageError;

/// A segment as it was at one moment. What it says stays readable: segments only grow.
#[derive(Clone)]
pub(super) struct SegmentView {
    pub(super) base_offset: KafkaOffset,
    pub(super) path: PathBuf,
    pub(super) size_bytes: u64,
    written: u64,
    fragment: Bytes,
    shared: Rc<CoreShared>,
}

impl PartitionLog {
    pub(super) fn view(&self, segment: &Segment) -> SegmentView {
        let fragment = segment.active.as_ref().map(|active| active.file(FileKind::Log).fragment.clone());
        SegmentView {
            base_offset: segment.base_offset,
            path: file_path(&self.descriptor.dir, segment.base_offset, FileKind::Log),
            size_bytes: segment.content.size_bytes,
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
        let disk = self.shared.disk.as_ref();
        let file = self.shared.files.open(disk, &self.path).await.map_err(StorageError::io("open", &self.path))?;
        let bytes = file.read_at(from, len as usize).await.map_err(StorageError::io("read", &self.path))?;
        if (bytes.len() as u64) < len {
            return Err(self.damaged(from + bytes.len() as u64, format!("the file ends here, it had {to} bytes")));
        }
        Ok(bytes)
    }

    pub(super) fn damaged(&self, position: u64, problem: String) -> StorageError {
        StorageError::SegmentDamaged { file: self.path.clone(), position, problem }
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
