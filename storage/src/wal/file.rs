//! One file of the log: its name is its number, and its number is its incarnation. A recycled file gets a new number, so
//! that what is left over from its earlier life can never be taken for something newer.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::StorageError;
use crate::io::{BLOCK_SIZE_BYTES, Disk, DiskFile, OpenMode};

/// An open file.
pub(crate) struct WalFile {
    pub(crate) number: u64,
    pub(crate) path: PathBuf,
    pub(crate) handle: Rc<dyn DiskFile>,
    /// The writer stays below this: a durable write into a page never written before costs a journal commit.
    pub(crate) zeroed_bytes: Cell<u64>,
}

/// `<20 digits>.wal`.
pub(crate) fn file_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:020}.wal"))
}

/// The number in a file's name, if it is one of the log's.
pub(crate) fn file_number(name: &Path) -> Option<u64> {
    if name.extension()? != "wal" {
        return None;
    }
    name.file_stem()?.to_str()?.parse().ok()
}

impl WalFile {
    pub(crate) async fn create(disk: &dyn Disk, dir: &Path, number: u64) -> Result<Rc<Self>, StorageError> {
        let path = file_path(dir, number);
        let mode = OpenMode { write: true, create_new: true, durable_writes: true };
        let handle = disk.open(&path, mode).await.map_err(StorageError::io("create", &path))?;
        Ok(Rc::new(Self { number, path, handle, zeroed_bytes: Cell::new(0) }))
    }

    /// Opens an existing file. Its length says how far it was zeroed, as zeroing is what makes it grow.
    pub(crate) async fn open(disk: &dyn Disk, dir: &Path, number: u64) -> Result<Rc<Self>, StorageError> {
        let path = file_path(dir, number);
        let mode = OpenMode { write: true, create_new: false, durable_writes: true };
        let handle = disk.open(&path, mode).await.map_err(StorageError::io("open", &path))?;
        let len = handle.len().await.map_err(StorageError::io("measure", &path))?;
        Ok(Rc::new(Self { number, path, handle, zeroed_bytes: Cell::new(len - len % BLOCK_SIZE_BYTES as u64) }))
    }

    /// The same file under another number. Durable once the directory is synced.
    pub(crate) async fn renumber(&self, disk: &dyn Disk, dir: &Path, number: u64) -> Result<Rc<Self>, StorageError> {
        let path = file_path(dir, number);
        disk.rename(&self.path, &path).await.map_err(StorageError::io("rename", &self.path))?;
        let zeroed_bytes = self.zeroed_bytes.clone();
        Ok(Rc::new(Self { number, path, handle: Rc::clone(&self.handle), zeroed_bytes }))
    }

    /// Zeroes the next piece, up to `end`.
    pub(crate) async fn zero_more(&self, disk: &dyn Disk, piece_bytes: u64, end: u64) -> Result<(), StorageError> {
        let from = self.zeroed_bytes.get();
        let len = piece_bytes.min(end.saturating_sub(from));
        if len == 0 {
            return Ok(());
        }
        let mut zeros = disk.allocate(len as usize);
        zeros.as_mut_slice().fill(0);
        self.handle.write_at(from, zeros).await.map_err(StorageError::io("zero", &self.path))?;
        self.zeroed_bytes.set(from + len);
        Ok(())
    }
}
