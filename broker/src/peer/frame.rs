//! Frames between nodes: bytes to and fro. The format is documented in `docs/formats/peer-connection.md`.
//!
//! A frame is a head of 17 bytes, then heads of messages or one body, then data that is not copied when a frame is made. The
//! checksum covers all but the data, and of each piece of data the first bytes: a record batch has a checksum of its own, which
//! leaves out just those.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use thalweg_raft::{MessageError, MessageLimits, PeerMessage, decode_message_head, encode_message_head};
use thalweg_storage::types::GroupId;

/// Bytes before what a frame carries: length of all, length of the body, checksum, kind, and room for an id.
pub(super) const HEAD_BYTES: usize = 4 + 4 + 4 + 1 + 8;

/// Of a record batch, what its own checksum does not cover: base offset, length, leader epoch, magic and the checksum itself.
const UNCHECKED_BYTES: usize = 21;

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
    #[error("a frame with a wrong checksum")]
    Checksum,
    #[error("a frame of the unknown kind {0}")]
    Kind(u8),
    #[error("a Raft message: {0}")]
    Message(#[from] MessageError),
}

/// The fixed beginning of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Head {
    /// Bytes that follow the head.
    pub(super) rest: usize,
    body: usize,
    checksum: u32,
    kind: Kind,
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
        if body > rest || kind != Kind::Raft && body != rest {
            return Err(FrameError::Lengths);
        }
        Ok(Self { rest, body, checksum, kind, id })
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
        let mut body = rest.split_to(head.body);
        if head.kind != Kind::Raft {
            if checksum(head.kind, head.id, &body) != head.checksum {
                return Err(FrameError::Checksum);
            }
            return Ok(match head.kind {
                Kind::Request => Self::Request(head.id, body),
                Kind::Response => Self::Response(head.id, body),
                Kind::Pulse | Kind::Raft => Self::Pulse,
            });
        }
        let mut sum = checksum(head.kind, head.id, &body);
        let mut messages = Vec::new();
        while !body.is_empty() {
            messages.push(decode_message_head(&mut body, &mut rest, limits)?);
        }
        for data in messages.iter().flat_map(|(_, message)| &message.entries).map(|entry| &entry.data) {
            sum = append_data(sum, data);
        }
        if sum != head.checksum {
            return Err(FrameError::Checksum);
        }
        if rest.is_empty() { Ok(Self::Raft(messages)) } else { Err(FrameError::Lengths) }
    }
}

/// A frame of Raft messages, in pieces to be sent one behind the other.
pub(super) fn raft(messages: &[(GroupId, PeerMessage)]) -> Vec<Bytes> {
    let mut out = BytesMut::with_capacity(HEAD_BYTES + messages.len() * 64);
    out.put_bytes(0, HEAD_BYTES);
    let mut data = Vec::new();
    for (group, message) in messages {
        encode_message_head(*group, message, &mut out);
        data.extend(message.entries.iter().map(|entry| entry.data.clone()));
    }
    let body = out.get(HEAD_BYTES..).unwrap_or_default();
    let sum = data.iter().fold(checksum(Kind::Raft, 0, body), append_data);
    let (body, data_bytes) = (body.len(), data.iter().map(Bytes::len).sum::<usize>());
    put_head(&mut out, Kind::Raft, 0, body, body + data_bytes, sum);
    let mut pieces = vec![out.freeze()];
    pieces.extend(data);
    pieces
}

/// A frame with one body.
pub(super) fn plain(kind: Kind, id: u64, body: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(HEAD_BYTES + body.len());
    out.put_bytes(0, HEAD_BYTES);
    out.put_slice(body);
    put_head(&mut out, kind, id, body.len(), body.len(), checksum(kind, id, body));
    out.freeze()
}

/// # Panics
/// When a frame does not fit its length: whoever makes one keeps far below.
fn put_head(out: &mut BytesMut, kind: Kind, id: u64, body: usize, rest: usize, sum: u32) {
    let number = |len: usize| u32::try_from(len).unwrap_or_else(|_| panic!("{len} bytes do not fit a frame"));
    let mut head = BytesMut::with_capacity(HEAD_BYTES);
    head.put_u32_le(number(rest));
    head.put_u32_le(number(body));
    head.put_u32_le(sum);
    head.put_u8(kind as u8);
    head.put_u64_le(id);
    if let Some(place) = out.get_mut(..HEAD_BYTES) {
        place.copy_from_slice(&head);
    }
}

fn checksum(kind: Kind, id: u64, body: &[u8]) -> u32 {
    let sum = crc32c::crc32c(&[kind as u8]);
    crc32c::crc32c_append(crc32c::crc32c_append(sum, &id.to_le_bytes()), body)
}

fn append_data(sum: u32, data: &Bytes) -> u32 {
    crc32c::crc32c_append(sum, data.get(..UNCHECKED_BYTES.min(data.len())).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use thalweg_raft::PeerMessageKind;
    use thalweg_storage::types::{EntryKind, LogEntry, RaftIndex, Term};

    use super::*;

    const LIMITS: MessageLimits =
        MessageLimits { entries_max: 100, entry_size_max_bytes: 1000, snapshot_size_max_bytes: 1000 };

    fn append(first: u64, data: &[&[u8]]) -> PeerMessage {
        let entries = data.iter().zip(first..).map(|(data, index)| LogEntry {
            index: RaftIndex(index),
            term: Term(3),
            kind: EntryKind::Batch,
            data: Bytes::copy_from_slice(data),
        });
        PeerMessage {
            kind: PeerMessageKind::Append,
            from: 1,
            to: 2,
            term: Term(3),
            log_term: Term(2),
            index: RaftIndex(first - 1),
            commit: RaftIndex(1),
            commit_term: Term(0),
            reject: false,
            reject_hint: RaftIndex(0),
            transfer: false,
            entries: entries.collect(),
            snapshot: None,
        }
    }

    fn received(bytes: &[u8]) -> Result<Frame, FrameError> {
        let (head, rest) = bytes.split_at(HEAD_BYTES);
        let head = Head::read(head.try_into().unwrap(), 1 << 20)?;
        if rest.len() != head.rest {
            return Err(FrameError::Lengths);
        }
        Frame::decode(&head, Bytes::copy_from_slice(rest), &LIMITS)
    }

    fn messages() -> Vec<(GroupId, PeerMessage)> {
        let long = vec![7; 100];
        vec![(GroupId(5), append(2, &[b"one", &long])), (GroupId(6), append(9, &[])), (GroupId(7), append(1, &[&long]))]
    }

    #[test]
    fn messages_come_out_as_they_went_in_and_batches_are_not_copied() {
        let sent = messages();
        let pieces = raft(&sent);
        assert_eq!(pieces.len(), 4, "the heads, and three batches");
        assert_eq!(pieces[1].as_ptr(), sent[0].1.entries[0].data.as_ptr());
        let Frame::Raft(found) = received(&pieces.concat()).unwrap() else { panic!("a Raft frame") };
        assert_eq!(found, sent);
    }

    #[test]
    fn requests_and_pulses_come_out_as_they_went_in() {
        let request = plain(Kind::Request, 77, b"hello");
        assert!(matches!(received(&request).unwrap(), Frame::Request(77, body) if body == b"hello"[..]));
        assert!(
            matches!(received(&plain(Kind::Response, 1, b"")).unwrap(), Frame::Response(1, body) if body.is_empty())
        );
        assert!(matches!(received(&plain(Kind::Pulse, 0, b"")).unwrap(), Frame::Pulse));
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed_where_a_batch_does_not_check_itself() {
        let whole = raft(&messages()).concat();
        let data_begins = whole.len() - 203;
        for at in 0..whole.len() {
            // A batch's own checksum covers the rest of it.
            let of_second = (data_begins + 3 + UNCHECKED_BYTES..data_begins + 103).contains(&at);
            let of_third = (data_begins + 103 + UNCHECKED_BYTES..whole.len()).contains(&at);
            if of_second || of_third {
                continue;
            }
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            assert!(received(&damaged).is_err(), "byte {at}");
        }
    }

    #[test]
    fn every_cut_and_every_long_claim_is_an_error() {
        let whole = raft(&messages()).concat();
        for len in HEAD_BYTES..whole.len() {
            let mut cut = whole[..len].to_vec();
            assert!(received(&cut).is_err());
            let rest = u32::try_from(len - HEAD_BYTES).unwrap();
            cut[..4].copy_from_slice(&rest.to_le_bytes());
            assert!(received(&cut).is_err(), "cut at {len}");
        }
        let mut long = whole;
        long[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(matches!(received(&long), Err(FrameError::TooLong { .. })));
    }
}
