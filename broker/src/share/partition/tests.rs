//! Examples, and random walks beside a model that keeps each offset by itself.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::{StrBytes, TimestampMs};

use super::*;

const NOW: TimestampMs = TimestampMs(1_000);

fn fresh(start_offset: i64) -> SharePartition {
    let limits = ShareLimits { lock_duration_ms: 100, delivery_count_max: 2, records_in_flight_max: 20 };
    SharePartition::new(&KeptState { start_offset, ..KeptState::default() }, limits)
}

fn member(name: &'static str) -> StrBytes {
    StrBytes::from_static_str(name)
}

/// What `name` is given of these batches, all that were read.
fn take(
    share: &mut SharePartition,
    name: &'static str,
    batches: &[(i64, i64)],
    max: i64,
    now: TimestampMs,
) -> Vec<Acquired> {
    let read = Read { from: batches[0].0, until: batches.last().unwrap().1 + 1, batches };
    share.acquire(&member(name), &read, max, now)
}

fn ack(first: i64, last: i64, types: &[i8]) -> Acknowledgement {
    Acknowledgement { first, last, types: types.to_vec() }
}

#[test]
fn accepted_records_move_the_start() {
    let mut share = fresh(10);
    assert_eq!(share.next_offset(), Some(10));
    let acquired = take(&mut share, "a", &[(10, 14), (15, 19)], 5, NOW);
    assert_eq!(
        acquired,
        [Acquired { first: 10, last: 14, delivery_count: 1 }],
        "whole batches, and no more than wanted"
    );
    assert_eq!(share.next_offset(), Some(15));
    let change = share.acknowledge("a", &[ack(12, 14, &[1])]).unwrap();
    assert_eq!(change.start_offset, 10, "the first two are still out");
    assert_eq!(change.batches, [StateBatch { first: 12, last: 14, state: 2, delivery_count: 1 }]);
    assert_eq!(change.delivery_complete_count, 3);
    let change = share.acknowledge("a", &[ack(10, 11, &[1, 1])]).unwrap();
    assert_eq!(change, StateChange { start_offset: 15, delivery_complete_count: 0, batches: vec![] });
}

#[test]
fn released_records_come_again_until_they_were_delivered_too_often() {
    let mut share = fresh(0);
    take(&mut share, "a", &[(0, 3)], 10, NOW);
    share.acknowledge("a", &[ack(0, 3, &[1, 2, 3, 0])]).unwrap();
    assert_eq!((share.start_offset(), share.next_offset()), (1, Some(1)));
    let again = take(&mut share, "b", &[(0, 3)], 10, NOW);
    assert_eq!(again, [Acquired { first: 1, last: 1, delivery_count: 2 }]);
    share.acknowledge("b", &[ack(1, 1, &[2])]).unwrap();
    assert_eq!(share.start_offset(), 4, "twice is enough");
}

#[test]
fn holds_end_with_time_and_with_their_member() {
    let mut share = fresh(0);
    take(&mut share, "a", &[(0, 4)], 10, NOW);
    take(&mut share, "b", &[(5, 9)], 10, TimestampMs(1_050));
    assert_eq!(share.next_deadline(), Some(TimestampMs(1_100)));
    assert_eq!(share.expire(TimestampMs(1_099)), None);
    let change = share.expire(TimestampMs(1_100)).unwrap();
    assert_eq!(change.batches, [StateBatch { first: 0, last: 4, state: 0, delivery_count: 1 }]);
    assert_eq!(share.acknowledge("a", &[ack(0, 0, &[1])]), Err(ErrorCode::InvalidRecordState));
    assert!(share.release_member("b").is_some());
    assert_eq!(share.next_deadline(), None);
}

#[test]
fn bad_acknowledgements_change_nothing() {
    let mut share = fresh(0);
    take(&mut share, "a", &[(0, 9)], 10, NOW);
    let bad = [
        (ack(0, 9, &[]), ErrorCode::InvalidRequest),
        (ack(0, 9, &[1, 1]), ErrorCode::InvalidRequest),
        (ack(3, 2, &[1]), ErrorCode::InvalidRequest),
        (ack(-1, 2, &[1]), ErrorCode::InvalidRequest),
        (ack(i64::MIN, i64::MAX, &[1]), ErrorCode::InvalidRequest),
        (ack(0, i64::MAX, &[1]), ErrorCode::InvalidRequest),
        (ack(0, 0, &[4]), ErrorCode::InvalidRequest),
        (ack(0, 10, &[1]), ErrorCode::InvalidRecordState),
    ];
    for (ack, code) in bad {
        assert_eq!(share.acknowledge("a", std::slice::from_ref(&ack)), Err(code), "{ack:?}");
    }
    assert_eq!(share.acknowledge("a", &[ack(0, 3, &[1]), ack(3, 5, &[1])]), Err(ErrorCode::InvalidRecordState));
    assert_eq!(share.acknowledge("b", &[ack(0, 0, &[1])]), Err(ErrorCode::InvalidRecordState));
    assert_eq!(share.acknowledge("a", &[ack(0, 9, &[1])]).unwrap().start_offset, 10);
}

#[test]
fn no_more_than_allowed_are_in_flight() {
    let mut share = fresh(0);
    take(&mut share, "a", &[(0, 24)], 100, NOW);
    assert_eq!(share.next_offset(), None);
    assert!(take(&mut share, "b", &[(25, 30)], 100, NOW).is_empty());
}

#[test]
fn what_holds_no_records_is_passed_over() {
    let mut share = fresh(0);
    let read = Read { from: 0, until: 12, batches: &[(2, 3), (6, 7)] };
    let acquired = share.acquire(&member("a"), &read, 100, NOW);
    let pieces = [Acquired { first: 2, last: 3, delivery_count: 1 }, Acquired { first: 6, last: 7, delivery_count: 1 }];
    assert_eq!(acquired, pieces);
    assert_eq!((share.start_offset(), share.next_offset()), (2, Some(12)));
    let change = share.acknowledge("a", &[ack(2, 3, &[2]), ack(6, 7, &[1])]).unwrap();
    assert_eq!((change.start_offset, share.next_offset()), (2, Some(2)));
    // They were compacted away meanwhile.
    let read = Read { from: 2, until: 14, batches: &[] };
    assert!(share.acquire(&member("a"), &read, 100, NOW).is_empty());
    assert_eq!((share.start_offset(), share.next_offset()), (14, Some(14)));
}

#[test]
fn goes_on_from_what_was_kept() {
    let mut share = fresh(0);
    take(&mut share, "a", &[(0, 9)], 100, NOW);
    let change = share.acknowledge("a", &[ack(4, 5, &[1]), ack(7, 7, &[2])]).unwrap();
    let kept = KeptState { start_offset: change.start_offset, batches: change.batches, ..KeptState::default() };
    let again = SharePartition::new(&kept, share.limits);
    assert_eq!((again.start_offset(), again.next_offset(), again.end_offset()), (0, Some(0), 8));
}

#[test]
fn random_walks_agree_with_a_model() {
    for seed in 0..300 {
        let mut dice = StdRng::seed_from_u64(seed);
        let mut share = fresh(0);
        let mut kept = KeptState::default();
        // State and holder of every offset that was given out; what is done with stays.
        let mut model: BTreeMap<i64, (i8, Option<&str>, i16)> = BTreeMap::new();
        let mut log = 0;
        for _ in 0..200 {
            let name = ["a", "b", "c"][dice.random_range(0..3)];
            match dice.random_range(0..6) {
                0..=1 => {
                    let Some(from) = share.next_offset() else { continue };
                    log = log.max(from + dice.random_range(1..6));
                    let batches: Vec<(i64, i64)> = (from..log).map(|at| (at, at)).collect();
                    for got in take(&mut share, name, &batches, dice.random_range(1..5), NOW) {
                        for offset in got.first..=got.last {
                            let entry = model.entry(offset).or_insert((0, None, 0));
                            assert_eq!((entry.0, entry.1), (0, None), "{offset} was given to two");
                            *entry = (0, Some(name), entry.2 + 1);
                            assert_eq!(entry.2, got.delivery_count);
                        }
                    }
                }
                2..=4 => {
                    let held: Vec<i64> = model.iter().filter(|(_, it)| it.1 == Some(name)).map(|(at, _)| *at).collect();
                    if held.is_empty() {
                        continue;
                    }
                    let offset = held[dice.random_range(0..held.len())];
                    let kind = dice.random_range(0..4);
                    let change = share.acknowledge(name, &[ack(offset, offset, &[kind])]).unwrap();
                    let count = model[&offset].2;
                    let state = match kind {
                        1 => 2,
                        2 if count < 2 => 0,
                        _ => 4,
                    };
                    model.insert(offset, (state, None, count));
                    keep(&mut kept, change);
                }
                _ => {
                    if let Some(change) = share.release_member(name) {
                        keep(&mut kept, change);
                    }
                    for it in model.values_mut().filter(|it| it.1 == Some(name)) {
                        // Never seen, never counted.
                        *it = (0, None, it.2 - 1);
                    }
                }
            }
            let start = (0..).find(|offset| model.get(offset).is_none_or(|it| it.0 == 0)).unwrap();
            assert_eq!(share.start_offset(), start, "seed {seed}");
        }
        // A new leader knows what was done with.
        let again = SharePartition::new(&kept, share.limits);
        assert_eq!(again.start_offset(), share.start_offset(), "seed {seed}");
    }
}

fn keep(kept: &mut KeptState, change: StateChange) {
    *kept = kept.merged(&change);
}
