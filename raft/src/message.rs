//! What nodes say to each other, and its bytes: `docs/formats/peer-message.md`. The library's protobuf never travels.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use thalweg_storage::types::{EntryKind, GroupId, LogEntry, RaftIndex, Term};

use crate::error::MessageError;
use crate::membership::Membership;

const MAGIC: u8 = 0xd7;
const VERSION: u8 = 1;
/// Term, kind and length in front of each entry's data.
const ENTRY_HEAD_BYTES: usize = 8 + 1 + 4;

const FLAG_REJECT: u8 = 1;
const FLAG_TRANSFER: u8 = 2;
const FLAG_ENTRIES: u8 = 4;
const FLAG_SNAPSHOT: u8 = 8;

/// Raft's message types that travel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum PeerMessageKind {
    Append = 1,
    AppendResponse = 2,
    PreVote = 3,
    PreVoteResponse = 4,
    Vote = 5,
    VoteResponse = 6,
    Heartbeat = 7,
    HeartbeatResponse = 8,
    Snapshot = 9,
    /// A follower hands on a request to move leadership.
    TransferLeader = 10,
    /// The leader asks its successor to stand for election now.
    TimeoutNow = 11,
}

impl PeerMessageKind {
    fn from_wire(value: u8) -> Result<Self, MessageError> {
        Ok(match value {
            1 => Self::Append,
            2 => Self::AppendResponse,
            3 => Self::PreVote,
            4 => Self::PreVoteResponse,
            5 => Self::Vote,
            6 => Self::VoteResponse,
            7 => Self::Heartbeat,
            8 => Self::HeartbeatResponse,
            9 => Self::Snapshot,
            10 => Self::TransferLeader,
            11 => Self::TimeoutNow,
            value => return Err(MessageError::Unknown { what: "message kind", value }),
        })
    }
}

/// One Raft message. Numbers that a kind does not use are 0, and take no bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerMessage {
    pub kind: PeerMessageKind,
    /// Raft ids, that is `NodeId + 1`.
    pub from: u64,
    pub to: u64,
    pub term: Term,
    pub log_term: Term,
    /// Of an append: the index before its first entry.
    pub index: RaftIndex,
    pub commit: RaftIndex,
    pub commit_term: Term,
    pub reject: bool,
    pub reject_hint: RaftIndex,
    /// A vote that the leader itself asked for: it is granted although that leader is alive.
    pub transfer: bool,
    /// Consecutive, the first at `index + 1`.
    pub entries: Vec<LogEntry>,
    pub snapshot: Option<PeerSnapshot>,
}

/// The offer of a snapshot: what it stands for, and the application's own bytes (which files, from where).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerSnapshot {
    pub index: RaftIndex,
    pub term: Term,
    pub membership: Membership,
    pub data: Bytes,
}

/// What a message from the network may hold. Checked before anything is allocated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MessageLimits {
    pub entries_max: usize,
    pub entry_size_max_bytes: usize,
    pub snapshot_size_max_bytes: usize,
}

/// Appends the message's bytes to `out`. There is no checksum here: the frame between nodes carries many messages and
/// has one, and batches have their own.
pub fn encode_message(group: GroupId, message: &PeerMessage, out: &mut BytesMut) {
    encode(group, message, out, true);
}

/// The same without the data of entries, which travels behind the heads of all messages of a frame, in this order, and is
/// not copied. [`decode_message_head`] puts both together.
pub fn encode_message_head(group: GroupId, message: &PeerMessage, out: &mut BytesMut) {
    encode(group, message, out, false);
}

fn encode(group: GroupId, message: &PeerMessage, out: &mut BytesMut, with_data: bool) {
    let numbers = message.numbers();
    let present = numbers.iter().enumerate().fold(0_u8, |bits, (at, value)| bits | (u8::from(*value != 0) << at));
    out.put_u8(MAGIC);
    out.put_u8(VERSION);
    out.put_u8(message.kind as u8);
    out.put_u8(message.flags());
    out.put_u8(present);
    out.put_u64_le(group.0);
    out.put_u64_le(message.from);
    out.put_u64_le(message.to);
    numbers.iter().filter(|value| **value != 0).for_each(|value| out.put_u64_le(*value));
    if !message.entries.is_empty() {
        put_len(out, message.entries.len());
        for (at, entry) in message.entries.iter().enumerate() {
            assert_eq!(entry.index.0, message.index.0 + 1 + at as u64, "entries of an append are consecutive");
            out.put_u64_le(entry.term.0);
            out.put_u8(entry.kind as u8);
            put_len(out, entry.data.len());
            if with_data {
                out.put_slice(&entry.data);
            }
        }
    }
    if let Some(snapshot) = &message.snapshot {
        let membership = snapshot.membership.encode();
        out.put_u64_le(snapshot.index.0);
        out.put_u64_le(snapshot.term.0);
        put_len(out, membership.len());
        out.put_slice(&membership);
        put_len(out, snapshot.data.len());
        out.put_slice(&snapshot.data);
    }
}

fn put_len(out: &mut BytesMut, len: usize) {
    match u32::try_from(len) {
        Ok(len) => out.put_u32_le(len),
        Err(_) => panic!("{len} bytes or entries do not fit a message"),
    }
}

/// Reads exactly one message. Entry data and snapshot data are slices of `bytes`, not copies.
pub fn decode_message(bytes: Bytes, limits: &MessageLimits) -> Result<(GroupId, PeerMessage), MessageError> {
    let mut reader = Reader::new(bytes);
    let decoded = decode(&mut reader, None, limits)?;
    reader.end()?;
    Ok(decoded)
}

/// Reads one message from `heads`, and its entries' data from `data`: slices of them, not copies. Both are left behind what
/// was read.
pub fn decode_message_head(
    heads: &mut Bytes,
    data: &mut Bytes,
    limits: &MessageLimits,
) -> Result<(GroupId, PeerMessage), MessageError> {
    let (mut reader, mut entries) = (Reader::new(heads.clone()), Reader::new(data.clone()));
    let decoded = decode(&mut reader, Some(&mut entries), limits)?;
    (*heads, *data) = (reader.left, entries.left);
    Ok(decoded)
}

fn decode(
    reader: &mut Reader,
    data: Option<&mut Reader>,
    limits: &MessageLimits,
) -> Result<(GroupId, PeerMessage), MessageError> {
    match reader.u8()? {
        MAGIC => {}
        other => return Err(MessageError::Magic(other)),
    }
    match reader.u8()? {
        VERSION => {}
        other => return Err(MessageError::Version(other)),
    }
    let kind = PeerMessageKind::from_wire(reader.u8()?)?;
    let flags = reader.u8()?;
    if flags & !(FLAG_REJECT | FLAG_TRANSFER | FLAG_ENTRIES | FLAG_SNAPSHOT) != 0 {
        return Err(MessageError::Unknown { what: "flags", value: flags });
    }
    let present = reader.u8()?;
    if present & 0xc0 != 0 {
        return Err(MessageError::Unknown { what: "numbers", value: present });
    }
    let group = GroupId(reader.u64()?);
    let (from, to) = (reader.u64()?, reader.u64()?);
    let mut number = |at: u8| if present & (1 << at) == 0 { Ok(0) } else { reader.u64() };
    let mut message = PeerMessage {
        kind,
        from,
        to,
        term: Term(number(0)?),
        log_term: Term(number(1)?),
        index: RaftIndex(number(2)?),
        commit: RaftIndex(number(3)?),
        commit_term: Term(number(4)?),
        reject_hint: RaftIndex(number(5)?),
        reject: flags & FLAG_REJECT != 0,
        transfer: flags & FLAG_TRANSFER != 0,
        entries: Vec::new(),
        snapshot: None,
    };
    if flags & FLAG_ENTRIES != 0 {
        message.entries = read_entries(reader, data, message.index, limits)?;
    }
    if flags & FLAG_SNAPSHOT != 0 {
        message.snapshot = Some(read_snapshot(reader, limits)?);
    }
    Ok((group, message))
}

/// The data stands behind each entry's head, or else in a reader of its own.
fn read_entries(
    reader: &mut Reader,
    mut data: Option<&mut Reader>,
    before: RaftIndex,
    limits: &MessageLimits,
) -> Result<Vec<LogEntry>, MessageError> {
    let count = reader.len("entries", limits.entries_max)?;
    if count == 0 || before.0 > u64::MAX / 2 {
        return Err(MessageError::Range("entries"));
    }
    reader.has(count.saturating_mul(ENTRY_HEAD_BYTES))?;
    let mut entries = Vec::with_capacity(count);
    let mut index = before;
    for _ in 0..count {
        index = index.next();
        let term = Term(reader.u64()?);
        let kind = match reader.u8()? {
            0 => EntryKind::Batch,
            1 => EntryKind::Noop,
            2 => EntryKind::Membership,
            value => return Err(MessageError::Unknown { what: "entry kind", value }),
        };
        let len = reader.len("entry", limits.entry_size_max_bytes)?;
        let data = data.as_deref_mut().unwrap_or(reader).bytes(len)?;
        entries.push(LogEntry { index, term, kind, data });
    }
    Ok(entries)
}

fn read_snapshot(reader: &mut Reader, limits: &MessageLimits) -> Result<PeerSnapshot, MessageError> {
    let (index, term) = (RaftIndex(reader.u64()?), Term(reader.u64()?));
    let len = reader.len("membership", 4096)?;
    let membership = Membership::decode(&reader.bytes(len)?)?;
    let len = reader.len("snapshot", limits.snapshot_size_max_bytes)?;
    Ok(PeerSnapshot { index, term, membership, data: reader.bytes(len)? })
}

impl PeerMessage {
    /// In the order of the bits that say which of them are there.
    fn numbers(&self) -> [u64; 6] {
        [self.term.0, self.log_term.0, self.index.0, self.commit.0, self.commit_term.0, self.reject_hint.0]
    }

    fn flags(&self) -> u8 {
        let bit = |set: bool, flag: u8| if set { flag } else { 0 };
        bit(self.reject, FLAG_REJECT)
            | bit(self.transfer, FLAG_TRANSFER)
            | bit(!self.entries.is_empty(), FLAG_ENTRIES)
            | bit(self.snapshot.is_some(), FLAG_SNAPSHOT)
    }
}

/// Reads little-endian numbers from bytes that may end anywhere.
pub(crate) struct Reader {
    left: Bytes,
}

impl Reader {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self { left: bytes }
    }

    fn has(&self, count: usize) -> Result<(), MessageError> {
        match count.checked_sub(self.left.len()) {
            None | Some(0) => Ok(()),
            Some(needed) => Err(MessageError::Short { needed }),
        }
    }

    pub(crate) fn u8(&mut self) -> Result<u8, MessageError> {
        self.has(1)?;
        Ok(self.left.get_u8())
    }

    pub(crate) fn flag(&mut self, what: &'static str) -> Result<bool, MessageError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            value => Err(MessageError::Unknown { what, value }),
        }
    }

    pub(crate) fn u64(&mut self) -> Result<u64, MessageError> {
        self.has(8)?;
        Ok(self.left.get_u64_le())
    }

    fn len(&mut self, what: &'static str, max: usize) -> Result<usize, MessageError> {
        self.has(4)?;
        let found = self.left.get_u32_le() as usize;
        if found > max { Err(MessageError::TooMuch { what, found, max }) } else { Ok(found) }
    }

    fn bytes(&mut self, count: usize) -> Result<Bytes, MessageError> {
        self.has(count)?;
        Ok(self.left.split_to(count))
    }

    pub(crate) fn end(&self) -> Result<(), MessageError> {
        if self.left.is_empty() { Ok(()) } else { Err(MessageError::Trailing(self.left.len())) }
    }
}
