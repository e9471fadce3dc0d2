//! Files of a segment are copied, at the pace that a move has.

use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use thalweg_protocol::KafkaOffset;

use super::LogCopy;
use crate::error::StorageError;
use crate::io::{BLOCK_SIZE_BYTES, DiskFile, DmaBuffer, OpenMode, yield_now};
use crate::log::segment::FilePlace;
use crate::log::{FileKind, file_path};

/// Bytes read and written at once.
const CHUNK_SIZE_BYTES: usize = 1 << 20;
/// Rests that are shorter are not worth a timer.
const PAUSE_LEAST: Duration = Duration::from_millis(1);
/// After which it is looked again whether the copy is still wanted, and how fast.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// How a file's copy went.
pub(super) enum FileCopy {
    Done,
    /// It is not there, or shorter than it was said to be: retention or compaction came first.
    Changed,
}

impl LogCopy {
    /// A sealed segment's index. One that is missing, or was replaced meanwhile, is made anew when it is next read.
    pub(super) async fn copy_index(&self, place: &FilePlace, to: &Path) -> Result<(), StorageError> {
        if let Some(file) = self.open_source(place).await? {
            let len = file.len().await.map_err(StorageError::io("inspect", &place.path))?;
            if matches!(self.copy_bytes(&file, place, to, 0..len).await?, FileCopy::Done) {
                return Ok(());
            }
        }
        self.remove_file(to).await
    }

    pub(super) async fn copy_file(
        &self,
        place: &FilePlace,
        to: &Path,
        range: std::ops::Range<u64>,
    ) -> Result<FileCopy, StorageError> {
        if range.is_empty() {
            return Ok(FileCopy::Done);
        }
        let Some(file) = self.open_source(place).await? else { return Ok(FileCopy::Changed) };
        self.copy_bytes(&file, place, to, range).await
    }

    async fn open_source(&self, place: &FilePlace) -> Result<Option<Rc<dyn DiskFile>>, StorageError> {
        for path in place.candidates() {
            match self.disk.open(path, OpenMode::default()).await {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                opened => return opened.map(Some).map_err(StorageError::io("open", path)),
            }
        }
        Ok(None)
    }

    /// `range` begins at a whole block.
    async fn copy_bytes(
        &self,
        from: &Rc<dyn DiskFile>,
        place: &FilePlace,
        to: &Path,
        range: std::ops::Range<u64>,
    ) -> Result<FileCopy, StorageError> {
        debug_assert!(range.start.is_multiple_of(BLOCK_SIZE_BYTES as u64), "copies go on where blocks end");
        let file = self.open_target(to).await?;
        let mut at = range.start;
        while at < range.end {
            if self.is_called_off() {
                return Ok(FileCopy::Changed);
            }
            let len = CHUNK_SIZE_BYTES.min((range.end - at) as usize);
            let bytes = from.read_at(at, len).await.map_err(StorageError::io("read", &place.path))?;
            if bytes.len() < len {
                return Ok(FileCopy::Changed);
            }
            file.write_at(at, self.padded(&bytes)).await.map_err(StorageError::io("write", to))?;
            at += len as u64;
            self.pause(len).await;
        }
        if !range.end.is_multiple_of(BLOCK_SIZE_BYTES as u64) {
            file.truncate(range.end).await.map_err(StorageError::io("truncate", to))?;
        }
        Ok(FileCopy::Done)
    }

    /// The core's other tasks get their turns, and the disk its rest.
    async fn pause(&self, bytes: usize) {
        yield_now().await;
        if self.hurries {
            return;
        }
        let rate = self.log.borrow().shared.move_rate.get();
        let pause = Duration::try_from_secs_f64(bytes as f64 / rate).unwrap_or(PAUSE_MAX).min(PAUSE_MAX);
        if pause >= PAUSE_LEAST {
            self.disk.sleep(pause).await;
        }
    }

    async fn open_target(&self, path: &Path) -> Result<Rc<dyn DiskFile>, StorageError> {
        let mode = OpenMode { write: true, ..OpenMode::default() };
        let opened = match self.disk.open(path, mode).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.disk.open(path, OpenMode { create_new: true, ..mode }).await
            }
            opened => opened,
        };
        opened.map_err(StorageError::io("open", path))
    }

    fn padded(&self, bytes: &Bytes) -> DmaBuffer {
        let mut buffer = self.disk.allocate(bytes.len().next_multiple_of(BLOCK_SIZE_BYTES));
        let (head, tail) = buffer.as_mut_slice().split_at_mut(bytes.len());
        head.copy_from_slice(bytes);
        tail.fill(0);
        buffer
    }

    pub(super) async fn sync(&self, base: KafkaOffset) -> Result<(), StorageError> {
        for kind in FileKind::ALL {
            let path = file_path(&self.dir, base, kind);
            match self.disk.open(&path, OpenMode { write: true, ..OpenMode::default() }).await {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                opened => {
                    let file = opened.map_err(StorageError::io("open", &path))?;
                    file.fdatasync().await.map_err(StorageError::io("sync", &path))?;
                }
            }
        }
        Ok(())
    }
}
