//! Writing the segment that takes the place of others. Nothing refers to its files until they are on the device.

use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use bytes::Bytes;
use thalweg_protocol::records::BatchHeader;

use crate::error::StorageError;
use crate::io::{DiskFile, OpenMode};
use crate::log::block_tail::BlockTail;
use crate::log::segment::{Content, FilePlace, IndexEntries};
use crate::log::{AbortedTransaction, CoreShared, FileKind, Segment};

/// The file of a segment that is being written.
pub(super) struct Output {
    shared: Rc<CoreShared>,
    dir: PathBuf,
    segment: Segment,
    file: Rc<dyn DiskFile>,
    written: BlockTail,
    /// Batches not written yet.
    parts: Vec<Bytes>,
    parts_bytes: usize,
    indexes: IndexEntries,
    index_interval_bytes: u64,
    write_size_bytes: usize,
    /// What it is made from has indexes of aborted transactions, which its own, even if empty, is to replace.
    had_aborted: bool,
}

fn place(segment: &Segment, dir: &std::path::Path, kind: FileKind) -> PathBuf {
    let FilePlace { cleaned, path } = segment.place(dir, kind);
    cleaned.unwrap_or(path)
}

impl Output {
    pub(super) async fn create(
        shared: Rc<CoreShared>,
        dir: PathBuf,
        segment: Segment,
        index_interval_bytes: u64,
        write_size_bytes: usize,
        had_aborted: bool,
    ) -> Result<Self, StorageError> {
        let path = place(&segment, &dir, FileKind::Log);
        // Left by a pass that did not come to its end.
        match shared.disk.remove_file(&path).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StorageError::io("remove", &path)(error));
            }
            _ => {}
        }
        let mode = OpenMode { write: true, create_new: true, durable_writes: false };
        let file = shared.disk.open(&path, mode).await.map_err(StorageError::io("create", &path))?;
        Ok(Self {
            shared,
            dir,
            segment,
            file,
            written: BlockTail::default(),
            parts: Vec::new(),
            parts_bytes: 0,
            indexes: IndexEntries::default(),
            index_interval_bytes,
            write_size_bytes,
            had_aborted,
        })
    }

    pub(super) async fn add(&mut self, header: &BatchHeader, batch: Bytes) -> Result<(), StorageError> {
        let content: &mut Content = &mut self.segment.content;
        content.add(self.segment.base_offset, header, self.index_interval_bytes, &mut self.indexes);
        self.parts_bytes += batch.len();
        self.parts.push(batch);
        if self.parts_bytes >= self.write_size_bytes { self.write().await } else { Ok(()) }
    }

    /// The batch just added is the marker that aborted this.
    pub(super) fn add_aborted(&mut self, aborted: &AbortedTransaction) {
        self.segment.content.add_aborted(aborted, &mut self.indexes);
    }

    async fn write(&mut self) -> Result<(), StorageError> {
        let mut staged = self.written.stage(self.shared.disk.as_ref(), &std::mem::take(&mut self.parts));
        self.parts_bytes = 0;
        let path = place(&self.segment, &self.dir, FileKind::Log);
        staged.write(&self.file).await.map_err(StorageError::io("write", &path))?;
        self.written = staged.next;
        Ok(())
    }

    /// All files are on the device, names included.
    pub(super) async fn finish(mut self) -> Result<Segment, StorageError> {
        self.write().await?;
        let path = place(&self.segment, &self.dir, FileKind::Log);
        let mut staged = self.written.stage_fragment(self.shared.disk.as_ref());
        staged.write(&self.file).await.map_err(StorageError::io("write", &path))?;
        self.file.fdatasync().await.map_err(StorageError::io("sync", &path))?;
        self.segment.content.index_time(self.segment.base_offset, &mut self.indexes);
        for (kind, entries) in [
            (FileKind::OffsetIndex, std::mem::take(&mut self.indexes.offsets)),
            (FileKind::TimeIndex, std::mem::take(&mut self.indexes.times)),
            (FileKind::TransactionIndex, std::mem::take(&mut self.indexes.aborted)),
        ] {
            if kind == FileKind::TransactionIndex && !self.had_aborted {
                continue;
            }
            let path = place(&self.segment, &self.dir, kind);
            let replaced = self.shared.disk.replace_file(&path, Bytes::from(entries)).await;
            replaced.map_err(StorageError::io("write", &path))?;
        }
        self.shared.disk.sync_dir(&self.dir).await.map_err(StorageError::io("sync", &self.dir))?;
        assert_eq!(self.written.len(), self.segment.content.size_bytes, "every byte is written");
        Ok(self.segment)
    }

    pub(super) fn size_bytes(&self) -> u64 {
        self.segment.content.size_bytes
    }
}
