//! An io_uring with a fixed number of slots, each with memory of its own and one operation under way at most.
//!
//! The only unsafe code of this program. What makes it sound: memory that the kernel is given belongs to the ring, is not
//! reachable from outside, and is freed only once the kernel has answered for it.
#![expect(unsafe_code, reason = "the kernel is given pointers")]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use io_uring::types::{Fd, FsyncFlags, SubmitArgs, Timespec};
use io_uring::{IoUring, opcode, squeue};

use super::buffer::AlignedBuffer;

/// Until a device is called dead.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);
/// How often a wait for the device ends without an answer, so that ^C is noticed.
const LOOK_UP: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Operation {
    Read,
    Write,
    /// With RWF_DSYNC.
    WriteDsync,
    /// And, behind it in the kernel, fdatasync.
    WriteLinked,
    Fdatasync,
}

pub(super) struct Ring {
    uring: IoUring,
    file: File,
    slots: Vec<Slot>,
    size: u32,
    answered: Instant,
}

struct Slot {
    buffer: AlignedBuffer,
    /// Answers that the kernel owes for it.
    owed: u32,
}

/// Set in the name of what has no length.
const OF_SYNC: u64 = 1 << 32;

impl Ring {
    /// `depth` slots with `size` bytes each, over a file that was opened as its operations want it.
    pub(super) fn new(file: &File, depth: u32, size: u32) -> Result<Self> {
        let uring = IoUring::new((depth * 2).next_power_of_two())
            .context("cannot make an io_uring; check kernel.io_uring_disabled and `ulimit -l`")?;
        if !uring.params().is_feature_ext_arg() {
            bail!("this kernel's io_uring is too old; 5.11 is needed");
        }
        let buffer = |slot| AlignedBuffer::incompressible(size as usize, u64::from(slot) + 1);
        let slots = (0..depth).map(|slot| Slot { buffer: buffer(slot), owed: 0 }).collect();
        Ok(Self { uring, file: file.try_clone()?, slots, size, answered: Instant::now() })
    }

    /// Has the kernel begin; `wait` tells when it is done. The slot must be free.
    pub(super) fn start(&mut self, slot: usize, operation: Operation, position: u64) -> Result<()> {
        let Some(Slot { buffer, owed }) = self.slots.get_mut(slot) else { bail!("there is no slot {slot}") };
        assert_eq!(*owed, 0, "slot {slot} has an operation under way");
        let (file, key) = (Fd(self.file.as_raw_fd()), slot as u64);
        let memory = buffer.bytes_mut().as_mut_ptr();
        let write = || opcode::Write::new(file, memory, self.size).offset(position);
        let sync = || opcode::Fsync::new(file).flags(FsyncFlags::DATASYNC).build().user_data(key | OF_SYNC);
        let entries: &[squeue::Entry] = &match operation {
            Operation::Read => vec![opcode::Read::new(file, memory, self.size).offset(position).build().user_data(key)],
            Operation::Write => vec![write().build().user_data(key)],
            Operation::WriteDsync => vec![write().rw_flags(libc::RWF_DSYNC).build().user_data(key)],
            Operation::WriteLinked => {
                vec![write().build().flags(squeue::Flags::IO_LINK).user_data(key), sync()]
            }
            Operation::Fdatasync => vec![sync()],
        };
        // SAFETY: the pointer is to `size` bytes of the slot's buffer, and the descriptor is `self.file`'s. Both live until
        // `owed` is zero again (see `drop`), and nothing else touches the buffer while it is not.
        let pushed = unsafe { self.uring.submission().push_multiple(entries) };
        pushed.map_err(|_| anyhow!("the ring has no room for its own slots"))?;
        *owed = u32::try_from(entries.len())?;
        Ok(())
    }

    /// Waits for at least one slot and notes those that are done; none when only time has passed.
    pub(super) fn wait(&mut self, done: &mut Vec<usize>) -> Result<()> {
        let limit = Timespec::from(LOOK_UP);
        match self.uring.submitter().submit_with_args(1, &SubmitArgs::new().timespec(&limit)) {
            Ok(_) => {}
            Err(error)
                if matches!(error.raw_os_error(), Some(libc::EINTR | libc::ETIME | libc::EAGAIN | libc::EBUSY)) => {}
            Err(error) => return Err(error).context("the io_uring failed"),
        }
        let size = self.size;
        let mut failure = None;
        for answer in self.uring.completion() {
            self.answered = Instant::now();
            let (key, is_sync) = (answer.user_data() & !OF_SYNC, answer.user_data() & OF_SYNC != 0);
            let Some(slot) = self.slots.get_mut(key as usize) else { continue };
            slot.owed -= 1;
            failure = failure.or(check(answer.result(), is_sync, size).err());
            if slot.owed == 0 {
                done.push(key as usize);
            }
        }
        if let Some(error) = failure {
            return Err(error);
        }
        if self.answered.elapsed() > ANSWER_TIME_MAX && self.is_busy() {
            bail!("the device has not answered for {} s", ANSWER_TIME_MAX.as_secs());
        }
        Ok(())
    }

    pub(super) fn is_busy(&self) -> bool {
        self.slots.iter().any(|slot| slot.owed > 0)
    }
}

fn check(result: i32, is_sync: bool, size: u32) -> Result<()> {
    match u32::try_from(result) {
        Err(_) => Err(io::Error::from_raw_os_error(-result)).context("the device failed"),
        Ok(len) if !is_sync && len != size => bail!("the device did {len} bytes of {size}; is the disk full?"),
        Ok(_) => Ok(()),
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        let began = Instant::now();
        while self.is_busy() && began.elapsed() < ANSWER_TIME_MAX {
            // What failed is known already; here only the answers count.
            let _ = self.wait(&mut Vec::new());
        }
        if self.is_busy() {
            // The kernel did not let go of the memory: leaked rather than freed under its hands.
            std::mem::forget(std::mem::take(&mut self.slots));
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::fs::OpenOptions;

    use super::*;

    fn until_idle(ring: &mut Ring) -> Result<Vec<usize>> {
        let mut done = Vec::new();
        while ring.is_busy() {
            ring.wait(&mut done)?;
        }
        Ok(done)
    }

    #[test]
    fn every_operation_is_answered_once_and_reads_give_what_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
        let mut ring = Ring::new(&file, 3, 4096).unwrap();
        ring.start(0, Operation::Write, 0).unwrap();
        ring.start(1, Operation::WriteDsync, 4096).unwrap();
        ring.start(2, Operation::WriteLinked, 8192).unwrap();
        let mut done = until_idle(&mut ring).unwrap();
        done.sort_unstable();
        assert_eq!(done, [0, 1, 2]);
        let written: Vec<u8> = ring.slots.iter().flat_map(|slot| slot.buffer.bytes().to_vec()).collect();
        assert_eq!(std::fs::read(&path).unwrap(), written);

        ring.start(2, Operation::Fdatasync, 0).unwrap();
        ring.start(0, Operation::Read, 4096).unwrap();
        until_idle(&mut ring).unwrap();
        assert_eq!(ring.slots.first().unwrap().buffer.bytes(), written.get(4096..8192).unwrap());
    }

    #[test]
    fn a_failed_or_short_operation_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, [7; 100]).unwrap();
        let mut ring = Ring::new(&File::open(&path).unwrap(), 1, 4096).unwrap();
        ring.start(0, Operation::Read, 0).unwrap();
        assert!(format!("{:#}", until_idle(&mut ring).unwrap_err()).contains("100 bytes of 4096"));
        // Linked to a write that fails, the fdatasync is cancelled: still two answers.
        ring.start(0, Operation::WriteLinked, 0).unwrap();
        assert!(format!("{:#}", until_idle(&mut ring).unwrap_err()).contains("the device failed"));
        drop(ring);
    }
}
