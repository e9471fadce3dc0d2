//! What one core's write-ahead log remembers. One enum: recovery is a `match` over it, in order.
//!
//! Encoded as one byte of kind, the group, and then what the kind needs; numbers are little-endian. The last field is the
//! only one without a fixed length and takes what is left. Lengths and checksums are the block's (`docs/formats/wal.md`).

use bytes::{BufMut as _, Bytes, BytesMut};
use thalweg_protocol::KafkaOffset;

use crate::types::{EntryKind, GroupId, HardState, LogEntry, RaftIndex, Term};

/// One fact about one group. Records of a group take effect in the order in which they were appended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WalRecord {
    /// A replica of this group was placed on this core. `descriptor` is [`crate::log::LogDescriptor`], encoded.
    Create { group: GroupId, descriptor: Bytes },
    /// The replica is gone; its files may be deleted.
    Remove { group: GroupId },
    /// An entry of the Raft log. An index already present, and all after it, are replaced: that is how a conflict truncates.
    Entry { group: GroupId, entry: LogEntry },
    /// Term, vote and commit hint.
    HardState { group: GroupId, state: HardState },
    /// DeleteRecords or retention moved the partition's first readable offset.
    LogStart { group: GroupId, log_start_offset: KafkaOffset },
    /// Everything up to `index` was replaced by a snapshot; the log is empty and goes on behind it.
    Snapshot { group: GroupId, index: RaftIndex, descriptor: Bytes },
}

/// A whole record that this version cannot read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RecordError {
    #[error("record of kind {0} is unknown")]
    UnknownKind(u8),
    #[error("entry of kind {0} is unknown")]
    UnknownEntryKind(u8),
    #[error("record ends after {len} bytes, inside its fixed fields")]
    Short { len: usize },
    #[error("record of kind {kind} has {left} bytes too many")]
    TrailingBytes { kind: u8, left: usize },
}

const CREATE: u8 = 1;
const REMOVE: u8 = 2;
const ENTRY: u8 = 3;
const HARD_STATE: u8 = 4;
const LOG_START: u8 = 5;
const SNAPSHOT: u8 = 6;

impl WalRecord {
    pub fn group(&self) -> GroupId {
        match self {
            Self::Create { group, .. }
            | Self::Remove { group }
            | Self::Entry { group, .. }
            | Self::HardState { group, .. }
            | Self::LogStart { group, .. }
            | Self::Snapshot { group, .. } => *group,
        }
    }

    /// The record as its fixed fields and its shared tail, so that a batch is not copied before it reaches its block.
    pub(crate) fn encode_parts(&self) -> (BytesMut, Bytes) {
        let mut head = BytesMut::with_capacity(34);
        let tail = match self {
            Self::Create { group, descriptor } => {
                put_head(&mut head, CREATE, *group);
                descriptor.clone()
            }
            Self::Remove { group } => {
                put_head(&mut head, REMOVE, *group);
                Bytes::new()
            }
            Self::Entry { group, entry } => {
                put_head(&mut head, ENTRY, *group);
                head.put_u64_le(entry.index.0);
                head.put_u64_le(entry.term.0);
                head.put_u8(entry.kind as u8);
                entry.data.clone()
            }
            Self::HardState { group, state } => {
                put_head(&mut head, HARD_STATE, *group);
                head.put_u64_le(state.term.0);
                head.put_u64_le(state.vote);
                head.put_u64_le(state.commit.0);
                Bytes::new()
            }
            Self::LogStart { group, log_start_offset } => {
                put_head(&mut head, LOG_START, *group);
                head.put_i64_le(log_start_offset.0);
                Bytes::new()
            }
            Self::Snapshot { group, index, descriptor } => {
                put_head(&mut head, SNAPSHOT, *group);
                head.put_u64_le(index.0);
                descriptor.clone()
            }
        };
        (head, tail)
    }

    /// The record in one piece.
    pub fn encode(&self) -> Bytes {
        let (mut head, tail) = self.encode_parts();
        head.extend_from_slice(&tail);
        head.freeze()
    }

    /// Reads a record back. Shares the memory of `bytes`.
    pub fn decode(bytes: Bytes) -> Result<Self, RecordError> {
        let mut fields = Fields { len: bytes.len(), rest: bytes };
        let kind = fields.u8()?;
        let group = GroupId(fields.u64()?);
        let record = match kind {
            CREATE => Self::Create { group, descriptor: fields.take_rest() },
            REMOVE => Self::Remove { group },
            ENTRY => Self::Entry { group, entry: decode_entry(&mut fields)? },
            HARD_STATE => {
                let (term, vote, commit) = (Term(fields.u64()?), fields.u64()?, RaftIndex(fields.u64()?));
                Self::HardState { group, state: HardState { term, vote, commit } }
            }
            LOG_START => Self::LogStart { group, log_start_offset: KafkaOffset(i64::from_le_bytes(fields.array()?)) },
            SNAPSHOT => Self::Snapshot { group, index: RaftIndex(fields.u64()?), descriptor: fields.take_rest() },
            unknown => return Err(RecordError::UnknownKind(unknown)),
        };
        match fields.rest.len() {
            0 => Ok(record),
            left => Err(RecordError::TrailingBytes { kind, left }),
        }
    }
}

fn put_head(head: &mut BytesMut, kind: u8, group: GroupId) {
    head.put_u8(kind);
    head.put_u64_le(group.0);
}

fn decode_entry(fields: &mut Fields) -> Result<LogEntry, RecordError> {
    let (index, term) = (RaftIndex(fields.u64()?), Term(fields.u64()?));
    let kind = match fields.u8()? {
        0 => EntryKind::Batch,
        1 => EntryKind::Noop,
        2 => EntryKind::Membership,
        unknown => return Err(RecordError::UnknownEntryKind(unknown)),
    };
    Ok(LogEntry { index, term, kind, data: fields.take_rest() })
}

/// What of a record is not read yet.
struct Fields {
    len: usize,
    rest: Bytes,
}

impl Fields {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        let Some(array) = self.rest.first_chunk::<N>().copied() else {
            return Err(RecordError::Short { len: self.len });
        };
        self.rest = self.rest.slice(N..);
        Ok(array)
    }

    fn u8(&mut self) -> Result<u8, RecordError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u64(&mut self) -> Result<u64, RecordError> {
        self.array().map(u64::from_le_bytes)
    }

    fn take_rest(&mut self) -> Bytes {
        std::mem::take(&mut self.rest)
    }
}
