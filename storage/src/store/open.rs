//! Recovery: the checkpoint, then every record of the write-ahead log behind it. Segments and indexes open later.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use thalweg_protocol::TimestampMs;

use super::checkpoint_file::{self, CheckpointHead};
use super::compaction::Compactor;
use super::deleter::Deleter;
use super::{Inner, Store, StoreConfig};
use crate::error::StorageError;
use crate::event::Gate;
use crate::io::Disk;
use crate::log::{CoreShared, LogConfig, LogDescriptor, LogRef, PartitionLog};
use crate::types::{GroupId, HardState, LogEntry, WalSequence};
use crate::wal::{Wal, WalRecord};

/// A replica found at start.
#[derive(Clone)]
pub struct RecoveredGroup {
    pub group: GroupId,
    pub descriptor: LogDescriptor,
    pub hard_state: HardState,
    pub log: LogRef,
}

impl Store {
    /// Opens the storage of one core, and gives the groups that are on it.
    ///
    /// # Errors
    /// When the disk fails, or what it holds is damaged or of another version.
    pub async fn open(disk: Rc<dyn Disk>, config: StoreConfig) -> Result<(Self, Vec<RecoveredGroup>), StorageError> {
        let shared = CoreShared::new(disk, config.limits(), wall_clock());
        let mut replay = Replay::new(Rc::new(config.log_config.clone()), Rc::clone(&shared));
        let from = replay.load_checkpoint(&config).await?;
        let wal =
            Wal::open(Rc::clone(&shared.disk), config.wal.clone(), from, &mut |_, record| replay.apply(record)).await?;
        let replayed = replay.finish(&config)?;
        let now = wall_clock();
        let inner = Inner {
            compactor: Compactor::new(config.compaction),
            producer_id_expiration_ms: Cell::new(config.producer_id_expiration_ms),
            producers_due: Cell::new(after(now, config.producer_id_expiration_check_interval_ms)),
            retention_due: Cell::new(after(now, config.initial_task_delay_ms)),
            config,
            shared,
            wal,
            logs: RefCell::new(replayed.logs),
            checkpointing: Gate::default(),
            deleter: Deleter::default(),
            closing: Cell::new(false),
            unchecked_bytes: Cell::new(0),
            moves: Cell::new(0),
            moving: Gate::default(),
        };
        for log in replayed.removed {
            inner.deleter.remove_log(log, WalSequence::ZERO);
        }
        let store = Self { inner: Rc::new(inner) };
        let groups = store.logs().into_iter().map(recovered).collect();
        Ok((store, groups))
    }
}

fn recovered(log: LogRef) -> RecoveredGroup {
    let held = log.borrow();
    let (group, hard_state) = (held.group(), held.hard_state());
    let descriptor = held.descriptor().as_ref().clone();
    drop(held);
    RecoveredGroup { group, descriptor, hard_state, log }
}

pub(super) fn wall_clock() -> TimestampMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimestampMs(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

pub(super) fn after(now: TimestampMs, delay_ms: i64) -> TimestampMs {
    TimestampMs(now.0.saturating_add(delay_ms))
}

/// A checkpoint's file, if there is one.
pub(super) async fn read_checkpoint(disk: &dyn Disk, path: &Path) -> Result<Option<Bytes>, StorageError> {
    match disk.read_file(path).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some).map_err(StorageError::io("read", path)),
    }
}

/// Logs while records are applied to them.
pub(super) struct Replay {
    log_config: Rc<LogConfig>,
    shared: Rc<CoreShared>,
    logs: HashMap<GroupId, PartitionLog>,
    removed: Vec<LogRef>,
    /// Groups of which the record before this was an entry that had been replaced: those behind it were, too.
    replaced: HashSet<GroupId>,
    /// The first record that made no sense; later ones are not applied.
    failed: Option<StorageError>,
}

pub(super) struct Replayed {
    pub(super) logs: HashMap<GroupId, LogRef>,
    pub(super) removed: Vec<LogRef>,
}

impl Replay {
    pub(super) fn new(log_config: Rc<LogConfig>, shared: Rc<CoreShared>) -> Self {
        Self { log_config, shared, logs: HashMap::new(), removed: Vec::new(), replaced: HashSet::new(), failed: None }
    }

    /// The sequence up to which the write-ahead log is covered.
    pub(super) async fn load_checkpoint(&mut self, config: &StoreConfig) -> Result<WalSequence, StorageError> {
        let path = config.checkpoint_path();
        let Some(file) = read_checkpoint(self.shared.disk.as_ref(), &path).await? else { return Ok(WalSequence::ZERO) };
        let (head, logs) = checkpoint_file::decode(&path, &file, &self.log_config, &self.shared)?;
        check_core(&head, config, &path)?;
        let complete = config.files_complete_up_to(self.shared.disk.as_ref()).await == Some(head.sequence);
        self.logs = logs.into_iter().map(|log| (log.group, log)).collect();
        self.logs.values_mut().for_each(|log| log.disk_state.incomplete = !complete);
        Ok(head.sequence)
    }

    pub(super) fn apply(&mut self, record: WalRecord) {
        if self.failed.is_some() {
            return;
        }
        let group = record.group();
        if let Err(problem) = self.try_apply(record) {
            self.failed = Some(StorageError::ReplayFailed { group, problem });
        }
    }

    fn try_apply(&mut self, record: WalRecord) -> Result<(), String> {
        match record {
            WalRecord::Create { group, descriptor } => self.create(group, descriptor),
            WalRecord::Snapshot { group, descriptor, .. } => {
                self.remove(group);
                self.create(group, descriptor)
            }
            WalRecord::Remove { group } => {
                self.remove(group);
                Ok(())
            }
            WalRecord::Entry { group, entry } => self.append(group, entry),
            WalRecord::HardState { group, state } => {
                if let Some(log) = self.logs.get_mut(&group) {
                    log.hard_state = state;
                }
                Ok(())
            }
            WalRecord::LogStart { group, log_start_offset } => {
                if let Some(log) = self.logs.get_mut(&group) {
                    log.replay_log_start(log_start_offset);
                }
                Ok(())
            }
        }
    }

    /// A group that the checkpoint knows already was created while it was taken.
    fn create(&mut self, group: GroupId, descriptor: Bytes) -> Result<(), String> {
        if self.logs.contains_key(&group) {
            return Ok(());
        }
        let descriptor = LogDescriptor::decode(descriptor).map_err(|error| format!("its descriptor: {error}"))?;
        let log = PartitionLog::new(group, descriptor, Rc::clone(&self.log_config), Rc::clone(&self.shared));
        self.logs.insert(group, log);
        Ok(())
    }

    fn remove(&mut self, group: GroupId) {
        if let Some(mut log) = self.logs.remove(&group) {
            log.disk_state.removed = true;
            self.removed.push(Rc::new(RefCell::new(log)));
        }
    }

    /// Entries of a group that is gone, or that are committed in the checkpoint, are skipped. So are those that were replaced
    /// before the checkpoint was taken, by a leader whose entry before them it has: what replaced them comes later, or never.
    fn append(&mut self, group: GroupId, entry: LogEntry) -> Result<(), String> {
        let Some(log) = self.logs.get_mut(&group).filter(|log| entry.index > log.commit) else { return Ok(()) };
        let before = log.term_at(entry.index.previous());
        let is_replaced = before.is_some_and(|before| entry.term < before);
        if is_replaced || before.is_none() && self.replaced.contains(&group) {
            self.replaced.insert(group);
            return Ok(());
        }
        self.replaced.remove(&group);
        log.try_append(entry).map_err(|error| error.to_string())
    }

    /// What was known to be committed is so again; the rest is for Raft to say.
    pub(super) fn finish(self, config: &StoreConfig) -> Result<Replayed, StorageError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let mut logs = HashMap::with_capacity(self.logs.len());
        for (group, mut log) in self.logs {
            log.finish_replay();
            log.relocate(&config.log_dirs);
            logs.insert(group, Rc::new(RefCell::new(log)));
        }
        // A partition that was removed and created again in the same place keeps its directory.
        let in_use = |dir: &Path| logs.values().any(|log| log.borrow().descriptor().dir == dir);
        let removed = self.removed.into_iter().filter(|log| !in_use(&log.borrow().descriptor().dir)).collect();
        Ok(Replayed { logs, removed })
    }
}

fn check_core(head: &CheckpointHead, config: &StoreConfig, path: &Path) -> Result<(), StorageError> {
    if head.core as usize == config.core {
        return Ok(());
    }
    let problem = format!("it is of core {}, this is core {}", head.core, config.core);
    Err(StorageError::FileDamaged { file: path.to_path_buf(), problem })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use thalweg_protocol::PartitionIndex;

    use super::*;
    use crate::io::sim::SimDisk;
    use crate::log::{CoreLimits, LogPoint};
    use crate::types::{EntryKind, RaftIndex, Term};

    const GROUP: GroupId = GroupId(7);

    fn entry(index: u64, term: u64) -> WalRecord {
        let entry = LogEntry { index: RaftIndex(index), term: Term(term), kind: EntryKind::Noop, data: Bytes::new() };
        WalRecord::Entry { group: GROUP, entry }
    }

    /// As after a checkpoint that has the entries 1 and 2 as committed, of these terms.
    fn from_checkpoint(terms: [u64; 2]) -> Replay {
        let shared = CoreShared::new(SimDisk::new(1).disk(), CoreLimits::default(), TimestampMs(0));
        let mut replay = Replay::new(Rc::new(LogConfig::default()), shared);
        let descriptor = LogDescriptor {
            topic_id: [1; 16],
            topic: "t".to_owned(),
            partition: PartitionIndex(0),
            dir: "/data/t-0".into(),
            voters: vec![1, 2, 3],
            created: TimestampMs(0),
            start: LogPoint::default(),
        };
        replay.apply(WalRecord::Create { group: GROUP, descriptor: descriptor.encode() });
        (1..).zip(terms).for_each(|(index, term)| replay.apply(entry(index, term)));
        replay.logs.get_mut(&GROUP).unwrap().commit(RaftIndex(2));
        replay
    }

    fn terms_behind(mut replay: Replay, records: &[(u64, u64)]) -> Result<Vec<u64>, StorageError> {
        records.iter().for_each(|(index, term)| replay.apply(entry(*index, *term)));
        let replayed = replay.finish(&StoreConfig::default())?;
        let log = replayed.logs.get(&GROUP).unwrap().borrow();
        Ok((3..=log.last_index().0).map(|index| log.term_at(RaftIndex(index)).unwrap().0).collect())
    }

    #[test]
    fn entries_that_were_replaced_before_the_checkpoint_do_not_come_back() {
        // A leader of term 1 wrote 2 to 5; one of term 4 replaced 2, which was committed, and wrote on.
        let old = [(2, 1), (3, 1), (4, 1), (5, 1)];
        assert_eq!(terms_behind(from_checkpoint([1, 4]), &old).unwrap(), Vec::<u64>::new());
        let then = [&old[..], &[(2, 4), (3, 4), (4, 6)]].concat();
        assert_eq!(terms_behind(from_checkpoint([1, 4]), &then).unwrap(), [4, 6]);
    }

    #[test]
    fn a_leader_may_replace_newer_entries_by_older_ones_that_a_majority_had() {
        let records = [(3, 1), (4, 3), (5, 3), (4, 2), (5, 4)];
        assert_eq!(terms_behind(from_checkpoint([1, 1]), &records).unwrap(), [1, 2, 4]);
    }

    #[test]
    fn a_hole_that_nothing_explains_is_still_an_error() {
        assert!(terms_behind(from_checkpoint([1, 1]), &[(4, 1)]).is_err());
        assert!(terms_behind(from_checkpoint([1, 4]), &[(3, 1), (3, 4), (5, 4)]).is_err());
    }
}
