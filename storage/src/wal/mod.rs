//! The write-ahead log of one core: everything that core's groups must not forget, in one stream of durable writes.
//!
//! Records gather while writes are in flight, and each write takes all that gathered: ten thousand groups cost one
//! write, not ten thousand. A lone record is written at once. Several writes may be in flight; they are acknowledged in
//! order. Files are of fixed size, zeroed before they are used, and recycled.
//!
//! `append` and `flush` never wait; [`Wal::run`] does the I/O. Owned by one core.
//!
//! **Invariant:** `durable <= last taken into a block <= last appended`, and durable never moves back.
//! **Invariant:** a file number is used once; blocks carry it, so a block left over from before is never replayed.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use crate::StorageError;
use crate::io::{BLOCK_SIZE_BYTES, Disk};
use crate::types::WalSequence;

pub mod block;
mod file;
mod filler;
mod frame;
mod gather;
pub mod inspect;
mod open;
pub mod record;
pub mod recovery;
mod replay;
mod scan;
mod state;
#[cfg(test)]
mod tests;
mod wait;
mod writer;

pub use gather::RECORD_LEN_MAX;
pub use record::WalRecord;

use state::State;
use wait::Bell;

/// Sizes of one core's log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WalConfig {
    pub dir: PathBuf,
    pub file_size_bytes: u64,
    /// Files together, used and spare. When all are used, records gather until [`Wal::trim`] frees one.
    pub files_max: usize,
    pub writes_in_flight_max: usize,
    pub block_size_max_bytes: usize,
}

impl WalConfig {
    pub fn new(dir: PathBuf) -> Self {
        Self { dir, file_size_bytes: 64 << 20, files_max: 8, writes_in_flight_max: 4, block_size_max_bytes: 1 << 20 }
    }

    /// # Panics
    /// When the sizes do not fit together: they come from the broker's own table.
    fn check(&self) {
        let page = BLOCK_SIZE_BYTES as u64;
        assert!(self.file_size_bytes.is_multiple_of(page) && self.file_size_bytes >= page, "{self:?}");
        assert!(self.block_size_max_bytes.is_multiple_of(BLOCK_SIZE_BYTES), "{self:?}");
        assert!((BLOCK_SIZE_BYTES..=block::BLOCK_LEN_MAX).contains(&self.block_size_max_bytes), "{self:?}");
        assert!(self.file_size_bytes.div_ceil(page) <= u64::from(u32::MAX), "{self:?}");
        assert!(self.files_max >= 2 && self.writes_in_flight_max >= 1, "{self:?}");
    }
}

/// A handle to the log; clones are the same log.
#[derive(Clone)]
pub struct Wal {
    shared: Rc<Shared>,
}

pub(crate) struct Shared {
    disk: Rc<dyn Disk>,
    config: WalConfig,
    state: RefCell<State>,
    /// Something to write, a file to write to, or the end.
    writer: Bell,
    /// A file to zero or to recycle.
    filler: Bell,
}

impl Wal {
    /// Reads every block behind `from` and hands each record to `replay`, in order; then is ready to append.
    ///
    /// # Errors
    /// Damage below the durable mark, a log that does not reach back to `from`, or the disk.
    pub async fn open(
        disk: Rc<dyn Disk>,
        config: WalConfig,
        from: WalSequence,
        replay: &mut dyn FnMut(WalSequence, WalRecord),
    ) -> Result<Self, StorageError> {
        config.check();
        let state = open::open(&*disk, &config, from, replay).await?;
        let shared =
            Shared { disk, config, state: RefCell::new(state), writer: Bell::default(), filler: Bell::default() };
        Ok(Self { shared: Rc::new(shared) })
    }

    /// Gathers a record into the open block; never waits. Its sequence number is returned.
    ///
    /// # Panics
    /// When the record is larger than [`RECORD_LEN_MAX`], or the log was closed.
    pub fn append(&self, record: &WalRecord) -> WalSequence {
        let mut state = self.shared.state.borrow_mut();
        assert!(!state.closed, "append to a closed write-ahead log");
        state.gather.push(record)
    }

    /// Asks for what was gathered to be written as soon as a write slot is free. Cheap; call once per turn.
    pub fn flush(&self) {
        let mut state = self.shared.state.borrow_mut();
        if state.gather.is_empty() {
            return;
        }
        state.flush_wanted = true;
        let retry = state.disk_full;
        drop(state);
        self.shared.writer.ring();
        if retry {
            self.shared.filler.ring();
        }
    }

    /// The highest sequence such that it and all before it are on the device.
    pub fn durable(&self) -> WalSequence {
        self.shared.state.borrow().durable
    }

    pub fn last_appended(&self) -> WalSequence {
        self.shared.state.borrow().gather.last_sequence()
    }

    /// Resolves once `durable() > after`.
    ///
    /// # Errors
    /// A durable write failed: nothing written since may be relied on, the process must stop. Or the log was closed.
    pub async fn wait_durable(&self, after: WalSequence) -> Result<WalSequence, StorageError> {
        let id = self.shared.state.borrow_mut().waiters.new_id();
        let registration = Registration { shared: &self.shared, after, id };
        poll_fn(|context| {
            let mut state = registration.shared.state.borrow_mut();
            if state.durable > after {
                return Poll::Ready(Ok(state.durable));
            }
            if let Some(source) = &state.poison {
                return Poll::Ready(Err(StorageError::WalPoisoned { source: Arc::clone(source) }));
            }
            if state.ended {
                return Poll::Ready(Err(StorageError::WalClosed));
            }
            state.waiters.register(after, id, context.waker());
            Poll::Pending
        })
        .await
    }

    /// Bytes between the oldest record needed and the end, files that were left behind counted whole: what the
    /// checkpointer looks at.
    pub fn used_bytes(&self) -> u64 {
        self.shared.state.borrow().used_bytes(&self.shared.config)
    }

    pub fn capacity_bytes(&self) -> u64 {
        self.shared.config.file_size_bytes * self.shared.config.files_max as u64
    }

    /// Nothing more can be written until [`Wal::trim`] frees a file, or the disk has room again: records only gather.
    pub fn is_full(&self) -> bool {
        self.shared.state.borrow().is_full(&self.shared.config)
    }

    /// Records up to and including `sequence` are in a durable checkpoint: files wholly below may be recycled.
    pub fn trim(&self, sequence: WalSequence) {
        self.shared.state.borrow_mut().trim(sequence);
        self.shared.filler.ring();
    }

    /// Bytes that are not durable yet, gathered or in flight: part of the memory budget.
    pub fn gathered_bytes(&self) -> usize {
        self.shared.state.borrow().gathered_bytes()
    }

    /// The I/O loop: writes blocks, zeroes and recycles files in the background. Spawned once; ends after
    /// [`Wal::close`], when all that was appended is durable.
    ///
    /// # Errors
    /// A durable write failed; everybody in [`Wal::wait_durable`] gets the error too.
    pub async fn run(&self) -> Result<(), StorageError> {
        let result = futures::future::try_join(writer::run(&self.shared), filler::run(&self.shared)).await;
        let mut state = self.shared.state.borrow_mut();
        state.ended = true;
        if let Err(error) = &result {
            state.poison.get_or_insert_with(|| cause(error));
        }
        let waiting = state.waiters.all();
        drop(state);
        waiting.into_iter().for_each(std::task::Waker::wake);
        result.map(|_| ())
    }

    /// No more appends; [`Wal::run`] writes what was gathered, and ends.
    pub fn close(&self) {
        let mut state = self.shared.state.borrow_mut();
        state.closed = true;
        state.flush_wanted = true;
        drop(state);
        self.shared.writer.ring();
        self.shared.filler.ring();
    }
}

fn cause(error: &StorageError) -> Arc<io::Error> {
    match error {
        StorageError::Io { source, .. } | StorageError::WalPoisoned { source } => Arc::clone(source),
        other => Arc::new(io::Error::other(other.to_string())),
    }
}

/// A place among the waiters, given up when the future is dropped.
struct Registration<'a> {
    shared: &'a Shared,
    after: WalSequence,
    id: u64,
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        self.shared.state.borrow_mut().waiters.forget(self.after, self.id);
    }
}
