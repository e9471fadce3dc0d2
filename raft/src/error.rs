//! What can go wrong. Our own bugs are assertions; everything a peer or a file can cause is here.

use thalweg_storage::types::{GroupId, RaftIndex, Term};

/// A group could not do what it was asked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RaftError {
    #[error("raft group {0} is not open")]
    UnknownGroup(GroupId),
    #[error("raft group {0} is open already")]
    AlreadyOpen(GroupId),
    #[error("raft group {group} cannot start from what was found: {reason}")]
    BadRestore { group: GroupId, reason: String },
    #[error("raft group {group} refuses a message from {from}: {reason}")]
    BadMessage { group: GroupId, from: u64, reason: &'static str },
    #[error("raft group {group} still waits for its log to be written")]
    Unpersisted { group: GroupId },
    #[error("this node does not lead raft group {group}")]
    NotLeader { group: GroupId },
    #[error("raft group {group}: a snapshot at {index} is outside {low}..={high}")]
    SnapshotOutOfRange { group: GroupId, index: RaftIndex, low: RaftIndex, high: RaftIndex },
    #[error("raft group {group}: {reason}")]
    Library { group: GroupId, reason: String },
}

/// A proposal was not taken. Nothing was appended.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ProposeError {
    #[error("raft group {0} is not open")]
    UnknownGroup(GroupId),
    #[error("this node does not lead the group (term {term})")]
    NotLeader { leader: Option<u64>, term: Term },
    #[error("leadership is being handed over")]
    Transferring { to: u64 },
    #[error("too many bytes wait for commit")]
    TooMuchUncommitted,
    #[error("an entry must hold a batch")]
    Empty,
    #[error("a membership change at or before {0} is not applied yet")]
    ChangePending(RaftIndex),
    #[error("this membership change is impossible: {0}")]
    BadChange(&'static str),
}

/// Bytes from a peer, or from a file, are not what they should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MessageError {
    #[error("cut short: {needed} more bytes were promised")]
    Short { needed: usize },
    #[error("{0} bytes behind the end")]
    Trailing(usize),
    #[error("not a peer message: it begins with {0:#04x}")]
    Magic(u8),
    #[error("unknown format version {0}")]
    Version(u8),
    #[error("unknown {what} {value}")]
    Unknown { what: &'static str, value: u8 },
    #[error("{what}: {found} is more than {max}")]
    TooMuch { what: &'static str, found: usize, max: usize },
    #[error("{0} is out of range")]
    Range(&'static str),
}
