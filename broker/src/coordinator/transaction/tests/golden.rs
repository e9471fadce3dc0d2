//! Byte for byte what Kafka writes.
//!
//! `testdata/kafka-4.3.1/transaction_state.log` is the segment of a `__transaction_state` partition of Apache Kafka 4.3.1: a
//! producer with the transactional id `golden` committed records in `brooks-0` and `brooks-1` and aborted one in `lakes-0`,
//! each with the protocol of KIP-890; a second one of the same id came while a third transaction was ongoing. Then
//! `transaction.version` went down to 0, and the producer `plain` committed a record in `lakes-0`. At last both ids expired.

use std::fs;

use bytes::Bytes;
use thalweg_protocol::TimestampMs;
use thalweg_protocol::records::{self, BatchBuilder, BatchView, stamp};

use super::testdata;
use crate::coordinator::batch;
use crate::coordinator::transaction::record_codec::{self, Record};
use crate::coordinator::transaction::{State, TransactionConfig, TransactionShard, TransactionVersion};

fn kafka_log() -> Vec<u8> {
    fs::read(testdata().join("kafka-4.3.1/transaction_state.log")).unwrap()
}

fn views(log: &[u8]) -> Vec<BatchView<'_>> {
    records::batches(log).map(Result::unwrap).collect()
}

#[test]
fn kafkas_batches_come_out_of_their_records_again() {
    let log = kafka_log();
    let (mut flexible, mut plain, mut tombstones) = (0, 0, 0);
    for view in views(&log) {
        let records = view.records(1 << 20).unwrap().map(|record| {
            let record = record.unwrap();
            let (key, value) = (record.key.unwrap(), record.value);
            // The version that Kafka had at that time.
            let version = match value.as_deref().map(|value| value[1]) {
                Some(0) => TransactionVersion::V0,
                _ => TransactionVersion::V2,
            };
            match value.as_deref().map(|value| value[1]) {
                None => tombstones += 1,
                Some(0) => plain += 1,
                Some(_) => flexible += 1,
            }
            let Record::Transaction(id, metadata) = record_codec::decode(&key, value.as_deref()).unwrap() else {
                panic!("another record at {}", record.offset)
            };
            record_codec::encode(&id, metadata.as_deref(), version)
        });
        let built = batch::build(BatchBuilder::new(), records, 1 << 20, view.header.base_timestamp).unwrap();
        let mut built = built.to_vec();
        stamp(&mut built, view.header.base_offset, view.header.leader_epoch);
        assert_eq!(Bytes::from(built), Bytes::copy_from_slice(view.bytes), "at {}", view.header.base_offset);
    }
    assert!(flexible >= 11 && plain >= 4 && tombstones == 2, "{flexible} {plain} {tombstones}");
}

/// Behind every record, the shard is what it says; with the last ones, the ids are gone.
#[test]
fn kafkas_transactions_are_loaded_as_they_were() {
    let log = kafka_log();
    let views = views(&log);
    let mut states = Vec::new();
    for count in 1..=views.len() {
        let mut shard = TransactionShard::new(TransactionConfig::default(), 1);
        for view in &views[..count] {
            shard.load(view.bytes).unwrap();
        }
        shard.loaded(TimestampMs(0));
        states.push(shard.describe("golden").map(|described| described.state).ok());
        if count == views.len() {
            assert_eq!(shard.transactions_count(), 0);
        }
    }
    states.dedup();
    let golden = [
        State::Empty,
        State::Ongoing,
        State::PrepareCommit,
        State::CompleteCommit,
        State::Ongoing,
        State::PrepareAbort,
        State::CompleteAbort,
        State::Ongoing,
        State::PrepareAbort,
        State::CompleteAbort,
        State::Empty,
    ];
    assert_eq!(states[..golden.len()], golden.map(Some));
    assert_eq!(states[golden.len()..], [None]);
}
