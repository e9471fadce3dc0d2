//! Files, through the ring. Opened with O_DIRECT they want aligned memory, positions and lengths.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use crate::buffer::{ALIGNMENT_BYTES, AlignedBuffer};
use crate::executor::Local;
use crate::ops::SharedFd;
use crate::unblock;

/// An open file of this core; clones are the same file.
#[derive(Clone)]
pub struct File {
    fd: SharedFd,
}

impl File {
    pub fn new(file: fs::File) -> Self {
        Self { fd: Rc::new(OwnedFd::from(file)) }
    }

    /// One write, which may be short, of the buffer from `skip` on to `position + skip`.
    pub async fn write_at(
        &self,
        position: u64,
        buffer: AlignedBuffer,
        skip: usize,
    ) -> (io::Result<usize>, AlignedBuffer) {
        let op = Local::current().ring.write(&self.fd, position, buffer, skip);
        let (written, (_, buffer)) = op.await;
        (written.map(|written| written as usize), buffer)
    }

    /// One read, which may be short, of as many bytes as fit whole pages around `len`.
    ///
    /// # Errors
    /// The kernel's.
    pub async fn read_at(&self, position: u64, len: usize) -> io::Result<AlignedBuffer> {
        let len = len.next_multiple_of(ALIGNMENT_BYTES);
        let op = Local::current().ring.read(&self.fd, position, AlignedBuffer::for_reading(len), len);
        let (read, (_, mut buffer)) = op.await;
        let read = read? as usize;
        #[expect(unsafe_code, reason = "the kernel filled the buffer")]
        // SAFETY: the kernel wrote this many bytes from the start on.
        unsafe {
            buffer.filled(read);
        }
        Ok(buffer)
    }

    /// # Errors
    /// The kernel's.
    pub async fn fdatasync(&self) -> io::Result<()> {
        let op = Local::current().ring.fdatasync(&self.fd);
        op.await.0.map(|_| ())
    }

    /// # Errors
    /// The kernel's.
    pub async fn truncate(&self, len: u64) -> io::Result<()> {
        let file = self.fd.try_clone()?;
        unblock(move || Ok(rustix::fs::ftruncate(&file, len)?)).await
    }

    /// # Errors
    /// The kernel's.
    pub fn len(&self) -> io::Result<u64> {
        Ok(u64::try_from(rustix::fs::fstat(&self.fd)?.st_size).unwrap_or_default())
    }

    /// # Errors
    /// The kernel's.
    pub fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}
