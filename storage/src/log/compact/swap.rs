//! A compacted segment takes the place of those it was made from: in memory first, then in a checkpoint, then under
//! their names.
//!
//! | the checkpoint says | `.<generation>.cleaned` exists | the segment's file is |
//! |---|---|---|
//! | never rewritten | whatever | `.log`; what was cleaned is garbage |
//! | generation g | g does | `.g.cleaned`; `.log` is what it replaces |
//! | generation g | g does not | `.log`: it has taken its place |
//!
//! So nothing that a checkpoint refers to is touched before a later checkpoint refers to its successor.

use std::io;
use std::rc::Rc;

use thalweg_protocol::KafkaOffset;

use crate::error::StorageError;
use crate::log::segment::cleaned_path;
use crate::log::{FileKind, LogPoint, LogRef, PartitionLog, Segment, file_path};
use crate::types::Term;

/// What compaction must remember beside the segments. In memory only.
#[derive(Default)]
pub(crate) struct CompactionState {
    /// Where in the first dirty segment the last pass ended, because its memory was full.
    pub(super) mapped_up_to: KafkaOffset,
    /// Segments that were merged into others, and whose files a checkpoint may still refer to.
    merged: Vec<KafkaOffset>,
}

/// What a checkpoint made final.
#[derive(Default)]
pub(crate) struct Swaps {
    /// Base offset and generation of segments whose files are to take their places.
    segments: Vec<(KafkaOffset, u32)>,
    /// Base offsets of files that nothing refers to.
    pub(crate) merged: Vec<KafkaOffset>,
}

impl Swaps {
    pub(crate) fn is_empty(&self) -> bool {
        self.segments.is_empty() && self.merged.is_empty()
    }
}

impl PartitionLog {
    /// What a checkpoint that encodes the log now makes final.
    pub(crate) fn swaps(&self) -> Swaps {
        let waiting = |segment: &Segment| Some((segment.base_offset, segment.rewritten.waiting()?));
        let segments = self.segments.iter().filter_map(waiting).collect();
        Swaps { segments, merged: self.compaction.merged.clone() }
    }

    /// Segments must not be written anew before those of the last time have their places.
    pub(crate) fn awaits_swaps(&self) -> bool {
        self.segments.iter().any(|segment| segment.rewritten.waiting().is_some())
    }

    /// Puts `fresh` into the place of the segments it was made from. False if those are no longer there as they were.
    pub(super) fn replace_segments(&mut self, sources: &[Segment], mut fresh: Segment) -> bool {
        let first = self.segments.iter().position(|segment| segment.base_offset == fresh.base_offset);
        let Some(first) = first.filter(|_| !self.disk_state.removed) else { return false };
        let found = self.segments.iter().skip(first).take(sources.len());
        if !found.eq(sources) || first + sources.len() >= self.segments.len() {
            return false;
        }
        fresh.active = None;
        for gone in self.segments.drain(first..first + sources.len()) {
            gone.identity.retire();
        }
        let merged: Vec<KafkaOffset> = sources.iter().skip(1).map(|segment| segment.base_offset).collect();
        self.segments.insert(first, fresh);
        let is_gone = |base| sources.iter().any(|source| source.base_offset == base);
        self.shared.windows.forget(self.group, is_gone);
        self.shared.indexes.forget(self.group, is_gone);
        self.compaction.merged.extend(merged);
        self.disk_state.incomplete = true;
        if let Some(next) = self.segments.get(first + 1) {
            let (base_index, base_offset) = (next.base_index, next.base_offset);
            self.forget_entries_before(base_index.previous(), base_offset);
        }
        true
    }

    /// What is left of these entries is not what Raft wrote: for Raft, the log begins behind them. A replica that lacks
    /// them needs the segments. Memory follows, so that it does not give what the segments no longer have.
    fn forget_entries_before(&mut self, last: crate::types::RaftIndex, next_offset: KafkaOffset) {
        if last > self.compacted.index {
            let term = self.term_at(last).unwrap_or(Term::ZERO);
            self.compacted = LogPoint { index: last, term, next_offset };
            self.offset_map.compact(last.next());
        }
        self.evict_up_to(last);
        self.assert_order();
    }
}

/// Gives compacted segments their names. A checkpoint that refers to them is durable.
pub(crate) async fn settle_swaps(log: &LogRef, swaps: &Swaps) -> Result<(), StorageError> {
    let gate = log.borrow().writing.clone();
    let _passage = gate.pass().await;
    let (shared, dir) = {
        let log = log.borrow();
        (Rc::clone(&log.shared), log.descriptor.dir.clone())
    };
    for &(base, generation) in &swaps.segments {
        if !log.borrow().awaits(base, generation) {
            continue;
        }
        for kind in FileKind::ALL {
            let (from, to) = (cleaned_path(&dir, base, kind, generation), file_path(&dir, base, kind));
            // Held open since before the swap: whoever asks for the name from here on must get the new file.
            shared.files.close_matching(|open| open == to);
            match shared.disk.rename(&from, &to).await {
                // Renamed before the last start.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                renamed => renamed.map_err(StorageError::io("rename", &from))?,
            }
        }
    }
    if !swaps.segments.is_empty() && !log.borrow().disk_state.removed {
        shared.disk.sync_dir(&dir).await.map_err(StorageError::io("sync", &dir))?;
    }
    let mut log = log.borrow_mut();
    for &(base, generation) in &swaps.segments {
        log.in_place(base, generation);
    }
    log.compaction.merged.retain(|base| !swaps.merged.contains(base));
    Ok(())
}

impl PartitionLog {
    /// The files of segments that were merged into others are not where this log is any more.
    pub(in crate::log) fn forget_merged(&mut self) {
        self.compaction.merged.clear();
    }

    fn awaits(&self, base: KafkaOffset, generation: u32) -> bool {
        let as_then = |segment: &Segment| segment.rewritten.waiting() == Some(generation);
        !self.disk_state.removed && self.segment_at(base).is_some_and(as_then)
    }

    fn in_place(&mut self, base: KafkaOffset, generation: u32) {
        if !self.awaits(base, generation) {
            return;
        }
        let Ok(at) = self.segments.binary_search_by_key(&base, |segment| segment.base_offset) else { return };
        let Some(segment) = self.segments.get_mut(at) else { return };
        segment.rewritten.in_place = true;
        // Whoever opens a file by its name from here on gets the new one.
        std::mem::take(&mut segment.identity).retire();
        let names: Vec<_> = FileKind::ALL
            .into_iter()
            .flat_map(|kind| {
                [
                    file_path(&self.descriptor.dir, base, kind),
                    cleaned_path(&self.descriptor.dir, base, kind, generation),
                ]
            })
            .collect();
        self.shared.files.close_matching(|open| names.iter().any(|name| name == open));
    }
}
