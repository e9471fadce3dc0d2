//! Consumers against brokers that stall, lose, move and die when they are told to.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod broker;

use std::time::{Duration, Instant};

use thalweg_protocol::TimestampMs;
use thalweg_protocol::records::BatchBuilder;

use self::broker::{Brokers, Deed, PARTITIONS};
use super::NEVER_ARRIVED;
use crate::load::measure;
use crate::load::scenario::{Consume, Produce, Scenario, Size, Topics};
use crate::result::{Flow, Role, RunResult};

fn scenario(brokers: &Brokers, duration_s: u64) -> Scenario {
    let topics = Topics { name: "t".to_owned(), create: false, ..Topics::default() };
    let bootstrap = brokers.bootstrap.clone();
    Scenario { bootstrap, warmup_s: 0, duration_s, topics, ..Scenario::default() }
}

fn produce(rate: u64) -> Option<Produce> {
    let sizes = vec![Size { bytes: 100, weight: 1 }];
    Some(Produce { producers: 1, rate: Some(rate), sizes, ..Produce::default() })
}

fn consume(consumers: u32) -> Option<Consume> {
    Some(Consume { consumers, fetch_wait_ms: 200, ..Consume::default() })
}

fn run(scenario: Scenario) -> (RunResult, Option<String>) {
    let (result, failure) = measure(scenario.checked().unwrap(), None, |_| {}).unwrap();
    (result, failure.map(|failure| format!("{failure:#}")))
}

fn flow(result: &RunResult, role: Role) -> &Flow {
    result.steps[0].flows.iter().find(|flow| flow.role == role).unwrap()
}

/// Puts records of nobody's run into every partition.
fn fill(brokers: &Brokers, batches: usize) -> u64 {
    let mut batch = BatchBuilder::new();
    (0..10).for_each(|_| batch.push(TimestampMs(1), None, Some(&[7; 50]), &[]).unwrap());
    let batch = batch.build().unwrap();
    for log in brokers.state().logs.values_mut() {
        (0..batches).for_each(|_| log.append(&batch));
    }
    10 * batches as u64 * PARTITIONS.unsigned_abs() as u64
}

#[test]
fn every_record_arrives_once_and_those_of_others_do_not_count() {
    let brokers = Brokers::start(1, |_| Deed::Serve);
    fill(&brokers, 3);
    let (result, failure) = run(Scenario { produce: produce(2000), tail: consume(2), ..scenario(&brokers, 1) });
    assert_eq!(failure, None);
    let (produced, tail) = (flow(&result, Role::Produce), flow(&result, Role::Tail));
    assert_eq!((produced.records, tail.records, tail.refused.len()), (2000, 2000, 0));
    assert_eq!((tail.bytes, tail.latencies["end_to_end"].count), (200_000, 2000));
    let fetches = tail.latencies["fetch"].count;
    assert!((5..=2000).contains(&fetches), "{fetches} fetches found records");
    assert_eq!(tail.seconds.iter().map(|second| second.records).sum::<u64>(), 2000);

    // Each of two consumers has told of all of its partitions once, and then of those that had moved.
    let state = brokers.state();
    let full: Vec<_> = state.fetches.iter().filter(|(epoch, _)| *epoch == 0).map(|(_, named)| *named).collect();
    assert_eq!(full.iter().sum::<usize>(), PARTITIONS.unsigned_abs() as usize, "{full:?}");
    assert_eq!(full.len(), 2);
}

#[test]
fn a_consumer_counts_what_other_processes_write_under_its_runs_number() {
    let brokers = Brokers::start(1, |_| Deed::Serve);
    let shared = &brokers;
    let writing = |run: u32| Scenario { run, produce: produce(1000), ..scenario(shared, 1) };
    let (result, failure) = std::thread::scope(|scope| {
        for number in [7, 8] {
            scope.spawn(move || {
                std::thread::sleep(Duration::from_millis(500));
                assert_eq!(run(writing(number)).1, None);
            });
        }
        run(Scenario { run: 7, tail: consume(1), ..scenario(shared, 4) })
    });
    assert_eq!(failure, None);
    let tail = flow(&result, Role::Tail);
    assert_eq!((tail.records, tail.latencies["end_to_end"].count), (1000, 1000), "and not those of run 8");
    assert!(!tail.refused.contains_key(NEVER_ARRIVED));
}

#[test]
fn who_catches_up_reads_everything_and_begins_again_if_he_is_to() {
    let brokers = Brokers::start(1, |_| Deed::Serve);
    let there = fill(&brokers, 50);
    let once = consume(2).map(|consume| Consume { repeat: Some(false), ..consume });
    let (result, failure) = run(Scenario { catch_up: once, ..scenario(&brokers, 1) });
    assert_eq!((failure, flow(&result, Role::CatchUp).records), (None, there));

    let (result, failure) = run(Scenario { catch_up: consume(1), ..scenario(&brokers, 1) });
    let read = flow(&result, Role::CatchUp);
    assert_eq!(failure, None);
    assert!(read.records >= 2 * there, "{} of {there}", read.records);
    assert_eq!(read.bytes, 50 * read.records);
}

#[test]
fn a_stall_of_fetches_alone_shows_at_the_tail() {
    let stalled = std::sync::atomic::AtomicBool::new(false);
    let brokers = Brokers::start(1, move |since| {
        let now = since > Duration::from_millis(800) && !stalled.swap(true, std::sync::atomic::Ordering::Relaxed);
        if now { Deed::Hang(Duration::from_millis(400)) } else { Deed::Serve }
    });
    let (result, failure) = run(Scenario { produce: produce(1000), tail: consume(1), ..scenario(&brokers, 2) });
    assert_eq!(failure, None);
    let tail = flow(&result, Role::Tail);
    let end_to_end = tail.latencies["end_to_end"].us;
    assert_eq!(tail.records, 2000);
    // A fifth of all records was due while nothing came.
    assert!(end_to_end.max > 390_000.0 && end_to_end.p90 > 100_000.0, "{end_to_end:?}");
    assert!(flow(&result, Role::Produce).latencies["latency"].us.p90 < end_to_end.p90 / 2.0, "{result:?}");
}

#[test]
fn what_was_acknowledged_and_never_came_is_told() {
    let brokers = Brokers::start(1, |_| Deed::Serve);
    brokers.state().lose = 5;
    let (result, failure) = run(Scenario { produce: produce(1000), tail: consume(1), ..scenario(&brokers, 1) });
    assert_eq!(failure, None);
    let (produced, tail) = (flow(&result, Role::Produce), flow(&result, Role::Tail));
    assert_eq!(produced.records, 1000);
    let missing = tail.refused[NEVER_ARRIVED];
    assert!(missing >= 5, "{missing}");
    assert_eq!(tail.records + missing, 1000);
}

#[test]
fn a_log_that_was_cut_meanwhile_is_read_from_its_start() {
    let brokers = Brokers::start(1, |_| Deed::Serve);
    let there = fill(&brokers, 10);
    brokers.state().logs.values_mut().for_each(|log| log.start = 30);
    let once = consume(1).map(|consume| Consume { repeat: Some(false), ..consume });
    let (result, failure) = run(Scenario { catch_up: once, ..scenario(&brokers, 1) });
    let read = flow(&result, Role::CatchUp);
    let partitions = u64::from(PARTITIONS.unsigned_abs());
    assert_eq!((failure, read.records), (None, there - 30 * partitions));
    assert_eq!(read.refused["OFFSET_OUT_OF_RANGE"], partitions);
}

#[test]
fn a_partition_is_followed_to_its_new_leader() {
    let brokers = Brokers::start(2, |_| Deed::Serve);
    let shared = &brokers;
    let (result, failure) = std::thread::scope(|scope| {
        scope.spawn(move || {
            // Once to a broker that nobody was connected to, and once back.
            for (wait_ms, leader) in [(700, 2), (700, 1)] {
                std::thread::sleep(Duration::from_millis(wait_ms));
                shared.state().led_elsewhere.insert(0, leader);
            }
        });
        run(Scenario { produce: produce(1000), tail: consume(1), ..scenario(shared, 2) })
    });
    assert_eq!(failure, None);
    let tail = flow(&result, Role::Tail);
    assert_eq!(tail.records, 2000, "{:?}", tail.refused);
    assert!(tail.refused["NOT_LEADER_OR_FOLLOWER"] >= 2, "{:?}", tail.refused);
}

#[test]
fn a_broker_that_dies_or_answers_garbage_ends_the_run_with_what_was_measured() {
    for (dies, said) in [(true, "no answer came"), (false, "Kafka's protocol")] {
        let deed = move || if dies { Deed::Close } else { Deed::Garbage };
        let brokers =
            Brokers::start(1, move |since| if since < Duration::from_millis(500) { Deed::Serve } else { deed() });
        let began = Instant::now();
        let (result, failure) = run(Scenario { produce: produce(1000), tail: consume(1), ..scenario(&brokers, 30) });
        assert!(began.elapsed() < Duration::from_secs(20), "it does not go on to the end");
        let failure = failure.unwrap();
        let named = failure.contains(&brokers.bootstrap) && failure.contains("at the tail");
        assert!(named && failure.contains(said), "{failure}");
        assert_eq!(result.failure.as_deref(), Some(failure.as_str()));
        assert!(flow(&result, Role::Tail).records > 50, "{result:?}");
    }
}
