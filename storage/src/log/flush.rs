//! Committed entries go into segments: whole blocks to the disk, the rest into the fragment in memory.
//!
//! Nothing here changes the log before its writes have succeeded: a full disk leaves it as it was.

use std::rc::Rc;

use bytes::Bytes;
use thalweg_protocol::KafkaOffset;
use thalweg_protocol::records::BatchHeader;

use self::complete::complete_files;
pub(super) use self::prepare::tidy_directory;
use self::prepare::{file_for_writing, write_staged};
use self::roll::roll;
use super::block_tail::Staged;
use super::segment::{Active, Content, FileKind, IndexEntries, Segment};
use super::shared::{add, subtract};
use super::transactions::{AbortedTransaction, Control, Part};
use super::{LogPoint, LogRef, PartitionLog, Unsynced};
use crate::error::StorageError;
use crate::types::LogEntry;

mod aids;
mod complete;
mod prepare;
mod roll;

/// Bytes of batches that are written in one go.
const PIECE_SIZE_MAX_BYTES: usize = 4 << 20;

/// How far a flush goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlushMode {
    /// Whole blocks are written, nothing is synced.
    FullBlocks,
    /// And are on the device afterwards.
    ForCheckpoint,
    /// And the files are completed, so that other programs can read them whole. A checkpoint that holds the fragments
    /// must be durable before.
    Shutdown,
}

/// Writes what is committed into segments.
///
/// # Errors
/// When the disk fails or is full. The log is as it was before the failed write; a later flush tries again.
pub async fn flush(log: &LogRef, mode: FlushMode) -> Result<(), StorageError> {
    let gate = log.borrow().writing.clone();
    let _passage = gate.pass().await;
    write_committed(log).await?;
    if mode != FlushMode::FullBlocks {
        sync_files(log).await?;
    }
    if mode == FlushMode::Shutdown {
        complete_files(log).await?;
    }
    Ok(())
}

/// The caller is through the log's gate.
pub(super) async fn write_committed(log: &LogRef) -> Result<(), StorageError> {
    loop {
        let step = log.borrow().plan_flush();
        match step {
            Step::Done => return Ok(()),
            Step::Roll => roll(log).await?,
            Step::Write(piece) => write_piece(log, *piece).await?,
        }
    }
}

async fn write_piece(log: &LogRef, mut piece: Piece) -> Result<(), StorageError> {
    if let Some(fresh) = piece.fresh.take() {
        log.borrow_mut().segments.push_back(fresh);
    }
    if let Some(batches) = &mut piece.batches {
        for (kind, staged) in FileKind::ALL.into_iter().zip(&mut batches.staged) {
            if staged.needs_file() {
                let file = file_for_writing(log, kind).await?;
                write_staged(log, kind, &file, staged).await?;
            }
        }
    }
    log.borrow_mut().finish_flush(piece);
    Ok(())
}

/// Makes durable what was written since the last time.
///
/// What is to be synced is taken off the list first: a flush that goes on meanwhile puts its files there anew.
pub(crate) async fn sync_files(log: &LogRef) -> Result<(), StorageError> {
    let unsynced = {
        let mut log = log.borrow_mut();
        if log.disk_state.removed { Unsynced::default() } else { std::mem::take(&mut log.disk_state.unsynced) }
    };
    let result = sync_taken(log, &unsynced).await;
    if result.is_err() {
        log.borrow_mut().disk_state.unsynced.put_back(unsynced);
    }
    result
}

async fn sync_taken(log: &LogRef, unsynced: &Unsynced) -> Result<(), StorageError> {
    let (shared, dir) = {
        let log = log.borrow();
        (Rc::clone(&log.shared), log.descriptor.dir.clone())
    };
    for base in &unsynced.segments {
        // The other indexes are soon built again where they are missing.
        for kind in [FileKind::Log, FileKind::TransactionIndex] {
            if kind == FileKind::TransactionIndex && !log.borrow().has_transaction_index(*base) {
                continue;
            }
            let path = super::file_path(&dir, *base, kind);
            let file = match shared.files.open(shared.disk.as_ref(), &path).await {
                // Retention took it meanwhile, or the whole replica was removed.
                Err(_) if !log.borrow().has_segment(*base) || log.borrow().disk_state.removed => continue,
                opened => opened.map_err(StorageError::io("open", &path))?,
            };
            file.fdatasync().await.map_err(StorageError::io("sync", &path))?;
        }
    }
    let parent = dir.parent().filter(|_| unsynced.directory);
    for changed in parent.into_iter().chain(unsynced.names.then_some(dir.as_path())) {
        match shared.disk.sync_dir(changed).await {
            Err(_) if log.borrow().disk_state.removed => {}
            synced => synced.map_err(StorageError::io("sync", changed))?,
        }
    }
    Ok(())
}

enum Step {
    Done,
    /// The active segment is full: seal it first.
    Roll,
    Write(Box<Piece>),
}

/// Consecutive committed entries, and what writing them makes of the log.
struct Piece {
    /// The segment to begin with it.
    fresh: Option<Segment>,
    batches: Option<Batches>,
    raft_only: Vec<(LogEntry, KafkaOffset)>,
    flushed: LogPoint,
}

/// The batches of a piece, laid out for the files.
struct Batches {
    staged: [Staged; FileKind::ALL.len()],
    /// Headers of those that idempotent producers wrote, and what control batches say.
    produced: Vec<(BatchHeader, Option<Control>)>,
    content: Content,
    bytes: usize,
}

/// Batches while they are being gathered.
struct Gathering {
    segment: Segment,
    is_fresh: bool,
    parts: Vec<Bytes>,
    indexes: IndexEntries,
    produced: Vec<(BatchHeader, Option<Control>)>,
    bytes: usize,
}

impl PartitionLog {
    fn has_segment(&self, base: KafkaOffset) -> bool {
        self.segments.iter().any(|segment| segment.base_offset == base)
    }

    /// Whether something of the segment's transaction index was written into a file and is perhaps not on the device.
    fn has_transaction_index(&self, base: KafkaOffset) -> bool {
        self.segment_at(base).is_some_and(|segment| match &segment.active {
            Some(active) => active.file(FileKind::TransactionIndex).written > 0,
            // Compaction gives a segment its files only when they are on the device.
            None => segment.content.aborted > 0 && segment.rewritten.generation == 0,
        })
    }

    fn active_segment(&self) -> Option<&Segment> {
        self.segments.back().filter(|segment| segment.active.is_some())
    }

    fn plan_flush(&self) -> Step {
        if self.disk_state.removed {
            return Step::Done;
        }
        let mut gathering: Option<Gathering> = None;
        let mut raft_only = Vec::new();
        let mut flushed = self.flushed;
        let committed = self.tail.from(self.flushed.index.next()).take_while(|entry| entry.entry.index <= self.commit);
        for entry in committed {
            if entry.is_batch() {
                let header = self.header_of(&entry.entry);
                let into = gathering.get_or_insert_with(|| self.gather_into(&entry.entry, &header));
                if into.must_roll(&header, self) {
                    if flushed == self.flushed {
                        return Step::Roll;
                    }
                    break;
                }
                let aborted = self.transactions.unflushed_at(header.base_offset);
                into.add(&header, &entry.entry.data, self.config.index_interval_bytes, aborted);
            } else {
                raft_only.push((entry.entry.clone(), entry.base_offset));
            }
            flushed = LogPoint { index: entry.entry.index, term: entry.entry.term, next_offset: entry.next_offset };
            if gathering.as_ref().is_some_and(|gathering| gathering.bytes >= PIECE_SIZE_MAX_BYTES) {
                break;
            }
        }
        if flushed == self.flushed {
            return Step::Done;
        }
        Step::Write(Box::new(self.piece(gathering, raft_only, flushed)))
    }

    fn header_of(&self, entry: &LogEntry) -> BatchHeader {
        match BatchHeader::parse(&entry.data) {
            Ok(header) => header,
            Err(error) => {
                unreachable!("group {}: entry {} was a batch when appended: {error}", self.group, entry.index)
            }
        }
    }

    fn gather_into(&self, entry: &LogEntry, header: &BatchHeader) -> Gathering {
        let fresh = || Segment::new(header.base_offset, entry.index, self.shared.now());
        let (segment, is_fresh) = match self.active_segment() {
            Some(active) => (active.clone(), false),
            None => (fresh(), true),
        };
        Gathering {
            segment,
            is_fresh,
            parts: Vec::new(),
            indexes: IndexEntries::default(),
            produced: Vec::new(),
            bytes: 0,
        }
    }

    fn piece(&self, gathering: Option<Gathering>, raft_only: Vec<(LogEntry, KafkaOffset)>, flushed: LogPoint) -> Piece {
        let Some(gathering) = gathering.filter(|gathering| gathering.bytes > 0) else {
            return Piece { fresh: None, batches: None, raft_only, flushed };
        };
        let disk = self.shared.disk.as_ref();
        let active = gathering.active();
        let offsets = Bytes::from(gathering.indexes.offsets);
        let times = Bytes::from(gathering.indexes.times);
        let aborted = Bytes::from(gathering.indexes.aborted);
        let staged = [
            active.file(FileKind::Log).stage(disk, &gathering.parts),
            active.file(FileKind::OffsetIndex).stage(disk, &[offsets]),
            active.file(FileKind::TimeIndex).stage(disk, &[times]),
            active.file(FileKind::TransactionIndex).stage(disk, &[aborted]),
        ];
        let content = gathering.segment.content.clone();
        let batches = Batches { staged, produced: gathering.produced, content, bytes: gathering.bytes };
        let empty =
            || Segment::new(gathering.segment.base_offset, gathering.segment.base_index, gathering.segment.created);
        Piece { fresh: gathering.is_fresh.then(empty), batches: Some(batches), raft_only, flushed }
    }

    fn finish_flush(&mut self, piece: Piece) {
        if let Some(batches) = piece.batches {
            self.finish_batches(batches);
        }
        for (entry, offset) in piece.raft_only {
            self.offset_map.push(entry, offset);
        }
        let now_flushed = self.tail.from(self.flushed.index.next());
        let moved: usize = now_flushed
            .take_while(|entry| entry.entry.index <= piece.flushed.index)
            .map(|entry| entry.size_bytes())
            .sum();
        subtract(&self.shared.memory.unflushed_bytes, moved);
        add(&self.shared.memory.cached_bytes, moved);
        self.flushed = piece.flushed;
        self.transactions.flushed(self.flushed.next_offset);
        self.shared.flushed(self.group, self.flushed.index);
        self.assert_order();
    }

    fn finish_batches(&mut self, batches: Batches) {
        for (header, control) in &batches.produced {
            self.flushed_producers.record_final(header, *control);
            if let Some(part) = Part::of(header, *control) {
                self.flushed_transactions.apply(part, header.base_offset);
            }
        }
        self.flushable_bytes -= batches.bytes;
        let Some(segment) = self.segments.back_mut() else { return };
        let Some(active) = &mut segment.active else { return };
        let [log, offsets, times, aborted] = batches.staged;
        let grows = |staged: &Staged, kind| staged.next.written > active.file(kind).written;
        if grows(&log, FileKind::Log) || grows(&aborted, FileKind::TransactionIndex) {
            self.disk_state.unsynced.note(segment.base_offset);
        }
        active.files = [log.next, offsets.next, times.next, aborted.next];
        segment.content = batches.content;
        assert_eq!(
            active.file(FileKind::Log).len(),
            segment.content.size_bytes,
            "every byte is written or in the fragment"
        );
    }
}

impl Gathering {
    fn active(&self) -> Active {
        self.segment.active.as_deref().cloned().unwrap_or_default()
    }

    fn must_roll(&self, header: &BatchHeader, log: &PartitionLog) -> bool {
        let active = self.segment.active.as_deref();
        let len = |kind| active.map_or(0, |active| active.file(kind).len());
        let offsets = len(FileKind::OffsetIndex) + self.indexes.offsets.len() as u64;
        let times = len(FileKind::TimeIndex) + self.indexes.times.len() as u64;
        let segment = (self.segment.base_offset, self.segment.created);
        self.segment.content.must_roll(segment, header, (offsets, times), &log.config, log.shared.now())
    }

    fn add(&mut self, header: &BatchHeader, data: &Bytes, interval: u64, aborted: Option<AbortedTransaction>) {
        self.segment.content.add(self.segment.base_offset, header, interval, &mut self.indexes);
        if let Some(aborted) = aborted {
            self.segment.content.add_aborted(&aborted, &mut self.indexes);
        }
        if header.has_producer_id() {
            // It was read when it was appended.
            self.produced.push((*header, Control::of(header, data).unwrap_or(Some(Control::Other))));
        }
        self.bytes += data.len();
        self.parts.push(data.clone());
    }
}
