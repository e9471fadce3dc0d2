//! A disk that is done with every write at once and keeps nothing: what is left is the work before the disk.

use std::cell::Cell;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::{LocalBoxFuture, pending, ready};
use thalweg_storage::io::{Disk, DiskFile, DiskSpace, DmaBuffer, OpenMode, direct_disk};

/// What was written so far.
#[derive(Clone, Copy, Default)]
pub(crate) struct Written {
    pub(crate) writes: u64,
    pub(crate) bytes: u64,
}

#[derive(Default)]
pub(crate) struct NullDisk {
    written: Rc<Cell<Written>>,
}

impl NullDisk {
    pub(crate) fn written(&self) -> Written {
        self.written.get()
    }
}

fn at_once<'a, T: 'a>(result: io::Result<T>) -> LocalBoxFuture<'a, io::Result<T>> {
    ready(result).boxed_local()
}

fn nothing_there<'a, T: 'a>() -> LocalBoxFuture<'a, io::Result<T>> {
    at_once(Err(io::ErrorKind::NotFound.into()))
}

impl Disk for NullDisk {
    fn open<'a>(&'a self, _: &'a Path, _: OpenMode) -> LocalBoxFuture<'a, io::Result<Rc<dyn DiskFile>>> {
        let file: Rc<dyn DiskFile> = Rc::new(NullFile { written: Rc::clone(&self.written) });
        at_once(Ok(file))
    }
    fn create_dir_all<'a>(&'a self, _: &'a Path) -> LocalBoxFuture<'a, io::Result<()>> {
        at_once(Ok(()))
    }
    fn read_dir<'a>(&'a self, _: &'a Path) -> LocalBoxFuture<'a, io::Result<Vec<PathBuf>>> {
        at_once(Ok(Vec::new()))
    }
    fn remove_file<'a>(&'a self, _: &'a Path) -> LocalBoxFuture<'a, io::Result<()>> {
        at_once(Ok(()))
    }
    fn remove_dir_all<'a>(&'a self, _: &'a Path) -> LocalBoxFuture<'a, io::Result<()>> {
        at_once(Ok(()))
    }
    fn rename<'a>(&'a self, _: &'a Path, _: &'a Path) -> LocalBoxFuture<'a, io::Result<()>> {
        at_once(Ok(()))
    }
    fn sync_dir<'a>(&'a self, _: &'a Path) -> LocalBoxFuture<'a, io::Result<()>> {
        at_once(Ok(()))
    }
    fn read_file<'a>(&'a self, _: &'a Path) -> LocalBoxFuture<'a, io::Result<Bytes>> {
        nothing_there()
    }
    fn replace_file<'a>(&'a self, _: &'a Path, _: Bytes) -> LocalBoxFuture<'a, io::Result<()>> {
        at_once(Ok(()))
    }
    fn write_file<'a>(&'a self, _: &'a Path, _: Bytes) -> LocalBoxFuture<'a, io::Result<()>> {
        at_once(Ok(()))
    }
    /// The real disk's memory, aligned as it must be.
    fn allocate(&self, len: usize) -> DmaBuffer {
        direct_disk().allocate(len)
    }
    fn space<'a>(&'a self, _: &'a Path) -> LocalBoxFuture<'a, io::Result<DiskSpace>> {
        at_once(Ok(DiskSpace { free_bytes: 1 << 40, total_bytes: 1 << 40 }))
    }
    fn sleep(&self, _: Duration) -> LocalBoxFuture<'_, ()> {
        pending().boxed_local()
    }
}

struct NullFile {
    written: Rc<Cell<Written>>,
}

impl DiskFile for NullFile {
    fn write_at(&self, _: u64, buffer: DmaBuffer) -> LocalBoxFuture<'_, io::Result<()>> {
        let Written { writes, bytes } = self.written.get();
        self.written.set(Written { writes: writes + 1, bytes: bytes + buffer.len() as u64 });
        at_once(Ok(()))
    }
    fn read_at(&self, _: u64, _: usize) -> LocalBoxFuture<'_, io::Result<Bytes>> {
        at_once(Ok(Bytes::new()))
    }
    fn fdatasync(&self) -> LocalBoxFuture<'_, io::Result<()>> {
        at_once(Ok(()))
    }
    fn truncate(&self, _: u64) -> LocalBoxFuture<'_, io::Result<()>> {
        at_once(Ok(()))
    }
    fn len(&self) -> LocalBoxFuture<'_, io::Result<u64>> {
        at_once(Ok(0))
    }
}
