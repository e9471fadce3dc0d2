//! The real disk: glommio's io_uring files, opened with O_DIRECT.
//!
//! Where the file system has no O_DIRECT, files are opened through the page cache instead, with one warning per
//! process: slower, equally durable (O_DSYNC and fdatasync do the same work there). tmpfs takes glommio's own path.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use glommio::io::{BufferedFile, DmaFile, OpenOptions};

use super::{BLOCK_SIZE_BYTES, Disk, DiskFile, DiskSpace, DmaBuffer, Inner, OpenMode, blocking};

/// The largest read in one submission; longer ones are several.
const READ_SIZE_MAX_BYTES: usize = 4 << 20;

/// The file systems of this host, through the glommio executor of the calling thread.
pub fn glommio_disk() -> Rc<dyn Disk> {
    Rc::new(GlommioDisk { probed: RefCell::default() })
}

struct GlommioDisk {
    /// Devices of which glommio knows whether they can be polled.
    probed: RefCell<BTreeSet<u64>>,
}

impl GlommioDisk {
    /// glommio finds out whether a device can be polled by reading from the first file that is opened there. At the end
    /// of an empty file every device seems to be pollable, and all later reads fail with EOPNOTSUPP. So that first file
    /// must not be empty, and is made for the purpose.
    async fn probe(&self, path: &Path) {
        let directory = blocking::parent(path);
        let Ok(device) = std::fs::metadata(directory).map(|directory| directory.dev()) else {
            return; // opening the file itself will say why
        };
        if self.probed.borrow().contains(&device) {
            return;
        }
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let probe = directory.join(format!(".probe-{}-{count}.tmp", std::process::id()));
        // Where no file can be made, only existing ones are read, and those are not empty.
        if std::fs::write(&probe, [0; BLOCK_SIZE_BYTES]).is_ok() {
            if options(OpenMode::default()).dma_open(&probe).await.is_ok() {
                self.probed.borrow_mut().insert(device);
            }
            let _ = std::fs::remove_file(&probe);
        }
    }
}

impl Disk for GlommioDisk {
    fn open<'a>(&'a self, path: &'a Path, mode: OpenMode) -> LocalBoxFuture<'a, io::Result<Rc<dyn DiskFile>>> {
        async move {
            self.probe(path).await;
            open(path, mode).await
        }
        .boxed_local()
    }

    fn create_dir_all<'a>(&'a self, path: &'a Path) -> LocalBoxFuture<'a, io::Result<()>> {
        on_path(path, std::fs::create_dir_all)
    }

    fn read_dir<'a>(&'a self, path: &'a Path) -> LocalBoxFuture<'a, io::Result<Vec<PathBuf>>> {
        on_path(path, |path| blocking::read_dir(&path))
    }

    fn remove_file<'a>(&'a self, path: &'a Path) -> LocalBoxFuture<'a, io::Result<()>> {
        on_path(path, std::fs::remove_file)
    }

    fn remove_dir_all<'a>(&'a self, path: &'a Path) -> LocalBoxFuture<'a, io::Result<()>> {
        on_path(path, std::fs::remove_dir_all)
    }

    fn rename<'a>(&'a self, from: &'a Path, to: &'a Path) -> LocalBoxFuture<'a, io::Result<()>> {
        let to = to.to_path_buf();
        on_path(from, move |from| std::fs::rename(from, to))
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

    fn allocate(&self, len: usize) -> DmaBuffer {
        if len == 0 {
            return DmaBuffer::heap(0);
        }
        let mut buffer = glommio::allocate_dma_buffer(len);
        buffer.as_bytes_mut().fill(0); // recycled memory of earlier writes
        DmaBuffer { inner: Inner::Glommio(buffer) }
    }

    fn space<'a>(&'a self, path: &'a Path) -> LocalBoxFuture<'a, io::Result<DiskSpace>> {
        on_path(path, |path| blocking::space(&path))
    }

    fn sleep(&self, time: std::time::Duration) -> LocalBoxFuture<'_, ()> {
        glommio::timer::sleep(time).boxed_local()
    }
}

fn on_path<T: Send + 'static>(
    path: &Path,
    action: impl FnOnce(PathBuf) -> io::Result<T> + Send + 'static,
) -> LocalBoxFuture<'_, io::Result<T>> {
    let path = path.to_path_buf();
    async move { glommio::executor().spawn_blocking(move || action(path)).await }.boxed_local()
}

async fn open(path: &Path, mode: OpenMode) -> io::Result<Rc<dyn DiskFile>> {
    let refused = match options(mode).dma_open(path).await {
        Ok(file) => return Ok(Rc::new(DirectFile { file })),
        Err(error) => io::Error::from(error),
    };
    if refused.raw_os_error() != Some(libc::EINVAL) {
        return Err(refused);
    }
    static WARNED: Once = Once::new();
    WARNED.call_once(|| {
        tracing::warn!(path = %path.display(), "this file system has no O_DIRECT; files there go through the page cache");
    });
    // The failed attempt may have created the file already: O_DIRECT is set after the open.
    let created = mode.create_new && std::fs::metadata(path).is_ok();
    let mode = OpenMode { create_new: mode.create_new && !created, ..mode };
    let file = options(mode).buffered_open(path).await.map_err(io::Error::from)?;
    Ok(Rc::new(CachedFile { file }))
}

/// Always readable as well: glommio reads a little from the first file of a device to see whether it can be polled.
fn options(mode: OpenMode) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(mode.write || mode.create_new).create_new(mode.create_new);
    if mode.durable_writes {
        options.custom_flags(libc::O_DSYNC);
    }
    options
}

struct DirectFile {
    file: DmaFile,
}

impl DiskFile for DirectFile {
    fn write_at(&self, position: u64, buffer: DmaBuffer) -> LocalBoxFuture<'_, io::Result<()>> {
        write_direct(&self.file, position, buffer).boxed_local()
    }

    fn read_at(&self, position: u64, len: usize) -> LocalBoxFuture<'_, io::Result<Bytes>> {
        read_direct(&self.file, position, len).boxed_local()
    }

    fn fdatasync(&self) -> LocalBoxFuture<'_, io::Result<()>> {
        async { self.file.fdatasync().await.map_err(io::Error::from) }.boxed_local()
    }

    fn truncate(&self, len: u64) -> LocalBoxFuture<'_, io::Result<()>> {
        async move { self.file.truncate(len).await.map_err(io::Error::from) }.boxed_local()
    }

    fn len(&self) -> LocalBoxFuture<'_, io::Result<u64>> {
        async { self.file.file_size().await.map_err(io::Error::from) }.boxed_local()
    }
}

/// A write may end early, as on a disk that becomes full: the rest is tried once more from its own aligned buffer, which
/// then gets the error.
async fn write_direct(file: &DmaFile, position: u64, buffer: DmaBuffer) -> io::Result<()> {
    assert!(position.is_multiple_of(BLOCK_SIZE_BYTES as u64), "write at {position}: not aligned");
    assert!(buffer.len().is_multiple_of(BLOCK_SIZE_BYTES), "write of {} bytes: not aligned", buffer.len());
    let Inner::Glommio(buffer) = buffer.inner else {
        assert!(buffer.is_empty(), "a buffer of another disk");
        return Ok(());
    };
    let (mut buffer, mut position) = (Rc::new(buffer), position);
    loop {
        let written = file.write_rc_at(Rc::clone(&buffer), position).await.map_err(io::Error::from)?;
        let Some(rest) = buffer.as_bytes().get(written - written % BLOCK_SIZE_BYTES..) else {
            return Err(io::Error::other("the kernel claims to have written more than it was given"));
        };
        if rest.is_empty() {
            return Ok(());
        }
        if rest.len() == buffer.len() {
            return Err(io::ErrorKind::WriteZero.into());
        }
        position += (buffer.len() - rest.len()) as u64;
        let mut next = glommio::allocate_dma_buffer(rest.len());
        next.as_bytes_mut().copy_from_slice(rest);
        buffer = Rc::new(next);
    }
}

/// Aligns by itself: glommio's own unaligned read reports bytes behind the end of the file.
async fn read_direct(file: &DmaFile, position: u64, len: usize) -> io::Result<Bytes> {
    let aligned = position - position % BLOCK_SIZE_BYTES as u64;
    let skip = (position - aligned) as usize;
    let wanted = skip + len;
    let mut read = BytesMut::with_capacity(wanted.min(READ_SIZE_MAX_BYTES));
    while read.len() < wanted {
        let size = (wanted - read.len()).next_multiple_of(BLOCK_SIZE_BYTES).min(READ_SIZE_MAX_BYTES);
        let piece = file.read_at_aligned(aligned + read.len() as u64, size).await.map_err(io::Error::from)?;
        let take = piece.len().min(wanted - read.len());
        read.extend_from_slice(piece.get(..take).unwrap_or_default());
        if piece.is_empty() || !piece.len().is_multiple_of(BLOCK_SIZE_BYTES) {
            break; // the end of the file
        }
    }
    let skip = skip.min(read.len());
    Ok(read.freeze().slice(skip..))
}

struct CachedFile {
    file: BufferedFile,
}

impl DiskFile for CachedFile {
    fn write_at(&self, position: u64, buffer: DmaBuffer) -> LocalBoxFuture<'_, io::Result<()>> {
        async move {
            let mut rest = buffer.as_slice();
            let mut position = position;
            while !rest.is_empty() {
                let written = self.file.write_at(rest.to_vec(), position).await.map_err(io::Error::from)?;
                if written == 0 {
                    return Err(io::ErrorKind::WriteZero.into());
                }
                position += written as u64;
                rest = rest.get(written..).unwrap_or_default();
            }
            Ok(())
        }
        .boxed_local()
    }

    fn read_at(&self, position: u64, len: usize) -> LocalBoxFuture<'_, io::Result<Bytes>> {
        async move {
            let mut read = BytesMut::new();
            while read.len() < len {
                let size = (len - read.len()).min(READ_SIZE_MAX_BYTES);
                let piece = self.file.read_at(position + read.len() as u64, size).await.map_err(io::Error::from)?;
                if piece.is_empty() {
                    break;
                }
                read.extend_from_slice(&piece);
            }
            Ok(read.freeze())
        }
        .boxed_local()
    }

    fn fdatasync(&self) -> LocalBoxFuture<'_, io::Result<()>> {
        async { self.file.fdatasync().await.map_err(io::Error::from) }.boxed_local()
    }

    fn truncate(&self, len: u64) -> LocalBoxFuture<'_, io::Result<()>> {
        async move { self.file.truncate(len).await.map_err(io::Error::from) }.boxed_local()
    }

    fn len(&self) -> LocalBoxFuture<'_, io::Result<u64>> {
        async { self.file.file_size().await.map_err(io::Error::from) }.boxed_local()
    }
}
