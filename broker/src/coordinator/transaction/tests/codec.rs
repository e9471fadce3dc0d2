//! Records of both versions, laid out by hand after Kafka's `TransactionLogValue.json`.

use std::collections::BTreeSet;

use bytes::Bytes;
use thalweg_protocol::{ProducerEpoch, ProducerId, StrBytes, TimestampMs};

use crate::coordinator::transaction::metadata::Metadata;
use crate::coordinator::transaction::record_codec::{Record, decode, encode};
use crate::coordinator::transaction::{Producer, State, TopicPartition, TransactionVersion};

fn metadata() -> Metadata {
    let at = |topic, index| TopicPartition { topic: StrBytes::from_static_str(topic), index };
    Metadata {
        producer: Producer { id: ProducerId(5), epoch: ProducerEpoch(3) },
        previous_id: ProducerId(5),
        next_id: ProducerId(9),
        last_epoch: ProducerEpoch(-1),
        timeout_ms: 60_000,
        state: State::PrepareCommit,
        partitions: BTreeSet::from([at("t", 0), at("t", 2), at("u", 1)]),
        started_at: TimestampMs(7),
        updated_at: TimestampMs(8),
        client_version: TransactionVersion::V2,
    }
}

fn head(version: u8) -> Vec<u8> {
    [&[0, version][..], &5_i64.to_be_bytes(), &3_i16.to_be_bytes(), &60_000_i32.to_be_bytes(), &[2]].concat()
}

fn times() -> Vec<u8> {
    [8_i64.to_be_bytes(), 7_i64.to_be_bytes()].concat()
}

#[test]
fn version_0_has_everything_but_what_kip_890_added() {
    let (key, value) = encode("id", Some(&metadata()), TransactionVersion::V0).unwrap();
    assert_eq!(key, Bytes::from_static(&[0, 0, 0, 2, b'i', b'd']));
    let int = |number: i32| number.to_be_bytes();
    let topics = [&int(2)[..], &[0, 1, b't'], &int(2), &int(0), &int(2), &[0, 1, b'u'], &int(1), &int(1)].concat();
    let expected = [head(0), topics, times()].concat();
    assert_eq!(value.unwrap(), Bytes::from(expected.clone()));
    let mut read = metadata();
    (read.previous_id, read.next_id) = (ProducerId::NONE, ProducerId::NONE);
    read.client_version = TransactionVersion::V0;
    let id = StrBytes::from_static_str("id");
    assert_eq!(decode(&key, Some(&expected)).unwrap(), Record::Transaction(id.clone(), Some(Box::new(read))));
    assert_eq!(decode(&key, None).unwrap(), Record::Transaction(id, None));
}

#[test]
fn version_1_has_tagged_fields() {
    let (key, value) = encode("id", Some(&metadata()), TransactionVersion::V2).unwrap();
    let int = |number: i32| number.to_be_bytes();
    let topics = [&[3, 2, b't', 3][..], &int(0), &int(2), &[0, 2, b'u', 2], &int(1), &[0]].concat();
    let tagged =
        [&[3, 0, 8][..], &5_i64.to_be_bytes(), &[1, 8], &9_i64.to_be_bytes(), &[2, 2], &2_i16.to_be_bytes()].concat();
    let expected = [head(1), topics, times(), tagged].concat();
    assert_eq!(value.unwrap(), Bytes::from(expected.clone()));
    let id = StrBytes::from_static_str("id");
    assert_eq!(decode(&key, Some(&expected)).unwrap(), Record::Transaction(id, Some(Box::new(metadata()))));
}

#[test]
fn an_empty_transaction_has_no_list_of_partitions() {
    let mut empty = metadata();
    empty.state = State::Empty;
    empty.partitions.clear();
    for version in [TransactionVersion::V0, TransactionVersion::V1] {
        let (key, value) = encode("id", Some(&empty), version).unwrap();
        let value = value.unwrap();
        let null: &[u8] = if version == TransactionVersion::V0 { &[0xFF; 4] } else { &[0] };
        assert_eq!(&value[17..17 + null.len()], null);
        let Record::Transaction(_, Some(read)) = decode(&key, Some(&value)).unwrap() else { panic!("{value:?}") };
        assert_eq!((read.state, read.partitions.len()), (State::Empty, 0));
    }
}

#[test]
fn fields_from_the_future_are_passed_over() {
    let (key, value) = encode("id", Some(&metadata()), TransactionVersion::V2).unwrap();
    let mut value = value.unwrap().to_vec();
    let tagged = value.len() - 25;
    assert_eq!(value[tagged], 3);
    value[tagged] = 4;
    value.extend([3, 2, 0, 7]);
    assert!(decode(&key, Some(&value)).is_ok());
    assert_eq!(decode(&[0, 9], None).unwrap(), Record::Other(9));
}

/// Every prefix of a record, and every byte of it turned over, gives a record or an error.
#[test]
fn damaged_records_do_not_panic() {
    for version in [TransactionVersion::V0, TransactionVersion::V2] {
        let (key, value) = encode("id", Some(&metadata()), version).unwrap();
        let value = value.unwrap();
        for cut in 0..value.len() {
            assert!(decode(&key, Some(&value[..cut])).is_err(), "{cut}");
        }
        let mut errors = 0;
        for at in 0..value.len() {
            let mut damaged = value.to_vec();
            damaged[at] ^= 0xFF;
            errors += usize::from(decode(&key, Some(&damaged)).is_err());
        }
        assert!(errors >= 5, "{errors}");
    }
}
