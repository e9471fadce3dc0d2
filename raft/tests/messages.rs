//! The bytes of peer messages: frozen, round trip, and whatever a broken peer may send.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use bytes::{Bytes, BytesMut};
use thalweg_raft::{
    Member, MemberChange, Membership, MembershipChange, MessageError, MessageLimits, PeerMessage, PeerMessageKind,
    PeerSnapshot, decode_message, encode_message,
};
use thalweg_storage::types::{EntryKind, GroupId, LogEntry, RaftIndex, Term};

const LIMITS: MessageLimits = MessageLimits { entries_max: 8, entry_size_max_bytes: 64, snapshot_size_max_bytes: 64 };

fn message(kind: PeerMessageKind) -> PeerMessage {
    PeerMessage {
        kind,
        from: 1,
        to: 2,
        term: Term(3),
        log_term: Term(0),
        index: RaftIndex(0),
        commit: RaftIndex(0),
        commit_term: Term(0),
        reject: false,
        reject_hint: RaftIndex(0),
        transfer: false,
        entries: Vec::new(),
        snapshot: None,
    }
}

fn append() -> PeerMessage {
    let entry = |index, kind, data: &'static [u8]| LogEntry {
        index: RaftIndex(index),
        term: Term(3),
        kind,
        data: Bytes::from_static(data),
    };
    PeerMessage {
        log_term: Term(2),
        index: RaftIndex(0x1122),
        commit: RaftIndex(5),
        entries: vec![entry(0x1123, EntryKind::Noop, b""), entry(0x1124, EntryKind::Batch, b"abc")],
        ..message(PeerMessageKind::Append)
    }
}

fn snapshot() -> PeerMessage {
    let membership = Membership { voters: vec![1, 2], learners: vec![3], ..Membership::default() };
    let offer = PeerSnapshot { index: RaftIndex(7), term: Term(2), membership, data: Bytes::from_static(b"files") };
    PeerMessage { snapshot: Some(offer), ..message(PeerMessageKind::Snapshot) }
}

fn vote() -> PeerMessage {
    PeerMessage {
        transfer: true,
        reject: true,
        reject_hint: RaftIndex(9),
        commit_term: Term(1),
        ..message(PeerMessageKind::VoteResponse)
    }
}

fn encoded(message: &PeerMessage) -> Bytes {
    let mut out = BytesMut::new();
    encode_message(GroupId(0x0a0b), message, &mut out);
    out.freeze()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const HEAD: &str = "0b0a00000000000001000000000000000200000000000000";

#[test]
fn the_bytes_are_frozen() {
    let term = "0300000000000000";
    assert_eq!(hex(&encoded(&message(PeerMessageKind::Heartbeat))), format!("d701070001{HEAD}{term}"));
    let numbers = "020000000000000022110000000000000500000000000000";
    let entries = "02000000030000000000000001000000000300000000000000000300000061 6263".replace(' ', "");
    assert_eq!(hex(&encoded(&append())), format!("d70101040f{HEAD}{term}{numbers}{entries}"));
    let members = "0100 02 0100000000000000 0200000000000000 01 0300000000000000 00 00".replace(' ', "");
    let offer = format!("070000000000000002000000000000001e000000{members}0500000066696c6573");
    assert_eq!(hex(&encoded(&snapshot())), format!("d701090801{HEAD}{term}{offer}"));
    assert_eq!(hex(&encoded(&vote())), format!("d701060331{HEAD}{term}01000000000000000900000000000000"));

    let changes = [MemberChange { id: 4, to: Member::Voter }, MemberChange { id: 2, to: Member::Remove }];
    let change = MembershipChange { changes: changes.to_vec() };
    assert_eq!(hex(&change.encode()), "0102000400000000000000010200000000000000");
    assert_eq!(MembershipChange::decode(&change.encode()).unwrap(), change);
}

#[test]
fn messages_come_back_as_they_were_and_share_their_bytes() {
    for sent in [message(PeerMessageKind::TimeoutNow), append(), snapshot(), vote()] {
        let bytes = encoded(&sent);
        assert_eq!(decode_message(bytes, &LIMITS).unwrap(), (GroupId(0x0a0b), sent));
    }
    let bytes = encoded(&append());
    let data = decode_message(bytes.clone(), &LIMITS).unwrap().1.entries[1].data.clone();
    assert!(bytes.as_ptr_range().contains(&data.as_ptr()), "entry data is not copied");
}

#[test]
fn every_cut_and_every_changed_byte_is_an_error_or_another_message() {
    for sent in [message(PeerMessageKind::Heartbeat), append(), snapshot(), vote()] {
        let bytes = encoded(&sent);
        for end in 0..bytes.len() {
            decode_message(bytes.slice(..end), &LIMITS).unwrap_err();
        }
        let mut longer = BytesMut::from(&bytes[..]);
        longer.extend_from_slice(b"x");
        assert_eq!(decode_message(longer.freeze(), &LIMITS), Err(MessageError::Trailing(1)));
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.to_vec();
                changed[at] ^= 1 << bit;
                if let Ok((group, read)) = decode_message(Bytes::from(changed), &LIMITS) {
                    assert_ne!((group, read), (GroupId(0x0a0b), sent.clone()), "byte {at} bit {bit} means nothing");
                }
            }
        }
    }
}

#[test]
fn lengths_meet_their_limit_before_anything_is_allocated() {
    let mut bytes = encoded(&append()).to_vec();
    let count_at = 5 + 24 + 4 * 8;
    bytes[count_at..count_at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    let huge = MessageLimits { entries_max: usize::MAX, ..LIMITS };
    let too_much = MessageError::TooMuch { what: "entries", found: u32::MAX as usize, max: 8 };
    assert_eq!(decode_message(Bytes::from(bytes.clone()), &LIMITS), Err(too_much));
    assert!(matches!(decode_message(Bytes::from(bytes), &huge), Err(MessageError::Short { .. })));
    let small = MessageLimits { entry_size_max_bytes: 2, ..LIMITS };
    assert!(matches!(decode_message(encoded(&append()), &small), Err(MessageError::TooMuch { what: "entry", .. })));
}

#[test]
fn impossible_members_are_refused() {
    let members = |voters: &[u64], learners: &[u64]| Membership {
        voters: voters.to_vec(),
        learners: learners.to_vec(),
        ..Membership::default()
    };
    members(&[1, 2], &[3]).check().unwrap();
    for bad in [members(&[], &[1]), members(&[1, 1], &[]), members(&[1], &[1]), members(&[0], &[])] {
        assert_eq!(bad.check(), Err(MessageError::Range("members")));
        assert_eq!(Membership::decode(&bad.encode()), Err(MessageError::Range("members")));
    }
    assert_eq!(MembershipChange::decode(&Bytes::from_static(b"\x02\x00")), Err(MessageError::Version(2)));
}
