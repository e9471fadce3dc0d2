//! The format's bytes, frozen: a change here is a change of the format, and needs a new version.

use super::*;
use crate::types::HardState;
use crate::wal::block::{BlockHeader, HEADER_LEN, NoBlock, check_payload};
use crate::wal::record::RecordError;
use thalweg_protocol::KafkaOffset;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn golden_records() -> Vec<(WalRecord, &'static str)> {
    let group = GroupId(0x0102);
    let entry =
        LogEntry { index: RaftIndex(3), term: Term(4), kind: EntryKind::Membership, data: Bytes::from_static(b"xy") };
    let state = HardState { term: Term(5), vote: 6, commit: RaftIndex(7) };
    let descriptor = Bytes::from_static(b"d");
    vec![
        (WalRecord::Create { group, descriptor: descriptor.clone() }, "01020100000000000064"),
        (WalRecord::Remove { group }, "020201000000000000"),
        (WalRecord::Entry { group, entry }, "03020100000000000003000000000000000400000000000000027879"),
        (WalRecord::HardState { group, state }, "040201000000000000050000000000000006000000000000000700000000000000"),
        (WalRecord::LogStart { group, log_start_offset: KafkaOffset(-2) }, "050201000000000000feffffffffffffff"),
        (WalRecord::Snapshot { group, index: RaftIndex(9), descriptor }, "060201000000000000090000000000000064"),
    ]
}

#[test]
fn records_have_these_bytes() {
    for (record, bytes) in golden_records() {
        assert_eq!(hex(&record.encode()), bytes);
        assert_eq!(WalRecord::decode(record.encode()), Ok(record));
    }
}

#[test]
fn damaged_records_are_refused() {
    let decode = |bytes: &'static [u8]| WalRecord::decode(Bytes::from_static(bytes));
    assert_eq!(decode(b""), Err(RecordError::Short { len: 0 }));
    assert_eq!(decode(b"\x09\0\0\0\0\0\0\0\0"), Err(RecordError::UnknownKind(9)));
    assert_eq!(decode(b"\x02\0\0\0\0\0\0\0\0!"), Err(RecordError::TrailingBytes { kind: 2, left: 1 }));
    for (record, _) in golden_records() {
        let bytes = record.encode();
        for len in 0..9 {
            assert_eq!(WalRecord::decode(bytes.slice(..len)), Err(RecordError::Short { len }));
        }
    }
}

fn golden_block() -> (BlockHeader, Vec<u8>) {
    let header = BlockHeader {
        file: 7,
        page: 2,
        block: 12,
        file_first_block: 10,
        durable_block: 11,
        first_sequence: 100,
        last_sequence: 100,
        frames: 1,
        payload_len: 14,
    };
    let mut block = vec![0; BLOCK_SIZE_BYTES];
    block[HEADER_LEN..HEADER_LEN + 14].copy_from_slice(b"\x09\0\0\0\x01\x02\x02\x01\0\0\0\0\0\0");
    header.seal(&mut block);
    (header, block)
}

#[test]
fn a_block_has_these_bytes() {
    let (header, block) = golden_block();
    let expected = concat!(
        "54485742",
        "0100",
        "0000",
        "CRC-----",
        "0e000000", // magic, version, flags, checksum, payload length
        "0700000000000000",
        "0c00000000000000",
        "0a00000000000000",
        "0b00000000000000", // file, block, first, durable
        "6400000000000000",
        "6400000000000000",
        "01000000",
        "02000000", // sequences, frames, page
        "0900000001",
        "020201000000000000", // one frame: remove group 0x0102
    );
    let found = hex(&block[..HEADER_LEN + 14]);
    assert_eq!(format!("{}CRC-----{}", &found[..16], &found[24..]), expected);
    let covered = [&block[..8], &block[12..HEADER_LEN + 14]].concat();
    assert_eq!(block[8..12], crc32c::crc32c(&covered).to_le_bytes());
    assert_eq!(check_payload(&block, 2 * 4096).unwrap().0, header);
    assert!(block[HEADER_LEN + 14..].iter().all(|byte| *byte == 0));
}

#[test]
fn every_flipped_bit_of_a_block_is_noticed() {
    let (_, block) = golden_block();
    for bit in 0..(HEADER_LEN + 14) * 8 {
        let mut rotten = block.clone();
        rotten[bit / 8] ^= 1 << (bit % 8);
        assert!(check_payload(&rotten, 2 * 4096).is_err(), "bit {bit}");
    }
    assert_eq!(check_payload(&block, 4096).unwrap_err(), NoBlock::Astray { page: 2 });
    assert_eq!(check_payload(&[0; 4096], 0).unwrap_err(), NoBlock::Blank);
    assert_eq!(check_payload(&block[..20], 0).unwrap_err(), NoBlock::EndOfFile);
    let mut long = block;
    long[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(check_payload(&long, 2 * 4096).unwrap_err(), NoBlock::Length { len: u32::MAX });
}
