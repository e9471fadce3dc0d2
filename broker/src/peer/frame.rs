//! Frames between nodes: bytes to and fro. The format is documented in `docs/formats/peer-connection.md`.
//!
//! A frame is a head, then heads of messages or one body, then data that is not copied when a frame is made. The checksum
//! covers all but what a record batch's own checksum covers; that one is checked as well when a frame is taken apart.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use thalweg_protocol::records::{BatchHeader, BatchView, RecordError};
use thalweg_raft::{MessageError, MessageLimits, PeerMessage, decode_message_head, encode_message_head};
use thalweg_storage::types::{EntryKind, GroupId, LogEntry};

/// Bytes of a head: length of all behind it, length of the body, checksum, kind, id.
pub(super) const HEAD_BYTES: usize = 4 + 4 + 4 + 1 + 8;

/// Of a record batch, what its own checksum does not cover: base offset, length, leader epoch, magic, and the checksum.
const UNCHECKED_BYTES: usize = 21;

/// Data up to this long is copied behind the heads: that costs less than a piece of its own.
const COPIED_MAX_BYTES: usize = 1024;

/// Room for a message's head, as most are.
const MESSAGE_HEAD_BYTES: usize = 64;

/// What a frame is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Kind {
    /// Messages of Raft groups.
    Raft = 1,
    /// The sender lives.
    Pulse = 2,
    Request = 3,
    Response = 4,
}

impl Kind {
    fn from_wire(value: u8) -> Option<Self> {
        [Self::Raft, Self::Pulse, Self::Request, Self::Response].into_iter().find(|kind| *kind as u8 == value)
    }
}

/// Why a frame is not one. The connection ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    #[error("a frame of {found} bytes, more than {max}")]
    TooLong { found: usize, max: usize },
    #[error("a frame whose lengths do not fit each other")]
    Lengths,
    #[error("a frame with the checksum {found:#010x}, and its bytes give {computed:#010x}")]
    Checksum { found: u32, computed: u32 },
    #[error("a frame of the unknown kind {0}")]
    Kind(u8),
    #[error("a Raft message: {0}")]
    Message(#[from] MessageError),
    #[error("a record batch in a Raft message: {0}")]
    Batch(#[from] RecordError),
    #[error("{0}")]
    Body(&'static str),
}

/// The fixed beginning of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Head {
    /// Bytes that follow the head.
    pub(super) rest: usize,
    body: usize,
    checksum: u32,
    pub(super) kind: Kind,
    id: u64,
}

impl Head {
    /// Reads a head; nothing is allocated by what it claims.
    pub(super) fn read(bytes: &[u8; HEAD_BYTES], rest_max: usize) -> Result<Self, FrameError> {
        let mut bytes = &bytes[..];
        let (rest, body) = (bytes.get_u32_le() as usize, bytes.get_u32_le() as usize);
        let (checksum, kind, id) = (bytes.get_u32_le(), bytes.get_u8(), bytes.get_u64_le());
        let kind = Kind::from_wire(kind).ok_or(FrameError::Kind(kind))?;
        if rest > rest_max {
            return Err(FrameError::TooLong { found: rest, max: rest_max });
        }
        let fits = match kind {
            Kind::Raft => body <= rest,
            Kind::Pulse => body == 0 && rest == 0,
            Kind::Request | Kind::Response => body == rest,
        };
        if fits { Ok(Self { rest, body, checksum, kind, id }) } else { Err(FrameError::Lengths) }
    }
}

/// A frame that was received.
#[derive(Debug)]
pub(super) enum Frame {
    Raft(Vec<(GroupId, PeerMessage)>),
    Pulse,
    Request(u64, Bytes),
    Response(u64, Bytes),
}

impl Frame {
    /// Takes apart what followed a head.
    pub(super) fn decode(head: &Head, mut rest: Bytes, limits: &MessageLimits) -> Result<Self, FrameError> {
        if rest.len() != head.rest {
            return Err(FrameError::Lengths);
        }
        if head.kind == Kind::Raft {
            return decode_messages(head, rest, limits).map(Self::Raft);
        }
        check_sum(head, checksum(head.kind, head.id, &rest))?;
        let body = rest.split_to(head.body);
        Ok(match head.kind {
            Kind::Request => Self::Request(head.id, body),
            Kind::Response => Self::Response(head.id, body),
            Kind::Pulse | Kind::Raft => Self::Pulse,
        })
    }
}

fn decode_messages(
    head: &Head,
    mut data: Bytes,
    limits: &MessageLimits,
) -> Result<Vec<(GroupId, PeerMessage)>, FrameError> {
    let frame_bytes = data.len();
    let mut heads = data.split_to(head.body);
    let mut sum = checksum(head.kind, head.id, &heads);
    let mut messages = Vec::new();
    while !heads.is_empty() {
        let (group, mut message) = decode_message_head(&mut heads, &mut data, limits)?;
        for entry in &mut message.entries {
            sum = append_entry(sum, entry);
            detach(&mut entry.data, frame_bytes);
        }
        messages.push((group, message));
    }
    if !data.is_empty() {
        return Err(FrameError::Lengths);
    }
    check_sum(head, sum)?;
    // Behind the checksum: what is wrong with a batch is then the sender's doing.
    messages.iter().flat_map(|(_, message)| &message.entries).try_for_each(check_entry)?;
    Ok(messages)
}

/// An entry stays in memory for as long as its log wants it: it must not keep the rest of its frame with it.
fn detach(data: &mut Bytes, frame_bytes: usize) {
    if data.len() < frame_bytes / 2 {
        *data = Bytes::copy_from_slice(data);
    }
}

fn check_entry(entry: &LogEntry) -> Result<(), FrameError> {
    if entry.kind != EntryKind::Batch {
        return Ok(());
    }
    let batch = BatchView::first(&entry.data)?;
    if batch.bytes.len() != entry.data.len() {
        return Err(FrameError::Body("an entry that is more than one record batch"));
    }
    Ok(batch.check_crc()?)
}

fn check_sum(head: &Head, computed: u32) -> Result<(), FrameError> {
    if head.checksum == computed { Ok(()) } else { Err(FrameError::Checksum { found: head.checksum, computed }) }
}

/// A frame of Raft messages, in pieces to be sent one behind the other.
pub(super) fn raft(messages: &[(GroupId, PeerMessage)]) -> Vec<Bytes> {
    let mut out = BytesMut::with_capacity(HEAD_BYTES + messages.len() * MESSAGE_HEAD_BYTES);
    out.put_bytes(0, HEAD_BYTES);
    messages.iter().for_each(|(group, message)| encode_message_head(*group, message, &mut out));
    let entries = || messages.iter().flat_map(|(_, message)| &message.entries);
    let body = out.get(HEAD_BYTES..).unwrap_or_default();
    let sum = entries().fold(checksum(Kind::Raft, 0, body), append_entry);
    let (body, data) = (body.len(), entries().map(|entry| entry.data.len()).sum::<usize>());
    put_head(&mut out, Kind::Raft, 0, body, body + data, sum);
    let mut pieces = Vec::new();
    for entry in entries() {
        if entry.data.len() <= COPIED_MAX_BYTES {
            out.put_slice(&entry.data);
        } else {
            pieces.push(out.split().freeze());
            pieces.push(entry.data.clone());
        }
    }
    pieces.push(out.freeze());
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// A frame with one body, whose large pieces are not copied.
pub(super) fn plain(kind: Kind, id: u64, body: Vec<Bytes>) -> Vec<Bytes> {
    let sum = body.iter().fold(checksum(kind, id, &[]), |sum, piece| crc32c::crc32c_append(sum, piece));
    let len = body.iter().map(Bytes::len).sum();
    let mut out = BytesMut::with_capacity(HEAD_BYTES);
    out.put_bytes(0, HEAD_BYTES);
    put_head(&mut out, kind, id, len, len, sum);
    let mut pieces = vec![out.freeze()];
    pieces.extend(body.into_iter().filter(|piece| !piece.is_empty()));
    pieces
}

/// Overwrites the room that was left for the head.
///
/// # Panics
/// When a frame does not fit its length: whoever makes one keeps far below.
fn put_head(out: &mut BytesMut, kind: Kind, id: u64, body: usize, rest: usize, sum: u32) {
    let number = |len: usize| u32::try_from(len).unwrap_or_else(|_| panic!("{len} bytes do not fit a frame"));
    let Some(mut place) = out.get_mut(..HEAD_BYTES) else { panic!("no room was left for a frame's head") };
    place.put_u32_le(number(rest));
    place.put_u32_le(number(body));
    place.put_u32_le(sum);
    place.put_u8(kind as u8);
    place.put_u64_le(id);
}

fn checksum(kind: Kind, id: u64, body: &[u8]) -> u32 {
    let sum = crc32c::crc32c(&[kind as u8]);
    crc32c::crc32c_append(crc32c::crc32c_append(sum, &id.to_le_bytes()), body)
}

/// Of a record batch only what it does not check itself. What is too short for one is covered whole.
fn append_entry(sum: u32, entry: &LogEntry) -> u32 {
    let checks_itself = entry.kind == EntryKind::Batch && entry.data.len() >= BatchHeader::LEN;
    let covered = if checks_itself { entry.data.get(..UNCHECKED_BYTES) } else { None };
    crc32c::crc32c_append(sum, covered.unwrap_or(&entry.data))
}

#[cfg(test)]
#[path = "frame_tests.rs"]
pub(super) mod tests;
