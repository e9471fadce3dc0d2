//! The real disk: files opened with O_DIRECT, through the reactor's io_uring.
//!
//! Where the file system has no O_DIRECT, files are opened through the page cache instead, with one warning per
//! process: slower, equally durable (O_DSYNC and fdatasync do the same work there).

use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Once;

use bytes::{Bytes, BytesMut};
use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use thalweg_reactor::{AlignedBuffer, File, sleep, unblock};

use super::{BLOCK_SIZE_BYTES, Disk, DiskFile, DiskSpace, DmaBuffer, Inner, OpenMode, blocking};

/// The largest read in one submission; longer ones are several.
const READ_SIZE_MAX_BYTES: usize = 4 << 20;

/// The file systems of this host, through the reactor of the calling thread.
pub fn direct_disk() -> Rc<dyn Disk> {
    Rc::new(DirectDisk)
}

struct DirectDisk;

impl Disk for DirectDisk {
    fn open<'a>(&'a self, path: &'a Path, mode: OpenMode) -> LocalBoxFuture<'a, io::Result<Rc<dyn DiskFile>>> {
        async move {
            let path = path.to_path_buf();
            let file = unblock(move || open(&path, mode)).await?;
            Ok(Rc::new(DirectFile { file: File::new(file) }) as Rc<dyn DiskFile>)
        }
        .boxed_local()
    }

    fn create_dir_all<'a>(&'a self, path: &'a Path) -> LocalBoxFuture<'a, io::Result<()>> {
        on_path(path, fs::create_dir_all)
    }

    fn read_dir<'a>(&'a self, path: &'a Path) -> LocalBoxFuture<'a, io::Result<Vec<PathBuf>>> {
        on_path(path, |path| blocking::read_dir(&path))
    }

    fn remove_file<'a>(&'a self, path: &'a Path) -> LocalBoxFuture<'a, io::Result<()>> {
        on_path(path, fs::remove_file)
    }

    fn remove_dir_all<'a>(&'a self, path: &'a Path) -> LocalBoxFuture<'a, io::Result<()>> {
        on_path(path, fs::remove_dir_all)
    }

    fn rename<'a>(&'a self, from: &'a Path, to: &'a Path) -> LocalBoxFuture<'a, io::Result<()>> {
        let to = to.to_path_buf();
        on_path(from, move |from| fs::rename(from, to))
    }

    fn sync_dir<'a>(&'a self, path: &'a Path) -> LocalBoxFuture<'a, io::Result<()>> {
        on_path(path, |path| blocking::sync_dir(&path))
    }

    fn read_file<'a>(&'a self, path: &'a Path) -> LocalBoxFuture<'a, io::Result<Bytes>> {
        on_path(path, |path| blocking::read_file(&path))
    }

    fn replace_file<'a>(&'a self, path: &'a Path, content: Bytes) -> LocalBoxFuture<'a, io::Result<()>> {
        on_path(path, move |path| blocking::replace_file(&path, &content))
    }

    fn write_file<'a>(&'a self, path: &'a Path, content: Bytes) -> LocalBoxFuture<'a, io::Result<()>> {
        on_path(path, move |path| blocking::write_file(&path, &content))
    }

    fn allocate(&self, len: usize) -> DmaBuffer {
        DmaBuffer { inner: Inner::Aligned(AlignedBuffer::for_writing(len)) }
    }

    fn space<'a>(&'a self, path: &'a Path) -> LocalBoxFuture<'a, io::Result<DiskSpace>> {
        on_path(path, |path| blocking::space(&path))
    }

    fn sleep(&self, time: std::time::Duration) -> LocalBoxFuture<'_, ()> {
        sleep(time).boxed_local()
    }
}

fn on_path<T: Send + 'static>(
    path: &Path,
    action: impl FnOnce(PathBuf) -> io::Result<T> + Send + 'static,
) -> LocalBoxFuture<'_, io::Result<T>> {
    let path = path.to_path_buf();
    unblock(move || action(path)).boxed_local()
}

/// May block.
fn open(path: &Path, mode: OpenMode) -> io::Result<fs::File> {
    let refused = match options(mode, libc::O_DIRECT).open(path) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => error,
        opened => return opened,
    };
    // The failed attempt may have created the file already.
    let created = mode.create_new && path.exists();
    let mode = OpenMode { create_new: mode.create_new && !created, ..mode };
    let file = options(mode, 0).open(path).map_err(|_| refused)?;
    static WARNED: Once = Once::new();
    WARNED.call_once(|| {
        tracing::warn!(path = %path.display(), "this file system has no O_DIRECT; files there go through the page cache");
    });
    Ok(file)
}

fn options(mode: OpenMode, flags: i32) -> fs::OpenOptions {
    let durable = if mode.durable_writes { libc::O_DSYNC } else { 0 };
    let mut options = fs::OpenOptions::new();
    options.read(true).write(mode.write || mode.create_new).create_new(mode.create_new).custom_flags(flags | durable);
    options
}

struct DirectFile {
    file: File,
}

impl DiskFile for DirectFile {
    fn write_at(&self, position: u64, buffer: DmaBuffer) -> LocalBoxFuture<'_, io::Result<()>> {
        write(&self.file, position, buffer).boxed_local()
    }

    fn read_at(&self, position: u64, len: usize) -> LocalBoxFuture<'_, io::Result<Bytes>> {
        read(&self.file, position, len).boxed_local()
    }

    fn fdatasync(&self) -> LocalBoxFuture<'_, io::Result<()>> {
        self.file.fdatasync().boxed_local()
    }

    fn truncate(&self, len: u64) -> LocalBoxFuture<'_, io::Result<()>> {
        self.file.truncate(len).boxed_local()
    }

    fn len(&self) -> LocalBoxFuture<'_, io::Result<u64>> {
        async { self.file.len() }.boxed_local()
    }
}

/// A write may end early, as on a disk that becomes full: the rest is tried once more, and then gets the error.
async fn write(file: &File, position: u64, buffer: DmaBuffer) -> io::Result<()> {
    assert!(position.is_multiple_of(BLOCK_SIZE_BYTES as u64), "write at {position}: not aligned");
    assert!(buffer.len().is_multiple_of(BLOCK_SIZE_BYTES), "write of {} bytes: not aligned", buffer.len());
    let Inner::Aligned(mut buffer) = buffer.inner else { panic!("a buffer of another disk") };
    let mut done = 0;
    while done < buffer.len() {
        let (written, returned) = file.write_at(position, buffer, done).await;
        buffer = returned;
        // The rest must be aligned again.
        let progress = written? / BLOCK_SIZE_BYTES * BLOCK_SIZE_BYTES;
        if progress == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        done += progress;
    }
    Ok(())
}

/// Reads whole blocks around what was asked for. What comes in one piece, as nearly everything does, is not copied.
async fn read(file: &File, position: u64, len: usize) -> io::Result<Bytes> {
    let skip = (position % BLOCK_SIZE_BYTES as u64) as usize;
    let aligned = position - skip as u64;
    let wanted = skip + len;
    let first = file.read_at(aligned, wanted.min(READ_SIZE_MAX_BYTES)).await?;
    if first.len() >= wanted || is_last(&first) {
        let end = wanted.min(first.len());
        return Ok(Bytes::from_owner(first).slice(skip.min(end)..end));
    }
    let mut read = BytesMut::from(first.as_slice());
    while read.len() < wanted {
        let size = (wanted - read.len()).min(READ_SIZE_MAX_BYTES);
        let piece = file.read_at(aligned + read.len() as u64, size).await?;
        let take = piece.len().min(wanted - read.len());
        read.extend_from_slice(piece.as_slice().get(..take).unwrap_or_default());
        if is_last(&piece) {
            break;
        }
    }
    let skip = skip.min(read.len());
    Ok(read.freeze().slice(skip..))
}

/// A read that ends within a block ended at the end of the file; any other may only have been short.
fn is_last(piece: &AlignedBuffer) -> bool {
    piece.is_empty() || !piece.len().is_multiple_of(BLOCK_SIZE_BYTES)
}
