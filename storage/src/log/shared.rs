//! What all logs of one core share: the disk, open files, caches, memory accounting, and the wish to be flushed.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

use thalweg_protocol::TimestampMs;

use super::files::FileCache;
use super::index_cache::IndexCache;
use super::read_cache::ReadCache;
use crate::event::Signal;
use crate::io::Disk;
use crate::types::{GroupId, RaftIndex};

/// Budgets of one core, in bytes unless they say otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CoreLimits {
    /// Files kept open.
    pub open_files_max: usize,
    /// Committed data that makes a log worth flushing.
    pub flush_bytes: usize,
    /// Entries kept in memory although segments hold them.
    pub tail_cache_bytes: usize,
    /// Pieces of segments that were read.
    pub read_cache_bytes: usize,
    /// Indexes of segments that were searched lately.
    pub index_cache_bytes: usize,
    /// The largest piece read ahead of a sequential reader.
    pub read_ahead_bytes: usize,
}

impl Default for CoreLimits {
    fn default() -> Self {
        Self {
            open_files_max: 4096,
            flush_bytes: 1 << 20,
            tail_cache_bytes: 128 << 20,
            read_cache_bytes: 64 << 20,
            index_cache_bytes: 16 << 20,
            read_ahead_bytes: 1 << 20,
        }
    }
}

impl CoreLimits {
    /// Small enough that tests reach every limit.
    pub fn test_min() -> Self {
        Self {
            open_files_max: 4,
            flush_bytes: 16 << 10,
            tail_cache_bytes: 32 << 10,
            read_cache_bytes: 64 << 10,
            index_cache_bytes: 1 << 10,
            read_ahead_bytes: 16 << 10,
        }
    }
}

/// Owned by the store of one core; every log has a handle.
pub(crate) struct CoreShared {
    pub(crate) disk: Rc<dyn Disk>,
    pub(crate) limits: CoreLimits,
    pub(crate) files: FileCache,
    pub(crate) indexes: IndexCache,
    pub(crate) windows: ReadCache,
    pub(crate) memory: MemoryUse,
    /// Something for the background: a log to flush, memory to give back, files to delete.
    pub(crate) work: Signal,
    flush_wanted: RefCell<BTreeSet<GroupId>>,
    /// Logs in the order in which their caches were filled, the longest ago first. May name logs that are gone.
    cached: RefCell<VecDeque<GroupId>>,
    evictable: RefCell<Vec<(GroupId, RaftIndex)>>,
    now: Cell<TimestampMs>,
    /// Bytes that a log's copy into another directory takes in a second.
    pub(crate) move_rate: Cell<f64>,
    disk_full: Cell<bool>,
}

/// Bytes in the tails of all logs.
#[derive(Default)]
pub(crate) struct MemoryUse {
    /// Not in segments yet: must stay.
    pub(crate) unflushed_bytes: Cell<usize>,
    /// In segments as well: may go.
    pub(crate) cached_bytes: Cell<usize>,
}

pub(crate) fn add(cell: &Cell<usize>, bytes: usize) {
    cell.set(cell.get() + bytes);
}

pub(crate) fn subtract(cell: &Cell<usize>, bytes: usize) {
    debug_assert!(cell.get() >= bytes, "memory accounting went below zero");
    cell.set(cell.get().saturating_sub(bytes));
}

impl CoreShared {
    pub(crate) fn new(disk: Rc<dyn Disk>, limits: CoreLimits, now: TimestampMs) -> Rc<Self> {
        Rc::new(Self {
            files: FileCache::new(limits.open_files_max),
            indexes: IndexCache::new(limits.index_cache_bytes),
            windows: ReadCache::new(limits.read_cache_bytes),
            disk,
            limits,
            memory: MemoryUse::default(),
            work: Signal::default(),
            flush_wanted: RefCell::default(),
            cached: RefCell::default(),
            evictable: RefCell::default(),
            now: Cell::new(now),
            move_rate: Cell::new(f64::MAX),
            disk_full: Cell::new(false),
        })
    }

    /// Wall clock, as of the last tick.
    pub(crate) fn now(&self) -> TimestampMs {
        self.now.get()
    }

    pub(crate) fn set_now(&self, now: TimestampMs) {
        self.now.set(now);
    }

    pub(crate) fn is_disk_full(&self) -> bool {
        self.disk_full.get()
    }

    pub(crate) fn set_disk_full(&self, full: bool) {
        if self.disk_full.replace(full) != full {
            tracing::warn!(full, "the disk is {}", if full { "full: writes are refused" } else { "writable again" });
        }
    }

    pub(super) fn want_flush(&self, group: GroupId) {
        if self.flush_wanted.borrow_mut().insert(group) {
            self.work.give();
        }
    }

    pub(crate) fn take_flush_wanted(&self) -> BTreeSet<GroupId> {
        self.flush_wanted.take()
    }

    /// Segments hold the log up to `index` now: Raft may forget these entries, and this core may, if memory is short.
    pub(super) fn flushed(&self, group: GroupId, index: RaftIndex) {
        self.evictable.borrow_mut().push((group, index));
        self.cached.borrow_mut().push_back(group);
        if self.memory.cached_bytes.get() > self.limits.tail_cache_bytes {
            self.work.give();
        }
    }

    pub(crate) fn take_evictable(&self) -> Vec<(GroupId, RaftIndex)> {
        self.evictable.take()
    }

    pub(crate) fn next_cached(&self) -> Option<GroupId> {
        self.cached.borrow_mut().pop_front()
    }

    pub(crate) fn keep_cached_longest(&self, group: GroupId) {
        self.cached.borrow_mut().push_front(group);
    }
}
