//! Whatever bytes come: an error or a frame, never a panic, and never memory beyond what came.

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use thalweg_raft::MessageLimits;
use thalweg_storage::types::GroupId;

use crate::peer::frame::tests::{append, batch};
use crate::peer::frame::{self, Frame, HEAD_BYTES, Head, Kind};
use crate::peer::handshake::{self, Answer, Call};
use crate::peer::request::{PeerRequest, PeerResponse, PieceRequest};

const SEED: u64 = 0x7065_6572;
const ROUNDS: usize = 20_000;
const LIMITS: MessageLimits =
    MessageLimits { entries_max: 1000, entry_size_max_bytes: 1 << 20, snapshot_size_max_bytes: 1000 };

/// Flips, cuts, repeats and overwrites.
fn damage(random: &mut StdRng, bytes: &mut Vec<u8>) {
    for _ in 0..random.random_range(1..4) {
        let at = random.random_range(0..bytes.len().max(1)).min(bytes.len().saturating_sub(1));
        match random.random_range(0..5) {
            0 => bytes.truncate(at),
            1 if !bytes.is_empty() => bytes[at] ^= 1 << random.random_range(0..8),
            2 if !bytes.is_empty() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.random_range(0..5)],
            3 => bytes.extend_from_within(at..),
            _ => bytes.insert(at, random.random()),
        }
    }
}

/// Makes length and checksum right again, so that what is inside is looked at.
fn mend(bytes: &mut [u8], body: usize) {
    let rest = bytes.len() - HEAD_BYTES;
    let body = body.min(rest);
    bytes[..4].copy_from_slice(&u32::try_from(rest).unwrap().to_le_bytes());
    bytes[4..8].copy_from_slice(&u32::try_from(body).unwrap().to_le_bytes());
    let sum = crc32c::crc32c(&bytes[12..]);
    bytes[8..12].copy_from_slice(&sum.to_le_bytes());
}

fn read(bytes: &[u8]) -> Option<Frame> {
    let (head, rest) = bytes.split_at_checked(HEAD_BYTES)?;
    let head = Head::read(head.try_into().unwrap(), 1 << 20).ok()?;
    Frame::decode(&head, Bytes::copy_from_slice(rest), &LIMITS).ok()
}

#[test]
fn damaged_frames_are_refused_and_what_is_whole_is_understood() {
    let mut random = StdRng::seed_from_u64(SEED);
    let messages = [(GroupId(5), append(2, &[batch(10), batch(2000)])), (GroupId(6), append(9, &[Bytes::new()]))];
    let piece = PieceRequest { group: GroupId(1), file: "a".into(), position: 1, length: 1 };
    let frames = [
        frame::raft(&messages).concat(),
        frame::raft(&[(GroupId(6), append(9, &[]))]).concat(),
        frame::plain(Kind::Request, 7, PeerRequest::Piece(piece).encode()).concat(),
        frame::plain(Kind::Response, 7, PeerResponse::Refused("no".into()).encode()).concat(),
        frame::plain(Kind::Pulse, 0, Vec::new()).concat(),
    ];
    let (mut understood, mut mended) = (0, 0);
    for round in 0..ROUNDS {
        let whole = &frames[round % frames.len()];
        let mut damaged = whole.clone();
        damage(&mut random, &mut damaged);
        if damaged != *whole && damaged.len() == whole.len() {
            assert!(read(&damaged).is_none(), "round {round}");
        }
        // Behind a right checksum the damage meets the code that reads the inside.
        if damaged.len() >= HEAD_BYTES {
            damaged[12] = whole[12];
            mend(&mut damaged, if whole[12] == Kind::Raft as u8 { whole.len() } else { usize::MAX });
            mended += 1;
            match read(&damaged) {
                Some(Frame::Request(_, body)) => drop(PeerRequest::decode(body)),
                Some(Frame::Response(_, body)) => drop(PeerResponse::decode(body)),
                Some(_) => {}
                None => continue,
            }
            understood += 1;
        }
    }
    assert!(mended > ROUNDS / 2 && understood > ROUNDS / 20, "{understood} of {mended} were understood");
}

#[test]
fn damaged_introductions_are_refused() {
    let mut random = StdRng::seed_from_u64(SEED);
    let text = br#"{"facts":{"versions":[1,1],"cluster":"c","node":3,"directory":"00000000-0000-0000-0000-000000000003","incarnation":7,"cores":2,"address":null},"purpose":"lane","from_core":0,"to_core":1}"#;
    let mut understood = 0;
    for _ in 0..ROUNDS {
        let mut damaged = text.to_vec();
        damage(&mut random, &mut damaged);
        // With the right checksum: only what is inside is damaged.
        if let Ok(call) = handshake::decode::<Call>(&damaged, crc32c::crc32c(&damaged)) {
            if handshake::check(&call.facts, &call, None).is_ok() {
                assert!(call.facts.node >= 0 && (1..=1024).contains(&call.facts.cores), "{call:?}");
            }
            understood += 1;
        }
        drop(handshake::decode::<Answer>(&damaged, crc32c::crc32c(&damaged)));
        assert!(handshake::decode::<Call>(&damaged, 0).is_err());
    }
    assert!(understood > 100, "{understood} were understood");
}
