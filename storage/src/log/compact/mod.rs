//! Log compaction: of each key only the newest record stays, in Kafka's way (`LogCleaner`, `Cleaner`).
//!
//! A pass reads what is dirty, notes the newest offset of each key in a map of bounded size, and writes all segments up to
//! there anew, each batch through a pure [`filter`]. What a pass cannot hold in its memory is left to the next. Offsets
//! never change; where records went there are gaps.
//!
//! - **Invariant:** the newest segment is never compacted.
//! - **Invariant:** only transactions whose end is in the log are compacted, or aborted data would hide what came before.
//! - **Invariant:** segments are replaced oldest first, so that a tombstone never goes before what it deletes.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;

use thalweg_protocol::records::BatchHeader;
use thalweg_protocol::{KafkaOffset, TimestampMs};

use self::filter::{Filter, Kept, LastBatches};
use self::key_map::KeyMap;
use self::output::Output;
use self::plan::Cleanable;
use self::survey::{Survey, map_keys};
use self::transactions::MarkerWalk;
use super::piece::{Scan, SegmentView};
use super::segment::Rewritten;
use super::transaction_index::load_aborted;
use super::{AbortedTransaction, CoreShared, FileKind, LogRef, Segment, cleaned_path};
use crate::error::StorageError;
use crate::io::yield_now;

mod filter;
mod key_map;
mod output;
pub(crate) mod plan;
mod survey;
mod swap;
mod transactions;

pub(crate) use self::swap::{CompactionState, Swaps, settle_swaps};

const SCAN_CHUNK_BYTES: usize = 512 << 10;
/// Bytes after which the core's other tasks get a turn.
const BYTES_PER_TURN: usize = 64 << 10;

/// What compaction may use on one core.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct CompactionBudget {
    /// `log.cleaner.enable`
    pub enabled: bool,
    /// This core's share of `log.cleaner.dedupe.buffer.size`.
    pub key_map_bytes: usize,
    /// `log.cleaner.io.buffer.load.factor`
    pub key_map_load_factor: f64,
    /// This core's share of `log.cleaner.io.buffer.size`: what is gathered before it is written.
    pub write_size_bytes: usize,
    /// This core's share of `log.cleaner.io.max.bytes.per.second`.
    pub bytes_per_second_max: f64,
    /// `log.cleaner.backoff.ms`
    pub backoff_ms: u64,
}

impl Default for CompactionBudget {
    fn default() -> Self {
        Self {
            enabled: true,
            key_map_bytes: 128 << 20,
            key_map_load_factor: 0.9,
            write_size_bytes: 512 << 10,
            bytes_per_second_max: f64::MAX,
            backoff_ms: 15_000,
        }
    }
}

/// What a pass did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Compacted {
    pub read_bytes: u64,
    pub written_bytes: u64,
    pub segments_before: u64,
    pub segments_after: u64,
}

/// Holds a pass back: others get their turns, the disk its rest, and the pass ends when it is told to.
pub(crate) struct Pace<'a> {
    shared: &'a CoreShared,
    stop: &'a Cell<bool>,
    bytes_per_second_max: f64,
    unyielded_bytes: usize,
    owed_seconds: f64,
}

/// Shorter pauses are added up.
const PAUSE_LEAST_SECONDS: f64 = 0.02;

impl<'a> Pace<'a> {
    fn new(shared: &'a CoreShared, budget: &CompactionBudget, stop: &'a Cell<bool>) -> Self {
        let bytes_per_second_max = budget.bytes_per_second_max;
        Self { shared, stop, bytes_per_second_max, unyielded_bytes: 0, owed_seconds: 0.0 }
    }

    /// So much was read or written.
    async fn spend(&mut self, bytes: usize) -> Result<(), StorageError> {
        self.unyielded_bytes += bytes;
        self.owed_seconds += bytes as f64 / self.bytes_per_second_max.max(1.0);
        if self.owed_seconds >= PAUSE_LEAST_SECONDS {
            let pause = std::time::Duration::from_secs_f64(std::mem::take(&mut self.owed_seconds));
            self.shared.disk.sleep(pause).await;
        }
        if self.unyielded_bytes >= BYTES_PER_TURN {
            self.unyielded_bytes = 0;
            yield_now().await;
        }
        if self.stop.get() { Err(StorageError::CompactionStopped) } else { Ok(()) }
    }
}

/// One pass over a log that is due. `None` when there was nothing to do after all, or the segments went meanwhile.
///
/// # Errors
/// When the disk fails or is full, a segment is damaged, or `stop` was set.
pub(crate) async fn compact(
    log: &LogRef,
    cleanable: Cleanable,
    now: TimestampMs,
    budget: &CompactionBudget,
    stop: &Cell<bool>,
) -> Result<Option<Compacted>, StorageError> {
    let shared = Rc::clone(&log.borrow().shared);
    let mut pace = Pace::new(&shared, budget, stop);
    tidy(log).await?;
    let parts = Parts::of(log, cleanable);
    let survey = Survey::take(log, &parts.dirty, &parts.beyond, &mut pace).await?;
    let end = survey.decisions.first_undecided();
    let dirty: Vec<SegmentView> =
        parts.dirty.into_iter().take_while(|view| end.is_none_or(|end| view.next_offset <= end)).collect();
    if dirty.is_empty() {
        return Ok(None);
    }
    let mut keys = KeyMap::new(survey.records, budget.key_map_bytes, budget.key_map_load_factor);
    keys.set_up_to(cleanable.first_dirty);
    map_keys(&mut keys, &dirty, cleanable.first_dirty, &survey.decisions, &mut pace).await?;
    let (last_batches, delete_retention_ms) = {
        let log = log.borrow();
        (LastBatches::of(&log.committed_producers()), log.config.delete_retention_ms)
    };
    let mut filter = Filter {
        keys: &keys,
        decisions: &survey.decisions,
        last_batches: &last_batches,
        markers: MarkerWalk::default(),
        now,
        delete_retention_ms,
    };
    let groups = log.borrow().groups_before(keys.up_to());
    let mut done = Compacted::default();
    for group in groups {
        if !rewrite(log, &group, &mut filter, budget, &mut pace, &mut done).await? {
            break;
        }
    }
    log.borrow_mut().compaction.mapped_up_to = keys.up_to();
    Ok((done.segments_before > 0).then_some(done))
}

/// Files of a pass that a crash ended must not be taken for those of this one.
async fn tidy(log: &LogRef) -> Result<(), StorageError> {
    let gate = log.borrow().writing.clone();
    let _passage = gate.pass().await;
    super::flush::tidy_directory(log).await
}

/// The log's segments before anything is written.
struct Parts {
    dirty: Vec<SegmentView>,
    beyond: Vec<SegmentView>,
}

impl Parts {
    fn of(log: &LogRef, cleanable: Cleanable) -> Self {
        let log = log.borrow();
        let views = |range: std::ops::Range<usize>| -> Vec<SegmentView> {
            let segments = log.segments.iter().skip(range.start).take(range.len());
            let dirty = segments.filter(|segment| segment.content.next_offset > cleanable.first_dirty);
            dirty.map(|segment| log.view(segment)).collect()
        };
        Self { dirty: views(0..cleanable.segments), beyond: views(cleanable.segments..log.segments.len()) }
    }
}

/// Segments that become one, and what is known of it.
struct Group {
    sources: Vec<Segment>,
    views: Vec<SegmentView>,
    cleaned: bool,
}

impl Group {
    /// Names the new files: none of these segments had it.
    fn generation(&self) -> u32 {
        self.sources.iter().map(|source| source.rewritten.generation).max().unwrap_or(0) + 1
    }
}

impl super::PartitionLog {
    /// Neighbours that fit one segment together (`Cleaner.groupSegmentsBySize`); one that the key map does not reach the
    /// end of stays alone, since it is looked at again.
    fn groups_before(&self, up_to: KafkaOffset) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        let last = self.segments.len().saturating_sub(1);
        for segment in self.segments.iter().take(last).take_while(|segment| segment.base_offset < up_to) {
            let cleaned = segment.content.next_offset <= up_to;
            let fits = groups.last().is_some_and(|group| group.cleaned && cleaned && self.fits(group, segment));
            match groups.last_mut().filter(|_| fits) {
                Some(group) => {
                    group.sources.push(segment.clone());
                    group.views.push(self.view(segment));
                }
                None => {
                    groups.push(Group { sources: vec![segment.clone()], views: vec![self.view(segment)], cleaned });
                }
            }
        }
        groups
    }

    fn fits(&self, group: &Group, segment: &Segment) -> bool {
        let Some(first) = group.sources.first() else { return true };
        let sources = group.sources.iter().chain([segment]);
        let size_bytes: u64 = sources.map(|source| source.content.size_bytes).sum();
        let index_entries = size_bytes / self.config.index_interval_bytes.max(1);
        let is_near = segment.content.next_offset.since(first.base_offset) <= i64::from(i32::MAX);
        let entries_max = self.config.offset_index_entries_max().min(self.config.time_index_entries_max());
        size_bytes <= self.config.segment_bytes && index_entries < entries_max && is_near
    }
}

/// As [`try_rewrite`]; a pass that fails or is stopped leaves no files behind: the disk may be full.
async fn rewrite(
    log: &LogRef,
    group: &Group,
    filter: &mut Filter<'_>,
    budget: &CompactionBudget,
    pace: &mut Pace<'_>,
    done: &mut Compacted,
) -> Result<bool, StorageError> {
    let result = try_rewrite(log, group, filter, budget, pace, done).await;
    if !matches!(result, Ok(true)) {
        let (shared, dir) = {
            let log = log.borrow();
            (Rc::clone(&log.shared), log.descriptor.dir.clone())
        };
        for kind in FileKind::ALL {
            let base = group.sources.first().map_or(KafkaOffset::ZERO, |source| source.base_offset);
            // Whether or not it is there; a next start looks again.
            let _ = shared.disk.remove_file(&cleaned_path(&dir, base, kind, group.generation())).await;
        }
    }
    result
}

/// The aborted transactions of a segment by their markers.
async fn aborted_in(log: &LogRef, source: &Segment) -> Result<HashMap<KafkaOffset, AbortedTransaction>, StorageError> {
    if source.content.aborted == 0 {
        return Ok(HashMap::new());
    }
    let aborted = load_aborted(log, source.base_offset).await?;
    Ok(aborted.into_iter().map(|aborted| (aborted.last_offset, aborted)).collect())
}

/// False when the segments are no longer what they were.
async fn try_rewrite(
    log: &LogRef,
    group: &Group,
    filter: &mut Filter<'_>,
    budget: &CompactionBudget,
    pace: &mut Pace<'_>,
    done: &mut Compacted,
) -> Result<bool, StorageError> {
    let (Some(first), Some(last)) = (group.sources.first(), group.sources.last()) else { return Ok(true) };
    let (shared, dir, interval) = {
        let log = log.borrow();
        (Rc::clone(&log.shared), log.descriptor.dir.clone(), log.config.index_interval_bytes)
    };
    let mut fresh = Segment::new(first.base_offset, first.base_index, last.created);
    fresh.rewritten = Rewritten { generation: group.generation(), cleaned: group.cleaned, in_place: false };
    let had_aborted = group.sources.iter().any(|source| source.content.aborted > 0);
    let mut output = Output::create(shared, dir, fresh, interval, budget.write_size_bytes, had_aborted).await?;
    for (view, source) in group.views.iter().zip(&group.sources) {
        let aborted = aborted_in(log, source).await?;
        let mut scan = Scan::new(view.clone(), 0, SCAN_CHUNK_BYTES);
        while let Some((header, position)) = scan.next().await? {
            let batch = scan.batch(&header, position).await?;
            pace.spend(batch.len()).await?;
            let damaged = |error: thalweg_protocol::records::RecordError| view.damaged(position, error.to_string());
            thalweg_protocol::records::BatchView::first(&batch).and_then(|view| view.check_crc()).map_err(damaged)?;
            let (header, batch) = match filter.apply(&header, &batch).map_err(damaged)? {
                Kept::Nothing => continue,
                // In memory of its own: a slice would keep the whole chunk.
                Kept::Whole => (header, bytes::Bytes::copy_from_slice(&batch)),
                Kept::Changed(batch) => (BatchHeader::parse(&batch).map_err(damaged)?, batch),
            };
            pace.spend(batch.len()).await?;
            output.add(&header, batch).await?;
            // Of a marker that was emptied nothing is left to leave out, and no reader would see where it ends.
            if header.records_count > 0
                && let Some(aborted) = aborted.get(&header.base_offset)
            {
                output.add_aborted(aborted);
            }
        }
    }
    let written_bytes = output.size_bytes();
    let mut fresh = output.finish().await?;
    fresh.content.next_offset = last.content.next_offset;
    let gate = log.borrow().writing.clone();
    let _passage = gate.pass().await;
    if !log.borrow_mut().replace_segments(&group.sources, fresh) {
        return Ok(false);
    }
    done.read_bytes += group.sources.iter().map(|source| source.content.size_bytes).sum::<u64>();
    done.written_bytes += written_bytes;
    done.segments_before += group.sources.len() as u64;
    done.segments_after += 1;
    Ok(true)
}
