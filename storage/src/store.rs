//! All logs of one core over that core's write-ahead log: opening, persisting, checkpoints, and the background.
//!
//! This file says what a store is; what it does is one file per flow below `store/`.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;

use thalweg_protocol::{KafkaOffset, TimestampMs};

use crate::error::StorageError;
use crate::event::Gate;
use crate::log::{
    CompactionBudget, CoreLimits, CoreShared, LogConfig, LogDescriptor, LogRef, LogStartError, PartitionLog,
};
use crate::types::{GroupId, HardState, LogEntry, RaftIndex, WalSequence};
use crate::wal::{Wal, WalConfig, WalRecord};

mod background;
mod checkpoint;
mod checkpoint_file;
mod close;
mod compaction;
mod deleter;
mod move_log;
mod open;
mod rehome;
mod retention;
#[cfg(test)]
mod tests;

pub use self::checkpoint_file::{CheckpointHead, inspect_checkpoint};
pub use self::compaction::CompactionStats;
pub use self::move_log::MoveAsked;
pub use self::open::RecoveredGroup;
pub use self::rehome::rehome;

use self::compaction::Compactor;
use self::deleter::Deleter;

/// What one core's store is told.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    pub core: usize,
    pub log_dirs: Vec<PathBuf>,
    /// Its `dir` is `<core dir>/wal`; the checkpoint lies beside it.
    pub wal: WalConfig,
    /// Memory for entries that segments have, kept behind the tail to serve readers.
    pub tail_cache_bytes: usize,
    /// Memory for pieces of segments that were read.
    pub read_cache_bytes: usize,
    pub open_files_max: usize,
    /// What recovered logs obey until `PartitionLog::set_config`.
    pub log_config: LogConfig,
    /// Committed bytes of a log that make it worth flushing.
    pub flush_bytes: usize,
    /// The largest piece read ahead of a sequential reader.
    pub read_ahead_bytes: usize,
    /// `producer.id.expiration.ms`, until [`Store::set_producer_id_expiration`].
    pub producer_id_expiration_ms: i64,
    /// `producer.id.expiration.check.interval.ms`
    pub producer_id_expiration_check_interval_ms: i64,
    /// `log.initial.task.delay.ms`: from the start to the first look for what retention lets go.
    pub initial_task_delay_ms: i64,
    /// `log.retention.check.interval.ms`
    pub retention_check_interval_ms: i64,
    /// What compaction may use on this core.
    pub compaction: CompactionBudget,
    /// Replaces every budget, in tests.
    pub limits: Option<CoreLimits>,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            core: 0,
            log_dirs: Vec::new(),
            wal: WalConfig::new(PathBuf::new()),
            tail_cache_bytes: CoreLimits::default().tail_cache_bytes,
            read_cache_bytes: CoreLimits::default().read_cache_bytes,
            open_files_max: CoreLimits::default().open_files_max,
            log_config: LogConfig::default(),
            flush_bytes: CoreLimits::default().flush_bytes,
            read_ahead_bytes: CoreLimits::default().read_ahead_bytes,
            producer_id_expiration_ms: 86_400_000,
            producer_id_expiration_check_interval_ms: 600_000,
            initial_task_delay_ms: 30_000,
            retention_check_interval_ms: 300_000,
            compaction: CompactionBudget::default(),
            limits: None,
        }
    }
}

impl StoreConfig {
    fn limits(&self) -> CoreLimits {
        self.limits.unwrap_or(CoreLimits {
            open_files_max: self.open_files_max,
            flush_bytes: self.flush_bytes,
            read_ahead_bytes: self.read_ahead_bytes,
            tail_cache_bytes: self.tail_cache_bytes,
            read_cache_bytes: self.read_cache_bytes,
            ..CoreLimits::default()
        })
    }

    fn checkpoint_path(&self) -> PathBuf {
        self.wal.dir.with_file_name("checkpoint")
    }
}

/// One core's storage. Clones are handles to the same; they stay on their core.
#[derive(Clone)]
pub struct Store {
    inner: Rc<Inner>,
}

struct Inner {
    config: StoreConfig,
    shared: Rc<CoreShared>,
    wal: Wal,
    logs: RefCell<HashMap<GroupId, LogRef>>,
    /// One checkpoint at a time.
    checkpointing: Gate,
    deleter: Deleter,
    compactor: Compactor,
    closing: Cell<bool>,
    /// Bytes persisted since the fill of the write-ahead log was looked at.
    unchecked_bytes: Cell<usize>,
    producer_id_expiration_ms: Cell<i64>,
    /// When the background next looks at producers, and at what retention lets go.
    producers_due: Cell<TimestampMs>,
    retention_due: Cell<TimestampMs>,
    /// Counts the moves of logs to other directories.
    moves: Cell<u64>,
    /// One move at a time.
    moving: Gate,
}

/// Bytes appended before the fill of the write-ahead log is looked at again.
const FILL_CHECK_BYTES: usize = 256 << 10;

impl Store {
    pub fn wal(&self) -> &Wal {
        &self.inner.wal
    }

    pub fn log(&self, group: GroupId) -> Option<LogRef> {
        self.inner.logs.borrow().get(&group).cloned()
    }

    /// All logs, in order of their groups.
    pub fn logs(&self) -> Vec<LogRef> {
        self.inner.all_logs()
    }

    /// Appends to the group's log and to the write-ahead log.
    ///
    /// # Panics
    /// When there is no such group, or the entry cannot follow: both are bugs of the caller.
    pub fn persist_entry(&self, group: GroupId, entry: LogEntry) -> WalSequence {
        let sequence = self.inner.wal.append(&WalRecord::Entry { group, entry: entry.clone() });
        let bytes = entry.data.len();
        self.existing(group).borrow_mut().append(entry);
        self.inner.note_appended(bytes);
        sequence
    }

    /// # Panics
    /// When there is no such group.
    pub fn persist_hard_state(&self, group: GroupId, state: HardState) -> WalSequence {
        self.existing(group).borrow_mut().hard_state = state;
        self.inner.wal.append(&WalRecord::HardState { group, state })
    }

    /// DeleteRecords: nothing before `offset` can be read any more. `None` if that is so already; else durable once
    /// the record with this sequence is. Whole segments below are deleted in the background.
    ///
    /// # Errors
    /// When the offset is beyond the high watermark.
    ///
    /// # Panics
    /// When there is no such group.
    pub fn persist_log_start(&self, group: GroupId, offset: KafkaOffset) -> Result<Option<WalSequence>, LogStartError> {
        if !self.existing(group).borrow_mut().set_log_start(offset)? {
            return Ok(None);
        }
        Ok(Some(self.inner.wal.append(&WalRecord::LogStart { group, log_start_offset: offset })))
    }

    fn existing(&self, group: GroupId) -> LogRef {
        self.log(group).unwrap_or_else(|| panic!("group {group} is not on core {}", self.inner.config.core))
    }

    /// Begins a replica: its directory, and a record in the write-ahead log that is not waited for. Segment files appear
    /// with the first flush.
    ///
    /// # Errors
    /// When the directory cannot be created.
    ///
    /// # Panics
    /// When the group exists.
    pub async fn create(
        &self,
        group: GroupId,
        descriptor: LogDescriptor,
        config: LogConfig,
    ) -> Result<LogRef, StorageError> {
        assert!(self.log(group).is_none(), "group {group} exists");
        // A deleted topic of the same name may still have its directory here.
        self.inner.deleter.finish_removals(&self.inner).await?;
        let dir = descriptor.dir.clone();
        let created = self.inner.shared.disk.create_dir_all(&dir).await;
        created.map_err(StorageError::io("create", &dir)).inspect_err(|error| self.inner.note_error(error))?;
        self.inner.wal.append(&WalRecord::Create { group, descriptor: descriptor.encode() });
        let log = PartitionLog::new(group, descriptor, Rc::new(config), Rc::clone(&self.inner.shared));
        let log = Rc::new(RefCell::new(log));
        self.inner.logs.borrow_mut().insert(group, Rc::clone(&log));
        Ok(log)
    }

    /// The replica is gone; its files are deleted in the background. Nothing happens if it is not here.
    pub fn remove(&self, group: GroupId) {
        let Some(log) = self.inner.logs.borrow_mut().remove(&group) else { return };
        log.borrow_mut().disk_state.removed = true;
        let sequence = self.inner.wal.append(&WalRecord::Remove { group });
        self.inner.deleter.remove_log(log, sequence);
        self.inner.shared.work.give();
    }

    /// Producers that wrote nothing for this long are forgotten from now on.
    pub fn set_producer_id_expiration(&self, expiration_ms: i64) {
        self.inner.producer_id_expiration_ms.set(expiration_ms);
    }

    /// A write found no space since the last one that succeeded: producers are to be refused.
    pub fn is_disk_full(&self) -> bool {
        self.inner.shared.is_disk_full()
    }

    /// Groups whose entries up to an index are in segments now: Raft need not keep them in memory. Taken once.
    pub fn take_evictable(&self) -> Vec<(GroupId, RaftIndex)> {
        self.inner.shared.take_evictable()
    }

    /// The last index of this group that segments hold.
    pub fn evictable_up_to(&self, group: GroupId) -> Option<RaftIndex> {
        self.log(group).map(|log| log.borrow().evictable_up_to())
    }

    /// Bytes of entries that no segment holds yet: part of the memory budget, beside `Wal::gathered_bytes`.
    pub fn unflushed_bytes(&self) -> usize {
        self.inner.shared.memory.unflushed_bytes.get()
    }

    /// Bytes of entries kept in memory only to serve readers.
    pub fn cached_bytes(&self) -> usize {
        self.inner.shared.memory.cached_bytes.get()
    }

    pub fn open_files(&self) -> usize {
        self.inner.shared.files.len()
    }
}

impl Inner {
    /// The write-ahead log may need a checkpoint soon.
    fn note_appended(&self, bytes: usize) {
        let unchecked = self.unchecked_bytes.get() + bytes;
        if unchecked < FILL_CHECK_BYTES {
            return self.unchecked_bytes.set(unchecked);
        }
        self.unchecked_bytes.set(0);
        if self.wants_checkpoint() {
            self.shared.work.give();
        }
    }

    fn wants_checkpoint(&self) -> bool {
        self.wal.used_bytes() > self.wal.capacity_bytes() / 2
    }

    fn note_error(&self, error: &StorageError) {
        if error.is_disk_full() {
            self.shared.set_disk_full(true);
        }
    }

    fn all_logs(&self) -> Vec<LogRef> {
        let mut logs: Vec<_> = self.logs.borrow().iter().map(|(group, log)| (*group, Rc::clone(log))).collect();
        logs.sort_by_key(|(group, _)| *group);
        logs.into_iter().map(|(_, log)| log).collect()
    }

    /// Waits until the record with this sequence is on the device.
    async fn wait_durable(&self, sequence: WalSequence) -> Result<(), StorageError> {
        if sequence > self.wal.durable() {
            self.wal.flush();
            self.wal.wait_durable(sequence.previous()).await?;
        }
        Ok(())
    }
}
