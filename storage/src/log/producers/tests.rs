#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use bytes::{Bytes, BytesMut};
use thalweg_protocol::records::{Attributes, Marker};
use thalweg_protocol::{ErrorCode, LeaderEpoch};

use super::*;
use crate::codec::{CodecError, Reader};

/// A batch of `count` records from producer 7.
fn batch(epoch: i16, base_sequence: i32, count: i32, base_offset: i64) -> BatchHeader {
    BatchHeader {
        base_offset: KafkaOffset(base_offset),
        batch_length: 100,
        leader_epoch: LeaderEpoch(1),
        magic: 2,
        crc: 0,
        attributes: Attributes(0),
        last_offset_delta: count - 1,
        base_timestamp: TimestampMs(1000),
        max_timestamp: TimestampMs(1000 + base_offset),
        producer_id: ProducerId(7),
        producer_epoch: ProducerEpoch(epoch),
        base_sequence,
        records_count: count,
    }
}

fn after(batches: &[BatchHeader]) -> ProducerState {
    let mut state = ProducerState::default();
    for header in batches {
        assert_eq!(state.check(header, Claim::UNASKED), SequenceCheck::Accept);
        state.record(header, None);
    }
    state
}

const OUT_OF_ORDER: SequenceCheck = SequenceCheck::Reject(ErrorCode::OutOfOrderSequenceNumber);

#[test]
fn the_next_sequence_is_accepted_and_a_gap_is_not() {
    let state = after(&[batch(0, 0, 10, 0)]);
    assert_eq!(state.check(&batch(0, 10, 1, 10), Claim::UNASKED), SequenceCheck::Accept);
    assert_eq!(state.check(&batch(0, 11, 1, 10), Claim::UNASKED), OUT_OF_ORDER);
    assert_eq!(
        state.check(&batch(0, 9, 1, 10), Claim::UNASKED),
        OUT_OF_ORDER,
        "overlaps, but is no whole batch we know"
    );
}

#[test]
fn five_batches_are_remembered_with_their_offsets_and_timestamps() {
    let batches: Vec<_> = (0..6).map(|i| batch(0, i * 2, 2, i64::from(i) * 2)).collect();
    let state = after(&batches);
    for (i, header) in batches.iter().enumerate().skip(1) {
        let expected = SequenceCheck::Duplicate { base_offset: header.base_offset, timestamp: header.max_timestamp };
        let again = BatchHeader { base_offset: KafkaOffset(0), ..*header };
        assert_eq!(state.check(&again, Claim::UNASKED), expected, "batch {i}");
    }
    assert_eq!(state.check(&batches[0], Claim::UNASKED), OUT_OF_ORDER, "the sixth from the end is forgotten");
}

#[test]
fn sequences_wrap_to_zero() {
    let state = after(&[batch(0, i32::MAX - 1, 2, 0)]);
    assert_eq!(state.check(&batch(0, 0, 1, 2), Claim::UNASKED), SequenceCheck::Accept);
    let wrapping = after(&[batch(0, i32::MAX - 1, 5, 0)]);
    assert_eq!(wrapping.check(&batch(0, 3, 1, 5), Claim::UNASKED), SequenceCheck::Accept);
    let first = wrapping.get(ProducerId(7)).unwrap().batches.front().unwrap().first_sequence();
    assert_eq!(first, i32::MAX - 1);
    assert!(matches!(wrapping.check(&batch(0, i32::MAX - 1, 5, 9), Claim::UNASKED), SequenceCheck::Duplicate { .. }));
}

#[test]
fn a_new_epoch_begins_at_zero_and_fences_the_old_one() {
    let mut state = after(&[batch(1, 0, 10, 0)]);
    assert_eq!(state.check(&batch(2, 10, 1, 10), Claim::UNASKED), OUT_OF_ORDER);
    assert_eq!(state.check(&batch(2, 0, 1, 10), Claim::UNASKED), SequenceCheck::Accept);
    state.record(&batch(2, 0, 1, 10), None);
    assert_eq!(
        state.check(&batch(1, 10, 1, 11), Claim::UNASKED),
        SequenceCheck::Reject(ErrorCode::InvalidProducerEpoch)
    );
    assert_eq!(state.check(&batch(2, 1, 1, 11), Claim::UNASKED), SequenceCheck::Accept);
}

#[test]
fn an_unknown_or_expired_producer_may_go_on_anywhere() {
    let mut state = after(&[batch(3, 500, 10, 0)]);
    state.expire(TimestampMs(1000 + 60_000), 60_001);
    assert_eq!(state.len(), 1);
    state.expire(TimestampMs(1000 + 60_000), 60_000);
    assert!(state.is_empty());
    assert_eq!(state.check(&batch(3, 510, 1, 10), Claim::UNASKED), SequenceCheck::Accept);
}

#[test]
fn an_open_transaction_does_not_expire() {
    let transactional = BatchHeader { attributes: Attributes(0).transactional(), ..batch(0, 0, 1, 0) };
    let mut state = after(&[transactional]);
    state.expire(TimestampMs(i64::MAX), 1);
    assert_eq!(state.get(ProducerId(7)).unwrap().transaction_first_offset, Some(KafkaOffset(0)));
}

fn transactional(header: BatchHeader) -> BatchHeader {
    BatchHeader { attributes: Attributes(0).transactional(), ..header }
}

fn marker(epoch: i16, offset: i64) -> BatchHeader {
    let header = BatchHeader { base_sequence: -1, ..batch(epoch, 0, 1, offset) };
    BatchHeader { attributes: Attributes(0).transactional().control(), ..header }
}

fn end(coordinator_epoch: i32) -> Option<Control> {
    Some(Control::End { marker: Marker::Commit, coordinator_epoch })
}

fn ends(epoch: i16, coordinator_epoch: i32, transaction_version: i8) -> EndRequest {
    EndRequest { producer: ProducerId(7), epoch: ProducerEpoch(epoch), coordinator_epoch, transaction_version }
}

#[test]
fn a_marker_ends_the_transaction_and_may_bring_a_new_epoch() {
    let mut state = after(&[transactional(batch(3, 0, 2, 10)), transactional(batch(3, 2, 2, 12))]);
    assert!(state.has_open_transaction(ProducerId(7), ProducerEpoch(3)));
    assert!(!state.has_open_transaction(ProducerId(7), ProducerEpoch(4)));
    assert_eq!(state.open_transactions(), [(ProducerId(7), KafkaOffset(10))]);
    let before = state.clone();
    let undo = state.record(&marker(4, 14), end(5)).unwrap();
    let entry = state.get(ProducerId(7)).unwrap();
    assert_eq!((entry.epoch, entry.coordinator_epoch), (ProducerEpoch(4), 5));
    assert_eq!(entry.transaction_first_offset, None);
    assert_eq!(state.check(&transactional(batch(4, 0, 1, 15)), Claim::UNASKED), SequenceCheck::Accept);
    assert_eq!(state.check(&transactional(batch(4, 4, 1, 15)), Claim::UNASKED), OUT_OF_ORDER, "another epoch, from 0");
    let fenced = SequenceCheck::Reject(ErrorCode::InvalidProducerEpoch);
    assert_eq!(state.check(&transactional(batch(3, 4, 1, 15)), Claim::UNASKED), fenced);
    state.undo(undo);
    assert_eq!(state, before, "a marker that Raft takes back");
    state.record(&marker(3, 14), end(5)).unwrap();
    assert_eq!(
        state.check(&transactional(batch(3, 4, 1, 15)), Claim::UNASKED),
        SequenceCheck::Accept,
        "the same epoch"
    );
}

#[test]
fn markers_without_anything_to_say_change_nothing() {
    let mut state = after(&[transactional(batch(0, 0, 1, 0))]);
    let before = state.clone();
    assert!(state.record(&marker(0, 1), Some(Control::Emptied)).is_none());
    assert!(state.record(&marker(0, 2), Some(Control::Other)).is_none());
    assert_eq!(state, before);
}

#[test]
fn old_coordinators_and_old_epochs_cannot_end_a_transaction() {
    let mut state = after(&[transactional(batch(3, 0, 1, 0))]);
    assert_eq!(state.check_end(&ends(3, 0, 0)), Ok(()));
    assert_eq!(state.check_end(&ends(2, 0, 0)), Err(ErrorCode::InvalidProducerEpoch));
    assert_eq!(state.check_end(&ends(3, 0, 2)), Err(ErrorCode::InvalidProducerEpoch), "the epoch was to grow");
    assert_eq!(state.check_end(&ends(4, 0, 2)), Ok(()));
    state.record(&marker(4, 1), end(6)).unwrap();
    assert_eq!(state.check_end(&ends(4, 6, 2)), Ok(()), "asked for again");
    assert_eq!(state.check_end(&ends(4, 5, 2)), Err(ErrorCode::TransactionCoordinatorFenced));
    assert_eq!(ProducerState::default().check_end(&ends(0, 0, 2)), Ok(()), "nothing is known of it here");
    let last = after(&[transactional(batch(i16::MAX, 0, 1, 0))]);
    assert_eq!(last.check_end(&ends(i16::MAX, 0, 2)), Ok(()), "no later epoch exists");
}

#[test]
fn a_transaction_begins_only_where_the_coordinator_knows_of_it() {
    let unverified = Claim { verified: false, ..Claim::UNASKED };
    let invalid = SequenceCheck::Reject(ErrorCode::InvalidTxnState);
    let first = transactional(batch(0, 0, 1, 0));
    assert_eq!(ProducerState::default().check(&first, unverified), invalid);
    let mut state = after(&[first]);
    assert_eq!(state.check(&transactional(batch(0, 1, 1, 1)), unverified), SequenceCheck::Accept, "it is open");
    assert!(matches!(state.check(&first, unverified), SequenceCheck::Duplicate { .. }));
    assert_eq!(state.check(&transactional(batch(1, 0, 1, 1)), unverified), invalid, "of another epoch");
    assert_eq!(state.check(&batch(0, 1, 1, 1), Claim::UNASKED), invalid, "all within it is part of it");
    state.record(&marker(0, 1), end(0)).unwrap();
    assert_eq!(state.check(&transactional(batch(0, 1, 1, 2)), unverified), invalid, "it has ended");
    assert_eq!(state.check(&batch(0, 1, 1, 2), unverified), SequenceCheck::Accept);
}

#[test]
fn what_comes_behind_a_batch_that_waits_must_not_go_first() {
    let waiting = Claim { lowest_sequence: Some(3), ..Claim::UNASKED };
    let state = ProducerState::default();
    assert_eq!(state.check(&transactional(batch(0, 5, 1, 0)), waiting), OUT_OF_ORDER);
    assert_eq!(state.check(&transactional(batch(0, 3, 2, 0)), waiting), SequenceCheck::Accept);
    let from_zero = Claim { epoch_per_transaction: true, ..Claim::UNASKED };
    assert_eq!(state.check(&transactional(batch(0, 3, 2, 0)), from_zero), OUT_OF_ORDER);
    assert_eq!(state.check(&transactional(batch(0, 0, 2, 0)), from_zero), SequenceCheck::Accept);
}

#[test]
fn offsets_of_a_transaction_have_no_sequences() {
    let offsets = |epoch| transactional(BatchHeader { base_sequence: -1, ..batch(epoch, 0, 1, 0) });
    let unverified = Claim { verified: false, ..Claim::UNASKED };
    let mut state = ProducerState::default();
    assert_eq!(state.check_offsets(&offsets(2), unverified), Err(ErrorCode::InvalidTxnState));
    assert_eq!(state.check_offsets(&offsets(2), Claim::UNASKED), Ok(()));
    state.record(&offsets(2), None).unwrap();
    assert_eq!(state.check_offsets(&offsets(2), unverified), Ok(()), "it is open");
    assert_eq!(state.check_offsets(&offsets(1), Claim::UNASKED), Err(ErrorCode::InvalidProducerEpoch));
}

#[test]
fn batches_without_a_producer_are_not_counted() {
    let plain = BatchHeader { producer_id: ProducerId::NONE, base_sequence: -1, ..batch(-1, -1, 1, 0) };
    let mut state = ProducerState::default();
    assert_eq!(state.check(&plain, Claim::UNASKED), SequenceCheck::Accept);
    assert!(state.record(&plain, None).is_none());
    assert!(state.is_empty());
}

#[test]
fn undoing_restores_what_was_forgotten() {
    let mut state = after(&(0..5).map(|i| batch(0, i, 1, i64::from(i))).collect::<Vec<_>>());
    let before = state.clone();
    let undos: Vec<_> =
        [batch(0, 5, 1, 5), batch(1, 0, 1, 6)].iter().map(|header| state.record(header, None).unwrap()).collect();
    assert_ne!(state, before);
    for undo in undos.into_iter().rev() {
        state.undo(undo);
    }
    assert_eq!(state, before);
}

#[test]
fn snapshots_come_back_whole() {
    let state = after(&(0..7).map(|i| batch(4, i, 1, i64::from(i))).collect::<Vec<_>>());
    let mut out = BytesMut::new();
    state.encode(&mut out);
    let encoded = out.freeze();
    assert_eq!(ProducerState::decode(&mut Reader::new(encoded.clone())).unwrap(), state);
    for len in 0..encoded.len() {
        assert!(ProducerState::decode(&mut Reader::new(encoded.slice(..len))).is_err(), "cut at {len}");
    }
}

#[test]
fn kafkas_snapshot_keeps_the_last_batch() {
    let state = after(&[batch(4, 0, 3, 0), batch(4, 3, 2, 3)]);
    let file = state.encode_kafka();
    let golden = "000135c14cca000000010000000000000007000400000004000000000000000400000001000000000000\
                  03ebffffffffffffffffffffffff";
    assert_eq!(file.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), golden);
    let read = ProducerState::decode_kafka(&file).unwrap();
    assert!(matches!(
        read.check(&batch(4, 3, 2, 9), Claim::UNASKED),
        SequenceCheck::Duplicate { base_offset: KafkaOffset(3), .. }
    ));
    let mut rotten = file.to_vec();
    rotten[20] ^= 1;
    assert!(matches!(ProducerState::decode_kafka(&rotten), Err(CodecError::ChecksumMismatch { .. })));
    assert!(ProducerState::decode_kafka(&Bytes::from_static(b"\0\x01")).is_err());
}
