//! A core's write-ahead log and its checkpoint, described.

use std::path::{Path, PathBuf};

use serde::Serialize;
use thalweg_storage::StorageError;
use thalweg_storage::store::inspect_checkpoint;
use thalweg_storage::wal::WalRecord;
use thalweg_storage::wal::block::NoBlock;
use thalweg_storage::wal::inspect::{Finding, WalFileName, inspect, inspect_file};

use super::files::DataFile;
use crate::failure::Failure;

fn unreadable(error: &StorageError) -> Failure {
    Failure::new(error.to_string())
}

/// Hands over what one file holds.
pub(super) fn read(file: &DataFile, found: &mut dyn FnMut(Finding)) -> Result<(), Failure> {
    let name = WalFileName { number: u64::try_from(file.base_offset).unwrap_or(0), path: file.path.clone() };
    inspect_file(&name, found).map_err(|error| unreadable(&error))
}

#[derive(Debug, Serialize)]
pub(super) struct FindingLine {
    position: u64,
    /// `block`, `record`, `stale`, `blank`, `no block` or `damage`.
    what: &'static str,
    block: Option<u64>,
    sequence: Option<u64>,
    group: Option<u64>,
    detail: String,
}

impl FindingLine {
    pub(super) fn new(finding: &Finding) -> Self {
        let line = |position, what, detail| Self { position, what, block: None, sequence: None, group: None, detail };
        match finding {
            Finding::Block { position, header } | Finding::Stale { position, header } => {
                let what = if matches!(finding, Finding::Block { .. }) { "block" } else { "stale" };
                let detail = format!(
                    "{} frames, {} B, durable up to {}",
                    header.frames, header.payload_len, header.durable_block
                );
                Self {
                    block: Some(header.block),
                    sequence: Some(header.first_sequence),
                    ..line(*position, what, detail)
                }
            }
            Finding::Record { position, sequence, record } => Self {
                sequence: Some(sequence.0),
                group: Some(record.group().0),
                ..line(*position, "record", describe(record))
            },
            Finding::NoBlock { position, pages, reason } => {
                let what = if *reason == NoBlock::Blank { "blank" } else { "no block" };
                line(*position, what, format!("{pages} pages of 4 KiB: {reason}"))
            }
            Finding::Malformed { position, problem } => line(*position, "damage", problem.clone()),
        }
    }

    /// Records are shown when they are asked for.
    pub(super) fn is_shown(&self, with_records: bool) -> bool {
        with_records || self.what != "record"
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!("  at {:<10} {}", self.position, self.what);
        for (name, number) in [("", self.block), ("sequence ", self.sequence), ("group ", self.group)] {
            text.push_str(&number.map_or_else(String::new, |number| format!(" {name}{number}")));
        }
        format!("{text}  {}", self.detail)
    }
}

fn describe(record: &WalRecord) -> String {
    match record {
        WalRecord::Create { .. } => "create".to_owned(),
        WalRecord::Remove { .. } => "remove".to_owned(),
        WalRecord::Entry { entry, .. } => {
            format!("entry {} of term {}, {:?}, {} B", entry.index.0, entry.term.0, entry.kind, entry.data.len())
        }
        WalRecord::HardState { state, .. } => {
            format!("hard state: term {}, vote {}, commit {}", state.term.0, state.vote, state.commit.0)
        }
        WalRecord::LogStart { log_start_offset, .. } => format!("log start {log_start_offset}"),
        WalRecord::Snapshot { index, .. } => format!("snapshot up to {}", index.0),
    }
}

type Place = (PathBuf, u64, String);

/// What a whole write-ahead log looks like.
#[derive(Default)]
pub(super) struct Verified {
    pub(super) records: u64,
    pub(super) problems: Vec<Place>,
    pub(super) notes: Vec<Place>,
    /// Number, and the highest block known durable when it was written, with its place.
    blocks: Vec<(u64, u64, PathBuf, u64)>,
}

/// Reads a write-ahead log as recovery would: a block that a later one knows durable must be there.
pub(super) fn verify(dir: &Path) -> Result<Verified, Failure> {
    let mut verified = Verified::default();
    inspect(dir, &mut |file, finding| verified.add(&file.path, finding)).map_err(|error| unreadable(&error))?;
    verified.check_blocks();
    Ok(verified)
}

impl Verified {
    fn add(&mut self, path: &Path, finding: Finding) {
        match finding {
            Finding::Block { position, header } => {
                self.blocks.push((header.block, header.durable_block, path.to_owned(), position));
            }
            Finding::Record { .. } => self.records += 1,
            Finding::Malformed { position, problem } => self.problems.push((path.to_owned(), position, problem)),
            Finding::NoBlock { position, reason: reason @ NoBlock::Checksum { .. }, .. } => {
                let note =
                    format!("{reason}: a write under way, or cut by a kill, unless a problem names a block here");
                self.notes.push((path.to_owned(), position, note));
            }
            Finding::NoBlock { .. } | Finding::Stale { .. } => {}
        }
    }

    fn check_blocks(&mut self) {
        self.blocks.sort_unstable();
        let durable = self.blocks.iter().map(|(_, durable, ..)| *durable).max().unwrap_or(0);
        for pair in self.blocks.windows(2) {
            if let [(before, ..), (behind, _, path, position)] = pair
                && *behind > before + 1
                && *before < durable
            {
                let problem =
                    format!("blocks {} to {} were durable and are missing before this one", before + 1, behind - 1);
                self.problems.push((path.clone(), *position, problem));
            }
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct CheckpointLine {
    sequence: Option<u64>,
    core: Option<u32>,
    groups: Option<u32>,
    pub(super) problem: Option<String>,
}

impl CheckpointLine {
    /// What a checkpoint says, and whether it is damaged.
    pub(super) fn of(file: &DataFile) -> (Self, bool) {
        match inspect_checkpoint(&file.path) {
            Ok(head) => {
                let (sequence, core, groups) = (Some(head.sequence.0), Some(head.core), Some(head.groups));
                (Self { sequence, core, groups, problem: None }, false)
            }
            Err(error) => (Self { sequence: None, core: None, groups: None, problem: Some(error.to_string()) }, true),
        }
    }

    pub(super) fn text(&self) -> String {
        match (self.sequence, self.core, self.groups) {
            (Some(sequence), Some(core), Some(groups)) => {
                format!("  core {core}, {groups} groups, everything up to sequence {sequence} of the write-ahead log")
            }
            _ => format!("  DAMAGED: {}", self.problem.as_deref().unwrap_or_default()),
        }
    }
}
