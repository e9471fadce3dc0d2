//! A disk in memory that behaves as badly as a real one may: writes in flight land in any order, a power cut keeps any
//! part of what was not synced, sectors rot, the device fills up or fails.
//!
//! Everything is decided by a seed, and nothing takes real time: the same seed and the same calls give the same disk.
//! Works under any single-threaded executor.

use std::cell::RefCell;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::LocalBoxFuture;

use self::medium::{InodeId, Medium};
use super::{Disk, DiskFile, DiskSpace, DmaBuffer, OpenMode};

mod medium;
mod random;

pub use self::random::SimRandom;

/// A place on the medium that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unreadable {
    pub path: PathBuf,
    pub bytes: Range<u64>,
}

/// What goes wrong, besides power cuts. Changed at any time with [`SimDisk::set_faults`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SimFaults {
    /// A write takes up to this many polls, so that later ones overtake it. 0: every write is done at once.
    pub write_delay_polls_max: u64,
    /// Every operation ends a poll after it was done, so that a test can stop in between.
    pub one_at_a_time: bool,
    /// This many more writes succeed, every later one fails with EIO.
    pub writes_until_error: Option<u64>,
    /// Reads of the file with this name fail with EIO where they touch these bytes.
    pub unreadable: Option<Unreadable>,
    /// Bytes of all files together; growing beyond that fails with ENOSPC.
    pub capacity_bytes: Option<u64>,
}

/// The simulated disk. Clones are the same disk.
#[derive(Clone)]
pub struct SimDisk {
    medium: Rc<RefCell<Medium>>,
}

impl SimDisk {
    pub fn new(seed: u64) -> Self {
        Self { medium: Rc::new(RefCell::new(Medium::new(seed))) }
    }

    /// This disk as the rest of the crate takes it.
    pub fn disk(&self) -> Rc<dyn Disk> {
        Rc::new(self.clone())
    }

    pub fn set_faults(&self, faults: SimFaults) {
        self.medium.borrow_mut().faults = faults;
    }

    /// Power is lost and comes back: every sector not synced, also of writes in flight, is there or not, each by the
    /// seed. Files opened before fail from here on.
    pub fn power_cut(&self) {
        self.medium.borrow_mut().power_cut();
    }

    /// Flips bits of one byte on the medium. False when no such byte exists.
    pub fn rot(&self, path: &Path, position: u64, flip: u8) -> bool {
        self.medium.borrow_mut().rot(path, position, flip)
    }

    /// What a reader of the whole file would see now.
    pub fn content(&self, path: &Path) -> Option<Vec<u8>> {
        self.medium.borrow().content(path)
    }

    /// Writes begun so far, and their bytes: to see how much a flush costs.
    pub fn writes(&self) -> (u64, u64) {
        self.medium.borrow().writes_begun
    }

    fn now<'a, T: 'a>(
        &'a self,
        action: impl FnOnce(&mut Medium) -> io::Result<T> + 'a,
    ) -> LocalBoxFuture<'a, io::Result<T>> {
        async move {
            let result = action(&mut self.medium.borrow_mut());
            pause(&self.medium).await;
            result
        }
        .boxed_local()
    }
}

/// After an operation, see [`SimFaults::one_at_a_time`].
async fn pause(medium: &RefCell<Medium>) {
    let count = u64::from(medium.borrow().faults.one_at_a_time);
    polls(count).await;
}

impl Disk for SimDisk {
    fn open<'a>(&'a self, path: &'a Path, mode: OpenMode) -> LocalBoxFuture<'a, io::Result<Rc<dyn DiskFile>>> {
        self.now(move |medium| {
            let inode = medium.open(path, mode.create_new)?;
            let file = SimFile { medium: Rc::clone(&self.medium), inode, power_cuts: medium.power_cuts, mode };
            Ok(Rc::new(file) as Rc<dyn DiskFile>)
        })
    }

    fn create_dir_all<'a>(&'a self, path: &'a Path) -> LocalBoxFuture<'a, io::Result<()>> {
        self.now(move |medium| {
            medium.create_dir_all(path);
            Ok(())
        })
    }

    fn read_dir<'a>(&'a self, path: &'a Path) -> LocalBoxFuture<'a, io::Result<Vec<PathBuf>>> {
        self.now(move |medium| medium.read_dir(path))
    }

    fn remove_file<'a>(&'a self, path: &'a Path) -> LocalBoxFuture<'a, io::Result<()>> {
        self.now(move |medium| medium.remove_file(path))
    }

    fn remove_dir_all<'a>(&'a self, path: &'a Path) -> LocalBoxFuture<'a, io::Result<()>> {
        self.now(move |medium| medium.remove_dir_all(path))
    }

    fn rename<'a>(&'a self, from: &'a Path, to: &'a Path) -> LocalBoxFuture<'a, io::Result<()>> {
        self.now(move |medium| medium.rename(from, to))
    }

    fn sync_dir<'a>(&'a self, path: &'a Path) -> LocalBoxFuture<'a, io::Result<()>> {
        self.now(move |medium| medium.sync_dir(path))
    }

    fn read_file<'a>(&'a self, path: &'a Path) -> LocalBoxFuture<'a, io::Result<Bytes>> {
        self.now(move |medium| medium.read_file(path))
    }

    fn replace_file<'a>(&'a self, path: &'a Path, content: Bytes) -> LocalBoxFuture<'a, io::Result<()>> {
        self.now(move |medium| medium.replace_file(path, &content))
    }

    fn write_file<'a>(&'a self, path: &'a Path, content: Bytes) -> LocalBoxFuture<'a, io::Result<()>> {
        self.now(move |medium| medium.write_file(path, &content))
    }

    fn allocate(&self, len: usize) -> DmaBuffer {
        DmaBuffer::heap(len)
    }

    fn space<'a>(&'a self, _path: &'a Path) -> LocalBoxFuture<'a, io::Result<DiskSpace>> {
        self.now(move |medium| {
            let total_bytes = medium.faults.capacity_bytes.unwrap_or(1 << 40);
            Ok(DiskSpace { free_bytes: total_bytes.saturating_sub(medium.used_bytes()), total_bytes })
        })
    }

    fn sleep(&self, _time: std::time::Duration) -> LocalBoxFuture<'_, ()> {
        std::future::pending().boxed_local()
    }
}

struct SimFile {
    medium: Rc<RefCell<Medium>>,
    inode: InodeId,
    /// Power cuts the disk had seen when this file was opened; after another one the handle is dead.
    power_cuts: u64,
    mode: OpenMode,
}

impl SimFile {
    fn medium<T>(&self, action: impl FnOnce(&mut Medium) -> io::Result<T>) -> io::Result<T> {
        let mut medium = self.medium.borrow_mut();
        if medium.power_cuts != self.power_cuts {
            return Err(io::Error::other("this file was open when the power was cut"));
        }
        action(&mut medium)
    }
}

impl DiskFile for SimFile {
    fn write_at(&self, position: u64, buffer: DmaBuffer) -> LocalBoxFuture<'_, io::Result<()>> {
        async move {
            assert!(self.mode.write || self.mode.create_new, "write into a file opened for reading");
            let (write, delay) = self.medium(|medium| medium.begin_write(self.inode, position, buffer))?;
            polls(delay).await;
            let result = self.medium(|medium| medium.finish_write(write, self.mode.durable_writes));
            pause(&self.medium).await;
            result
        }
        .boxed_local()
    }

    fn read_at(&self, position: u64, len: usize) -> LocalBoxFuture<'_, io::Result<Bytes>> {
        async move { self.medium(|medium| medium.read(self.inode, position, len)) }.boxed_local()
    }

    fn fdatasync(&self) -> LocalBoxFuture<'_, io::Result<()>> {
        async move {
            let result = self.medium(|medium| medium.sync(self.inode));
            pause(&self.medium).await;
            result
        }
        .boxed_local()
    }

    fn truncate(&self, len: u64) -> LocalBoxFuture<'_, io::Result<()>> {
        async move {
            let result = self.medium(|medium| medium.truncate(self.inode, len));
            pause(&self.medium).await;
            result
        }
        .boxed_local()
    }

    fn len(&self) -> LocalBoxFuture<'_, io::Result<u64>> {
        async move { self.medium(|medium| medium.len(self.inode)) }.boxed_local()
    }
}

/// Ready after being polled this many times.
pub(crate) async fn polls(mut left: u64) {
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
