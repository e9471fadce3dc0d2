//! Deleting files in the background, as Kafka does: renamed at once, removed after `file.delete.delay.ms`.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};

use thalweg_protocol::{KafkaOffset, TimestampMs};

use super::Inner;
use super::move_log::FUTURE_SUFFIX;
use crate::error::StorageError;
use crate::event::Gate;
use crate::io::Disk;
use crate::log::{FileKind, LogRef, SNAPSHOT_SUFFIX, cleaned_path, file_name, remove_dir};
use crate::types::{GroupId, WalSequence};

/// What is to be deleted on one core.
#[derive(Default)]
pub(super) struct Deleter {
    /// Replicas whose removal is in the write-ahead log under this sequence.
    removals: RefCell<VecDeque<(LogRef, WalSequence)>>,
    /// Directories in which replicas were renamed since the last checkpoint, and perhaps not durably.
    renamed_in: RefCell<BTreeSet<PathBuf>>,
    doomed: RefCell<Vec<Doomed>>,
    gate: Gate,
}

/// Renamed already.
struct Doomed {
    path: PathBuf,
    is_directory: bool,
    due: TimestampMs,
}

/// File names are at most this long (`UnifiedLog.logDeleteDirName` cuts the topic for it).
const NAME_LEN_MAX: usize = 255;

impl Deleter {
    pub(super) fn remove_log(&self, log: LogRef, sequence: WalSequence) {
        self.removals.borrow_mut().push_back((log, sequence));
    }

    /// Gets the directories of removed replicas out of the way, so that a topic of the same name can be created.
    pub(super) async fn finish_removals(&self, inner: &Inner) -> Result<(), StorageError> {
        loop {
            let next = self.removals.borrow().front().map(|(_, sequence)| *sequence);
            let Some(sequence) = next else { return Ok(()) };
            // Not behind the gate: only a checkpoint, which passes it too, makes room in a full write-ahead log.
            inner.wait_durable(sequence).await?;
            self.rename_up_to(inner, sequence).await?;
        }
    }

    /// Before a checkpoint that covers the records up to `covered`: its reader will not meet those removals again, so
    /// their directories must have gone for good.
    pub(super) async fn settle_removals(&self, inner: &Inner, covered: WalSequence) -> Result<(), StorageError> {
        self.rename_up_to(inner, covered).await?;
        let renamed_in = self.renamed_in.take();
        for dir in renamed_in {
            is_done(inner.shared.disk.sync_dir(&dir).await).map_err(StorageError::io("sync", &dir))?;
        }
        Ok(())
    }

    async fn rename_up_to(&self, inner: &Inner, sequence: WalSequence) -> Result<(), StorageError> {
        let _passage = self.gate.pass().await;
        loop {
            let next = self.removals.borrow().front().filter(|(_, removal)| *removal <= sequence).cloned();
            let Some((log, _)) = next else { return Ok(()) };
            self.rename_directory(inner, &log).await?;
            self.removals.borrow_mut().pop_front();
        }
    }

    /// Replicas whose removal a reader of the checkpoint will meet in the write-ahead log: it must know them.
    pub(super) fn pending(&self) -> Vec<LogRef> {
        self.removals.borrow().iter().map(|(log, _)| LogRef::clone(log)).collect()
    }

    async fn rename_directory(&self, inner: &Inner, log: &LogRef) -> Result<(), StorageError> {
        let gate = log.borrow().writing.clone();
        // A flush that is under way ends first.
        let _passage = gate.pass().await;
        let (group, dir, delay_ms) = {
            let log = log.borrow();
            (log.group(), log.descriptor().dir.clone(), log.config().file_delete_delay_ms)
        };
        inner.shared.files.close_matching(|path| path.starts_with(&dir));
        inner.shared.windows.forget(group, |_| true);
        inner.shared.indexes.forget(group, |_| true);
        let to = dir.with_file_name(deleted_name(&dir, group));
        if is_done(inner.shared.disk.rename(&dir, &to).await).map_err(StorageError::io("rename", &dir))? {
            self.renamed_in.borrow_mut().extend(dir.parent().map(Path::to_path_buf));
            self.doom(inner, to, true, delay_ms);
        }
        Ok(())
    }

    /// Segments that retention took out of a log whose new start is durable.
    pub(super) async fn delete_segments(&self, inner: &Inner, log: &LogRef) -> Result<(), StorageError> {
        let (dir, gone, delay_ms) = {
            let mut log = log.borrow_mut();
            let gone = std::mem::take(&mut log.disk_state.doomed);
            (log.descriptor().dir.clone(), gone, log.config().file_delete_delay_ms)
        };
        for (base, generation) in gone {
            self.delete_segment(inner, &dir, base, delay_ms).await?;
            let waiting = FileKind::ALL.into_iter().zip(generation.into_iter().cycle());
            for (kind, generation) in waiting {
                self.delete_file(inner, cleaned_path(&dir, base, kind, generation), delay_ms).await?;
            }
        }
        Ok(())
    }

    /// Segments that compaction merged into others, which a durable checkpoint refers to.
    pub(super) async fn delete_merged(
        &self,
        inner: &Inner,
        log: &LogRef,
        merged: &[KafkaOffset],
    ) -> Result<(), StorageError> {
        let (dir, delay_ms) = {
            let log = log.borrow();
            (log.descriptor().dir.clone(), log.config().file_delete_delay_ms)
        };
        for base in merged {
            self.delete_segment(inner, &dir, *base, delay_ms).await?;
        }
        Ok(())
    }

    async fn delete_segment(
        &self,
        inner: &Inner,
        dir: &Path,
        base: KafkaOffset,
        delay_ms: i64,
    ) -> Result<(), StorageError> {
        for suffix in FileKind::ALL.map(FileKind::suffix).into_iter().chain([SNAPSHOT_SUFFIX]) {
            self.delete_file(inner, dir.join(file_name(base, suffix)), delay_ms).await?;
        }
        Ok(())
    }

    async fn delete_file(&self, inner: &Inner, path: PathBuf, delay_ms: i64) -> Result<(), StorageError> {
        inner.shared.files.close_matching(|open| open == path);
        let mut to = path.clone().into_os_string();
        to.push(".deleted");
        let to = PathBuf::from(to);
        if is_done(inner.shared.disk.rename(&path, &to).await).map_err(StorageError::io("rename", &path))? {
            self.doom(inner, to, false, delay_ms);
        }
        Ok(())
    }

    fn doom(&self, inner: &Inner, path: PathBuf, is_directory: bool, delay_ms: i64) {
        let due = TimestampMs(inner.shared.now().0.saturating_add(delay_ms));
        self.doomed.borrow_mut().push(Doomed { path, is_directory, due });
    }

    /// Removes what is due.
    pub(super) async fn sweep(&self, inner: &Inner, now: TimestampMs) -> Result<(), StorageError> {
        let _passage = self.gate.pass().await;
        loop {
            let due = {
                let mut doomed = self.doomed.borrow_mut();
                let at = doomed.iter().position(|doomed| doomed.due <= now);
                at.map(|at| doomed.swap_remove(at))
            };
            let Some(due) = due else { return Ok(()) };
            remove(inner.shared.disk.as_ref(), &due).await?;
        }
    }

    /// A move to another directory of `log.dirs` was cut short, before its checkpoint or behind it: what no log here
    /// calls its own, and has the name of one, is the other copy.
    pub(super) async fn find_misplaced(&self, inner: &Inner) -> Result<(), StorageError> {
        if inner.config.log_dirs.len() < 2 {
            return Ok(());
        }
        for log_dir in &inner.config.log_dirs {
            let names = match inner.shared.disk.read_dir(log_dir).await {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                names => names.map_err(StorageError::io("list", log_dir))?,
            };
            let names: BTreeSet<PathBuf> = names.into_iter().map(|name| log_dir.join(name)).collect();
            for (path, group) in self.misplaced(inner, &names) {
                self.remove_directory(inner, &path, group).await?;
            }
        }
        Ok(())
    }

    fn misplaced(&self, inner: &Inner, found: &BTreeSet<PathBuf>) -> Vec<(PathBuf, GroupId)> {
        let mut logs = inner.all_logs();
        logs.extend(self.pending());
        let own: BTreeSet<PathBuf> = logs.iter().map(|log| log.borrow().descriptor().dir.clone()).collect();
        let twin = |log: &LogRef| {
            let log = log.borrow();
            let name = log.descriptor().dir.file_name()?;
            let twin = found.iter().find(|path| path.file_name() == Some(name) && !own.contains(*path))?;
            Some((twin.clone(), log.group()))
        };
        logs.iter().filter_map(twin).collect()
    }

    /// Gets a directory that no log uses any more out of the way, and removes it.
    pub(super) async fn remove_directory(&self, inner: &Inner, dir: &Path, group: GroupId) -> Result<(), StorageError> {
        let _passage = self.gate.pass().await;
        let to = dir.with_file_name(deleted_name(dir, group));
        // A replica that goes to and fro leaves a directory of this name each time.
        remove_dir(inner.shared.disk.as_ref(), &to).await?;
        if is_done(inner.shared.disk.rename(dir, &to).await).map_err(StorageError::io("rename", dir))? {
            self.doom(inner, to, true, 0);
        }
        Ok(())
    }

    /// Directories that were renamed before the process stopped, and copies that were not finished.
    pub(super) async fn find_leftovers(&self, inner: &Inner) -> Result<(), StorageError> {
        for log_dir in &inner.config.log_dirs {
            let names = match inner.shared.disk.read_dir(log_dir).await {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                names => names.map_err(StorageError::io("list", log_dir))?,
            };
            let is_leftover = |name: &str| name.ends_with("-delete") || name.ends_with(FUTURE_SUFFIX);
            let leftovers = names.into_iter().filter(|name| name.to_str().is_some_and(is_leftover));
            leftovers.for_each(|name| self.doom(inner, log_dir.join(name), true, 0));
        }
        Ok(())
    }
}

async fn remove(disk: &dyn Disk, due: &Doomed) -> Result<(), StorageError> {
    let removed =
        if due.is_directory { disk.remove_dir_all(&due.path).await } else { disk.remove_file(&due.path).await };
    is_done(removed).map(|_| ()).map_err(StorageError::io("remove", &due.path))
}

/// False when there was nothing to do it with.
fn is_done(result: io::Result<()>) -> io::Result<bool> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        result => result.map(|()| true),
    }
}

/// `<topic>-<partition>.<unique>-delete`; the group's number is unique.
fn deleted_name(dir: &Path, group: GroupId) -> String {
    let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let suffix = format!(".{:032x}-delete", group.0);
    let kept: String = name.chars().take(NAME_LEN_MAX - suffix.len()).collect();
    kept + &suffix
}
