//! The one error type of this crate. Variants carry the evidence: which file, where in it, what was expected.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::types::{GroupId, WalSequence};

/// What can go wrong with durable bytes.
///
/// `Clone`, because one failed write is told to everybody who waited for it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StorageError {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: Arc<io::Error> },

    /// A record that was durable is gone: the medium lost it, or somebody else wrote into the file. Never cut silently.
    #[error(
        "write-ahead log is damaged: {} at byte {position}: block {expected_block} is missing there ({found}), \
         yet {evidence}; restore this directory from a backup or another replica",
        file.display()
    )]
    WalCorrupt { file: PathBuf, position: u64, expected_block: u64, found: String, evidence: String },

    /// A block is whole by its checksum, but what it holds makes no sense to this version.
    #[error("write-ahead log: {} at byte {position}: {problem}", file.display())]
    WalMalformed { file: PathBuf, position: u64, problem: String },

    /// The log begins behind what the checkpoint covers: records in between are gone.
    #[error("write-ahead log: records {first_missing} to {last_missing} are missing before {}", file.display())]
    WalGap { file: PathBuf, first_missing: WalSequence, last_missing: WalSequence },

    /// A segment file is not what this log wrote.
    #[error("segment {} at byte {position}: {problem}", file.display())]
    SegmentDamaged { file: PathBuf, position: u64, problem: String },

    /// Compaction gave the segment other files while these were read: look again. Does not leave this crate.
    #[error("segment {} was replaced by its compacted form", file.display())]
    SegmentReplaced { file: PathBuf },

    /// The store is being closed. Does not leave this crate.
    #[error("compaction was stopped")]
    CompactionStopped,

    /// A checkpoint, descriptor or other whole file cannot be understood.
    #[error("{}: {problem}", file.display())]
    FileDamaged { file: PathBuf, problem: String },

    /// The write-ahead log holds something for this group that cannot follow what came before.
    #[error("group {group} cannot be recovered from the write-ahead log: {problem}")]
    ReplayFailed { group: GroupId, problem: String },

    /// A durable write failed before; nothing after it may be believed durable. The process must stop.
    #[error("the write-ahead log stopped after a failed write: {source}")]
    WalPoisoned { source: Arc<io::Error> },

    /// The log was closed before what was waited for became durable.
    #[error("the write-ahead log is closed")]
    WalClosed,
}

impl StorageError {
    /// Names the action and file of an I/O error; for `map_err`.
    pub fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + use<'a> {
        move |source| Self::Io { action, path: path.to_path_buf(), source: Arc::new(source) }
    }

    /// No space on the device, or a quota is used up: worth trying again once something was deleted.
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::Io { source, .. } => is_disk_full(source),
            _ => false,
        }
    }
}

/// ENOSPC or EDQUOT.
pub fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
