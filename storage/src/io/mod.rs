//! The disk, as the rest of the crate sees it: two implementations, O_DIRECT files through the reactor and a simulated disk.
//!
//! `Rc<dyn Disk>` rather than a type parameter: the seam stays out of every other signature, and one boxed future is
//! nothing beside an I/O.
//!
//! **Invariant:** the reactor is named only below this folder (and in `broker`'s reactor and net modules).

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use bytes::Bytes;
use futures::future::LocalBoxFuture;
use thalweg_reactor::AlignedBuffer;

mod blocking;
mod direct;
pub mod sim;

pub use self::direct::direct_disk;
pub(crate) use thalweg_reactor::yield_now;

/// Alignment of positions, lengths and memory for O_DIRECT, in bytes. Also the unit in which a write can be torn.
pub const BLOCK_SIZE_BYTES: usize = thalweg_reactor::ALIGNMENT_BYTES;

/// How a file is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OpenMode {
    pub write: bool,
    /// Create the file; an error if it exists.
    pub create_new: bool,
    /// Every write returns only once it is on the device (O_DSYNC).
    pub durable_writes: bool,
}

/// A file system on one drive.
pub trait Disk {
    fn open<'a>(&'a self, path: &'a Path, mode: OpenMode) -> LocalBoxFuture<'a, io::Result<Rc<dyn DiskFile>>>;
    fn create_dir_all<'a>(&'a self, path: &'a Path) -> LocalBoxFuture<'a, io::Result<()>>;
    /// Names in a directory, sorted; a missing directory is an error of kind `NotFound`.
    fn read_dir<'a>(&'a self, path: &'a Path) -> LocalBoxFuture<'a, io::Result<Vec<PathBuf>>>;
    fn remove_file<'a>(&'a self, path: &'a Path) -> LocalBoxFuture<'a, io::Result<()>>;
    fn remove_dir_all<'a>(&'a self, path: &'a Path) -> LocalBoxFuture<'a, io::Result<()>>;
    fn rename<'a>(&'a self, from: &'a Path, to: &'a Path) -> LocalBoxFuture<'a, io::Result<()>>;
    /// Makes creations, removals and renames in this directory durable.
    fn sync_dir<'a>(&'a self, path: &'a Path) -> LocalBoxFuture<'a, io::Result<()>>;
    /// Whole small files (checkpoints, indexes, metadata), through the page cache.
    fn read_file<'a>(&'a self, path: &'a Path) -> LocalBoxFuture<'a, io::Result<Bytes>>;
    /// Writes a whole file under a temporary name, syncs it, renames it into place and syncs the directory.
    fn replace_file<'a>(&'a self, path: &'a Path, content: Bytes) -> LocalBoxFuture<'a, io::Result<()>>;
    /// Writes a whole small file that is only an aid to others: not synced, so a crash may leave it old, torn or empty.
    fn write_file<'a>(&'a self, path: &'a Path, content: Bytes) -> LocalBoxFuture<'a, io::Result<()>>;
    /// A buffer for `DiskFile::write_at`, with anything in it. `len` is a multiple of [`BLOCK_SIZE_BYTES`].
    fn allocate(&self, len: usize) -> DmaBuffer;
    /// Free and total bytes of the file system that holds `path`.
    fn space<'a>(&'a self, path: &'a Path) -> LocalBoxFuture<'a, io::Result<DiskSpace>>;
    /// The background's clock: the reactor's timer. On the simulated disk no time passes, and this never ends.
    fn sleep(&self, time: std::time::Duration) -> LocalBoxFuture<'_, ()>;
}

/// An open file, read and written directly.
#[expect(clippy::len_without_is_empty, reason = "whether a file is empty is not what anybody asks")]
pub trait DiskFile {
    /// Writes the whole buffer at an aligned position. Several may be in flight; they may reach the device in any order.
    fn write_at(&self, position: u64, buffer: DmaBuffer) -> LocalBoxFuture<'_, io::Result<()>>;
    /// Reads up to `len` bytes from any position; fewer only at the end of the file.
    fn read_at(&self, position: u64, len: usize) -> LocalBoxFuture<'_, io::Result<Bytes>>;
    fn fdatasync(&self) -> LocalBoxFuture<'_, io::Result<()>>;
    fn truncate(&self, len: u64) -> LocalBoxFuture<'_, io::Result<()>>;
    fn len(&self) -> LocalBoxFuture<'_, io::Result<u64>>;
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DiskSpace {
    pub free_bytes: u64,
    pub total_bytes: u64,
}

/// Memory that a disk writes from.
pub struct DmaBuffer {
    inner: Inner,
}

enum Inner {
    /// For the simulated disk; not aligned.
    Heap(Vec<u8>),
    Aligned(AlignedBuffer),
}

impl DmaBuffer {
    /// Memory on the heap, for disks that need no alignment. Not zeros, so that nobody relies on them.
    pub(crate) fn heap(len: usize) -> Self {
        Self { inner: Inner::Heap(vec![0xa5; len]) }
    }

    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn as_slice(&self) -> &[u8] {
        match &self.inner {
            Inner::Heap(bytes) => bytes,
            Inner::Aligned(buffer) => buffer.as_slice(),
        }
    }

    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        match &mut self.inner {
            Inner::Heap(bytes) => bytes,
            Inner::Aligned(buffer) => buffer.as_mut_slice(),
        }
    }
}
