//! Golden bytes: made by Kafka 4.3.1's own classes.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::rc::Rc;

use bytes::Bytes;
use thalweg_protocol::{StrBytes, TimestampMs};
use uuid::Uuid;

use super::codec;
use super::member::{ClassicMember, CurrentAssignment, MemberMetadata, MemberState, Owned, Partitions};
use super::record::{ConsumerRecord, GroupEpoch, ResolvedRegex, TargetEpoch};
use crate::coordinator::group::member::Protocol;

const TOPIC: Uuid = Uuid::from_u128(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10);

fn text(text: &'static str) -> StrBytes {
    StrBytes::from_static_str(text)
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2).unwrap(), 16).unwrap()).collect()
}

/// Key and value are what Kafka writes, and are read back as the same record.
fn check(record: &ConsumerRecord, key: &str, value: &str) {
    let (encoded_key, encoded) = codec::encode("g", record).unwrap();
    assert_eq!(encoded_key, bytes(key), "key of {record:?}");
    assert_eq!(encoded.clone().unwrap(), bytes(value), "value of {record:?}");
    let version = i16::from_be_bytes([*encoded_key.first().unwrap(), *encoded_key.get(1).unwrap()]);
    let mut key = encoded_key.get(2..).unwrap();
    let (group, decoded) = codec::decode(version, &mut key, encoded.as_deref()).unwrap().unwrap();
    assert_eq!((&*group, &decoded), ("g", record));
    // Cut anywhere, it is refused and not read as something else.
    let value = encoded.unwrap();
    for length in 0..value.len() {
        let mut key = encoded_key.get(2..).unwrap();
        assert!(codec::decode(version, &mut key, value.get(..length)).is_err(), "cut to {length} of {}", value.len());
    }
}

#[test]
fn epochs() {
    let epoch = |metadata_hash| ConsumerRecord::Epoch(Some(GroupEpoch { epoch: 7, metadata_hash }));
    check(&epoch(0x1122_3344_5566_7788), "0003000167", "0000000000070100081122334455667788");
    check(&epoch(0), "0003000167", "00000000000700");
    let target = TargetEpoch { epoch: 9, computed_at: TimestampMs(1_234_567) };
    check(&ConsumerRecord::TargetEpoch(Some(target)), "0006000167", "000000000009010008000000000012d687");
}

#[test]
fn members() {
    let protocol = Protocol { name: text("range"), metadata: Bytes::from_static(&[1, 2, 3]) };
    let metadata = MemberMetadata {
        instance_id: Some(text("i")),
        rack_id: None,
        client_id: text("c"),
        client_host: text("/h"),
        topics: Rc::new([text("a"), text("b")].into()),
        regex: text("x.*"),
        rebalance_timeout_ms: 1000,
        assignor: Some(text("range")),
        classic: Some(Rc::new(ClassicMember { session_timeout_ms: 45_000, protocols: vec![protocol] })),
    };
    check(
        &ConsumerRecord::Member(text("m"), Some(Rc::new(metadata.clone()))),
        "000500016700016d",
        "00000269000263032f68030261026204782e2a000003e80672616e6765010012010000afc8020672616e6765040102030000",
    );
    let plain = MemberMetadata {
        instance_id: None,
        topics: Rc::default(),
        regex: text(""),
        assignor: None,
        classic: None,
        ..metadata
    };
    check(
        &ConsumerRecord::Member(text("m"), Some(Rc::new(plain))),
        "000500016700016d",
        "000000000263032f680101000003e80001000100",
    );
}

#[test]
fn assignments() {
    let target = Partitions::from([(TOPIC, [1, 3].into())]);
    check(
        &ConsumerRecord::Target(text("m"), Some(Rc::new(target))),
        "000700016700016d",
        "0000020102030405060708090a0b0c0d0e0f100300000001000000030000",
    );
    let current = CurrentAssignment {
        epoch: 4,
        previous_epoch: 3,
        state: MemberState::Unrevoked,
        assigned: Rc::new(Owned::from([(TOPIC, [(1, 2), (3, 4)].into())])),
        revoking: Rc::new(Owned::from([(TOPIC, [(5, 1)].into())])),
    };
    check(
        &ConsumerRecord::Current(text("m"), Some(current)),
        "000800016700016d",
        "000000000004000000030102\
         0102030405060708090a0b0c0d0e0f10030000000100000003010009030000000200000004\
         020102030405060708090a0b0c0d0e0f1002000000050100050200000001\
         00",
    );
}

#[test]
fn expressions() {
    let resolved = ResolvedRegex { topics: [text("a"), text("b")].into(), version: 10, resolved_at: TimestampMs(11) };
    check(
        &ConsumerRecord::Regex(text("x.*"), Some(Rc::new(resolved))),
        "00100001670003782e2a",
        "00000302610262000000000000000a000000000000000b00",
    );
}
