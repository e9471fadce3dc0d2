//! A log's files are copied into another directory while it goes on being written, and then it changes over to them.
//!
//! What segments hold never changes, so a pass copies what is new since the last one; passes are repeated until little is
//! left, and the rest is copied while nothing is written. The copy ends where the files end: the fragments are in memory,
//! and go on from there.

mod file;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use thalweg_protocol::KafkaOffset;

use self::file::FileCopy;
use super::file_names::parse_snapshot_name;
use super::segment::FilePlace;
use super::{FileKind, LogRef, PartitionLog, Segment, Unsynced, file_path};
use crate::error::StorageError;
use crate::io::Disk;

/// What can be made anew from a segment's log.
const INDEXES: [FileKind; 3] = [FileKind::OffsetIndex, FileKind::TimeIndex, FileKind::TransactionIndex];

/// A log on its way to another directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Moving {
    /// Where it will be.
    pub dir: PathBuf,
    /// What has been copied of its segments.
    pub copied_bytes: u64,
    /// Everything before this offset has.
    pub copied_offset: KafkaOffset,
    /// Tells this move from another that was begun since.
    pub(crate) token: u64,
}

/// The copy while it is made.
pub(crate) struct LogCopy {
    log: LogRef,
    disk: Rc<dyn Disk>,
    dir: PathBuf,
    token: u64,
    copied: BTreeMap<KafkaOffset, Copied>,
    /// Everybody waits for it: no rests.
    hurries: bool,
}

/// How far a segment is copied.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Copied {
    generation: u32,
    log_bytes: u64,
    /// All of its files: nothing will be added to it.
    sealed: bool,
}

/// A segment as it is to be copied.
struct Source {
    base: KafkaOffset,
    next_offset: KafkaOffset,
    generation: u32,
    sealed: bool,
    log_bytes: u64,
    index_bytes: [u64; 3],
    /// Only then it has a transaction index.
    has_aborted: bool,
    places: [FilePlace; 4],
}

impl LogCopy {
    /// Begins anew in `dir`, whatever is there.
    pub(crate) async fn begin(log: LogRef, dir: PathBuf, token: u64) -> Result<Self, StorageError> {
        let disk = Rc::clone(&log.borrow().shared.disk);
        remove_dir(disk.as_ref(), &dir).await?;
        disk.create_dir_all(&dir).await.map_err(StorageError::io("create", &dir))?;
        Ok(Self { log, disk, dir, token, copied: BTreeMap::new(), hurries: false })
    }

    /// Nobody wants it any more: the replica was removed, or is to go elsewhere.
    pub(crate) fn is_called_off(&self) -> bool {
        let log = self.log.borrow();
        log.disk_state.removed || log.disk_state.moving.as_ref().is_none_or(|moving| moving.token != self.token)
    }

    /// Copies what is new, and gives its size.
    pub(crate) async fn pass(&mut self) -> Result<u64, StorageError> {
        let sources = self.log.borrow().sources();
        let mut bytes = 0;
        for source in &sources {
            if self.is_called_off() {
                break;
            }
            bytes += self.copy_segment(source).await?;
        }
        Ok(bytes)
    }

    async fn copy_segment(&mut self, source: &Source) -> Result<u64, StorageError> {
        let known = self.copied.get(&source.base).copied().filter(|known| known.generation == source.generation);
        if known.is_some_and(|known| known.sealed || (!source.sealed && known.log_bytes == source.log_bytes)) {
            return Ok(0);
        }
        if known.is_none() {
            self.remove_segment(source.base).await?;
        }
        let from = known.map_or(0, |known| known.log_bytes);
        let [log, indexes @ ..] = &source.places;
        let path = file_path(&self.dir, source.base, FileKind::Log);
        if matches!(self.copy_file(log, &path, from..source.log_bytes).await?, FileCopy::Changed) {
            return self.changed(source, &path).map(|()| 0);
        }
        if source.sealed {
            for (place, kind) in indexes.iter().zip(INDEXES) {
                if kind != FileKind::TransactionIndex || source.has_aborted {
                    self.copy_index(place, &file_path(&self.dir, source.base, kind)).await?;
                }
            }
            self.sync(source.base).await?;
        }
        let now = Copied { generation: source.generation, log_bytes: source.log_bytes, sealed: source.sealed };
        self.copied.insert(source.base, now);
        self.note_progress(source.next_offset);
        Ok(source.log_bytes - from)
    }

    /// A segment whose files were not as they should be: it must have gone or have been replaced, else it is damaged.
    fn changed(&mut self, source: &Source, path: &Path) -> Result<(), StorageError> {
        self.copied.remove(&source.base);
        if self.is_called_off() {
            return Ok(());
        }
        let log = self.log.borrow();
        let same = |segment: &Segment| segment.rewritten.generation == source.generation;
        if !log.segment_at(source.base).is_some_and(same) {
            return Ok(());
        }
        let problem = "it is shorter than it was, and cannot be copied".to_owned();
        Err(StorageError::SegmentDamaged { file: path.to_path_buf(), position: source.log_bytes, problem })
    }

    fn note_progress(&self, next_offset: KafkaOffset) {
        let bytes = self.copied.values().map(|copied| copied.log_bytes).sum();
        if let Some(moving) = &mut self.log.borrow_mut().disk_state.moving
            && moving.token == self.token
        {
            moving.copied_bytes = bytes;
            moving.copied_offset = next_offset;
        }
    }

    /// The rest, and the change over to `to`; false if it was called off. Nothing may write into the log, compact it or
    /// take a checkpoint meanwhile: the caller is through all three gates.
    pub(crate) async fn finish(mut self, to: &Path) -> Result<bool, StorageError> {
        self.hurries = true;
        self.pass().await?;
        self.copy_active_indexes().await?;
        self.remove_strays().await?;
        self.copy_aids().await?;
        for (base, copied) in self.copied.clone() {
            if !copied.sealed {
                self.sync(base).await?;
            }
        }
        if self.is_called_off() {
            self.abandon().await?;
            return Ok(false);
        }
        self.disk.sync_dir(&self.dir).await.map_err(StorageError::io("sync", &self.dir))?;
        self.disk.rename(&self.dir, to).await.map_err(StorageError::io("rename", &self.dir))?;
        let parent = to.parent().unwrap_or(to);
        self.disk.sync_dir(parent).await.map_err(StorageError::io("sync", parent))?;
        self.log.borrow_mut().change_directory(to);
        Ok(true)
    }

    /// Gives up: the log is as it was.
    pub(crate) async fn abandon(self) -> Result<(), StorageError> {
        self.forget();
        remove_dir(self.disk.as_ref(), &self.dir).await
    }

    fn forget(&self) {
        let mut log = self.log.borrow_mut();
        if log.disk_state.moving.as_ref().is_some_and(|moving| moving.token == self.token) {
            log.disk_state.moving = None;
        }
    }

    /// The indexes of the segment that is being written, as far as they are in files.
    async fn copy_active_indexes(&self) -> Result<(), StorageError> {
        let sources = self.log.borrow().sources();
        let Some(active) = sources.iter().find(|source| !source.sealed) else { return Ok(()) };
        let [_, indexes @ ..] = &active.places;
        for ((place, kind), bytes) in indexes.iter().zip(INDEXES).zip(active.index_bytes) {
            // One that is missing or too short is made anew when it is next written.
            self.copy_file(place, &file_path(&self.dir, active.base, kind), 0..bytes).await?;
        }
        Ok(())
    }

    /// Copies of segments that have gone since.
    async fn remove_strays(&mut self) -> Result<(), StorageError> {
        let gone: Vec<KafkaOffset> = {
            let log = self.log.borrow();
            self.copied.keys().copied().filter(|base| log.segment_at(*base).is_none()).collect()
        };
        for base in gone {
            self.copied.remove(&base);
            self.remove_segment(base).await?;
        }
        Ok(())
    }

    async fn remove_segment(&self, base: KafkaOffset) -> Result<(), StorageError> {
        for kind in FileKind::ALL {
            self.remove_file(&file_path(&self.dir, base, kind)).await?;
        }
        Ok(())
    }

    async fn remove_file(&self, path: &Path) -> Result<(), StorageError> {
        match self.disk.remove_file(path).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(StorageError::io("remove", path)),
        }
    }

    /// What lies beside the segments for other programs. Doing without is possible.
    async fn copy_aids(&self) -> Result<(), StorageError> {
        let dir = self.log.borrow().descriptor.dir.clone();
        let names = self.disk.read_dir(&dir).await.map_err(StorageError::io("list", &dir))?;
        for name in names {
            let is_snapshot = parse_snapshot_name(&name).is_some();
            let is_text =
                [Path::new("leader-epoch-checkpoint"), Path::new("partition.metadata")].contains(&name.as_path());
            if !is_snapshot && !is_text {
                continue;
            }
            if let Ok(content) = self.disk.read_file(&dir.join(&name)).await
                && let Err(error) = self.disk.write_file(&self.dir.join(&name), content).await
            {
                tracing::warn!(name = %name.display(), %error, "not copied; only other programs miss this file");
            }
        }
        Ok(())
    }
}

impl PartitionLog {
    /// The move that is under way.
    pub fn moving(&self) -> Option<&Moving> {
        self.disk_state.moving.as_ref()
    }

    fn sources(&self) -> Vec<Source> {
        self.segments.iter().map(|segment| self.source(segment)).collect()
    }

    fn source(&self, segment: &Segment) -> Source {
        let written = |kind| segment.active.as_ref().map_or(0, |active| active.file(kind).written);
        Source {
            base: segment.base_offset,
            next_offset: segment.content.next_offset,
            generation: segment.rewritten.generation,
            sealed: segment.active.is_none(),
            log_bytes: segment.file_bytes(),
            index_bytes: INDEXES.map(written),
            has_aborted: segment.content.aborted > 0,
            places: FileKind::ALL.map(|kind| segment.place(&self.descriptor.dir, kind)),
        }
    }

    /// The files are in `dir` now, durably, as far as segments say they are written.
    fn change_directory(&mut self, dir: &Path) {
        let old = self.descriptor.dir.clone();
        let mut descriptor = self.descriptor.as_ref().clone();
        descriptor.dir = dir.to_path_buf();
        self.descriptor = Rc::new(descriptor);
        for segment in &mut self.segments {
            // Whoever reads the old files looks again, and finds the new.
            std::mem::take(&mut segment.identity).retire();
            segment.rewritten.in_place = segment.rewritten.generation > 0;
            if let Some(active) = &mut segment.active {
                active.prepared = [false; 4];
            }
        }
        self.shared.files.close_matching(|open| open.starts_with(&old));
        self.shared.windows.forget(self.group, |_| true);
        self.shared.indexes.forget(self.group, |_| true);
        self.forget_merged();
        // What was to be deleted goes with the old directory.
        self.disk_state.doomed.clear();
        self.disk_state.unsynced = Unsynced::default();
        self.disk_state.tidy = false;
        self.disk_state.incomplete = true;
        self.disk_state.moving = None;
    }
}

pub(crate) async fn remove_dir(disk: &dyn Disk, dir: &Path) -> Result<(), StorageError> {
    match disk.remove_dir_all(dir).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(StorageError::io("remove", dir)),
    }
}
