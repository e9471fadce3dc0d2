#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use thalweg_protocol::TimestampMs;
use thalweg_protocol::records::BatchBuilder;
use thalweg_raft::PeerMessageKind;
use thalweg_storage::types::{RaftIndex, Term};

use super::*;

const LIMITS: MessageLimits =
    MessageLimits { entries_max: 100, entry_size_max_bytes: 10_000, snapshot_size_max_bytes: 1000 };

pub(crate) fn batch(value_bytes: usize) -> Bytes {
    let mut builder = BatchBuilder::new();
    builder.push(TimestampMs(1), None, Some(&vec![7; value_bytes]), &[]).unwrap();
    builder.build().unwrap().freeze()
}

pub(crate) fn append(first: u64, data: &[Bytes]) -> PeerMessage {
    let entries = data.iter().zip(first..).map(|(data, index)| LogEntry {
        index: RaftIndex(index),
        term: Term(3),
        kind: if data.is_empty() { EntryKind::Noop } else { EntryKind::Batch },
        data: data.clone(),
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
    Frame::decode(&head, Bytes::copy_from_slice(rest), &LIMITS)
}

fn messages() -> Vec<(GroupId, PeerMessage)> {
    let (small, large) = (batch(10), batch(2000));
    vec![
        (GroupId(5), append(2, &[small.clone(), large.clone()])),
        (GroupId(6), append(9, &[])),
        (GroupId(7), append(1, &[Bytes::new(), small.clone(), large])),
        (GroupId(8), append(4, &[small])),
    ]
}

#[test]
fn messages_come_out_as_they_went_in_and_large_batches_are_not_copied() {
    let sent = messages();
    let pieces = raft(&sent);
    assert_eq!(pieces.len(), 5, "heads and small batches, a large batch, and that again, and a small one");
    assert_eq!(pieces[1].as_ptr(), sent[0].1.entries[1].data.as_ptr());
    let Frame::Raft(found) = received(&pieces.concat()).unwrap() else { panic!("a Raft frame") };
    assert_eq!(found, sent);
}

#[test]
fn entries_do_not_keep_their_frame_in_memory() {
    let whole = Bytes::from(raft(&messages()).concat());
    let head = Head::read(whole[..HEAD_BYTES].try_into().unwrap(), 1 << 20).unwrap();
    let Frame::Raft(found) = Frame::decode(&head, whole.slice(HEAD_BYTES..), &LIMITS).unwrap() else { panic!() };
    for data in found.iter().flat_map(|(_, message)| &message.entries).map(|entry| &entry.data) {
        assert!(data.is_empty() || !whole.as_ptr_range().contains(&data.as_ptr()));
    }
}

#[test]
fn requests_and_pulses_come_out_as_they_went_in() {
    let request = plain(Kind::Request, 77, vec![Bytes::from_static(b"hel"), Bytes::from_static(b"lo")]).concat();
    assert!(matches!(received(&request).unwrap(), Frame::Request(77, body) if body == b"hello"[..]));
    let empty = plain(Kind::Response, 1, vec![]).concat();
    assert!(matches!(received(&empty).unwrap(), Frame::Response(1, body) if body.is_empty()));
    assert!(matches!(received(&plain(Kind::Pulse, 0, vec![]).concat()).unwrap(), Frame::Pulse));
    assert!(received(&plain(Kind::Pulse, 0, vec![Bytes::from_static(b"x")]).concat()).is_err());
}

#[test]
fn no_flipped_bit_goes_unnoticed() {
    let frames = [raft(&messages()).concat(), plain(Kind::Request, 9, vec![Bytes::from_static(b"hello")]).concat()];
    for whole in frames {
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            assert!(received(&damaged).is_err(), "byte {at}");
        }
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

#[test]
fn an_entry_that_is_no_batch_or_two_is_refused_although_the_frame_is_whole() {
    let two = Bytes::from([batch(10), batch(10)].concat());
    for bad in [Bytes::from_static(b"short"), Bytes::from(vec![0; 100]), two] {
        let whole = raft(&[(GroupId(1), append(1, &[bad]))]).concat();
        let refused = received(&whole).unwrap_err();
        assert!(matches!(refused, FrameError::Batch(_) | FrameError::Body(_)), "{refused}");
    }
}

/// What another release of this format must still read.
#[test]
fn the_bytes_are_frozen() {
    let frame = plain(Kind::Request, 0x0102, vec![Bytes::from_static(b"abc")]).concat();
    let sum = crc32c::crc32c(b"\x03\x02\x01\0\0\0\0\0\0abc");
    let mut expected = vec![3, 0, 0, 0, 3, 0, 0, 0];
    expected.extend(sum.to_le_bytes());
    expected.extend(b"\x03\x02\x01\0\0\0\0\0\0abc");
    assert_eq!(frame, expected);
    let frame = raft(&[(GroupId(5), append(9, &[]))]).concat();
    let mut message = BytesMut::new();
    thalweg_raft::encode_message(GroupId(5), &append(9, &[]), &mut message);
    assert_eq!(frame[HEAD_BYTES..], message[..]);
    assert_eq!(frame[12], 1);
}
