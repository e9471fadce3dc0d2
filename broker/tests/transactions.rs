//! Transactions survive `kill -9` at any instant: real clients, a real process, killed for real.
//!
//! Producers write transactions into all partitions, and so on all cores, and commit or abort them, while the broker is
//! killed again and again. What readers of committed records see, one that reads along and one that reads afterwards, is
//! held against what the producers were told (`transactions/checker.rs`). A second test copies records from one topic to
//! another with their offsets in the same transaction: each arrives exactly once.
//!
//! What these tests find was tried with brokers that were broken on purpose:
//! - The offsets of aborted transactions are kept (`release_offsets` materialises at every marker): 3 runs of 3, "121 records
//!   did not arrive once". After an abort another consumer goes on, from the offset that the group has, and skips what was
//!   aborted.
//! - Readers of committed records are served up to the high watermark (`fetch_read::prepare`): 3 runs of 3, 3 to 9
//!   transactions each, "was aborted and is seen" by the follower. Readers that come afterwards find nothing wrong, and
//!   librdkafka, which looks at the last stable offset itself, next to nothing.
//! - A commit is answered before its decision is durable (`TransactionShard::decide` replies, then writes): 4 runs of 4, 2 or
//!   3 transactions each, "was committed and is lost". Kills at any moment do not find it: what is on its way to the device
//!   arrives there without the process. So kills come right behind an answer, while the log's one write is another's.
//! - Markers always commit: "was aborted and is seen", by all readers.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;
#[path = "transactions/checker.rs"]
mod transactions_checker;
#[path = "transactions/clients.rs"]
mod transactions_clients;
#[path = "transactions/copies.rs"]
mod transactions_copies;
#[path = "transactions/follower.rs"]
mod transactions_follower;
#[path = "transactions/next.rs"]
mod transactions_next;
#[path = "transactions/writers.rs"]
mod transactions_writers;
#[path = "bad_input/wire.rs"]
#[allow(dead_code, unreachable_pub, reason = "another program's, which uses all of it")]
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use support::{Broker, Random};
use transactions_checker::{Fate, History, Seen, violations};
use transactions_clients::{
    PARTITIONS, PATIENCE, await_stable, create_topics, kill_again_and_again, options, parse, read_committed,
    transactional,
};
use transactions_copies::{SOURCE, TARGET, copy_partition, fill_source};
use transactions_follower::follow;
use transactions_writers::{NOISE, Shared, TOPIC, make_noise, write_closing, write_transactions};

fn check(history: &History, seen: &Seen, who: &str) {
    let found = violations(history, seen);
    let first = &found[..found.len().min(5)];
    assert!(found.is_empty(), "{} violations are seen by {who}, the first: {first:?}", found.len());
}

#[test]
fn transactions_survive_kill_9() {
    const WRITERS: u64 = 4;
    // One write at a time: what comes while it is under way waits.
    let mut broker = Broker::start(options().property("thalweg.wal.writes.in.flight", 1));
    create_topics(broker.bootstrap(), &[TOPIC, NOISE]);
    let shared = Arc::new(Shared::default());
    let mut threads: Vec<_> = (0..WRITERS)
        .map(|id| {
            let (bootstrap, shared) = (broker.bootstrap().to_owned(), Arc::clone(&shared));
            std::thread::spawn(move || write_transactions(&bootstrap, id, &shared))
        })
        .collect();
    let (bootstrap, of_noise) = (broker.bootstrap().to_owned(), Arc::clone(&shared));
    threads.push(std::thread::spawn(move || make_noise(&bootstrap, &of_noise.stop)));
    let bootstrap = broker.bootstrap().to_owned();
    let follower = std::thread::spawn(move || follow(&bootstrap));
    let mut random = Random(0x7468);
    let count = |fate| shared.count(fate);
    let is_enough = || count(Fate::Committed) > 100 && count(Fate::Aborted) > 30;
    (0..12).for_each(|_| shared.kill(&mut broker, &mut random));
    // On a busy machine a round is worth less.
    let deadline = Instant::now() + 2 * PATIENCE;
    while !is_enough() && Instant::now() < deadline {
        shared.kill(&mut broker, &mut random);
        std::thread::sleep(Duration::from_secs(2));
    }
    assert!(is_enough(), "{} committed and {} aborted mean little", count(Fate::Committed), count(Fate::Aborted));
    shared.stop.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().unwrap();
    }
    // What a producer left undecided is decided by its successor.
    (0..WRITERS).for_each(|id| drop(transactional(broker.bootstrap(), &format!("writer-{id}"))));
    write_closing(broker.bootstrap(), &shared);
    await_stable(broker.bootstrap(), TOPIC);
    let history = shared.history();
    let followed = follower.join().unwrap();
    check(&history, &followed, "who read along");
    for _ in 0..2 {
        let mut seen = Seen::new();
        read_committed(broker.bootstrap(), TOPIC, |partition, value| {
            seen.entry(partition).or_default().push(parse(value));
        });
        check(&history, &seen, "who reads afterwards");
        assert_eq!(seen, followed, "the same as who read along");
        // Once more after a recovery.
        broker.kill9();
        broker.restart();
    }
    broker.stop();
}

#[test]
fn copies_with_offsets_in_the_transaction_arrive_once() {
    const RECORDS: u64 = 400;
    /// After fewer, next to nobody has looked where the group stands.
    const SUCCESSIONS_MIN: usize = 15;
    let mut broker = Broker::start(options());
    create_topics(broker.bootstrap(), &[SOURCE, TARGET]);
    fill_source(broker.bootstrap(), RECORDS);
    let successions = Arc::new(AtomicUsize::new(0));
    let copiers: Vec<_> = (0..PARTITIONS)
        .map(|partition| {
            let (bootstrap, successions) = (broker.bootstrap().to_owned(), Arc::clone(&successions));
            let count = (RECORDS / PARTITIONS as u64) as usize;
            std::thread::spawn(move || copy_partition(&bootstrap, partition, count, &successions))
        })
        .collect();
    let mut random = Random(0xbeef);
    while copiers.iter().any(|copier| !copier.is_finished()) {
        kill_again_and_again(&mut broker, 1, &mut random);
        std::thread::sleep(Duration::from_millis(1500));
    }
    for copier in copiers {
        copier.join().unwrap();
    }
    await_stable(broker.bootstrap(), TARGET);
    let mut times: BTreeMap<u64, u32> = (0..RECORDS).map(|number| (number, 0)).collect();
    read_committed(broker.bootstrap(), TARGET, |_, value| *times.entry(parse(value).transaction.1).or_default() += 1);
    times.retain(|_, times| *times != 1);
    let first: Vec<_> = times.iter().take(10).collect();
    assert!(times.is_empty(), "{} records did not arrive once; which and how often: {first:?}", times.len());
    let successions = successions.load(Ordering::Relaxed);
    assert!(successions >= SUCCESSIONS_MIN, "{successions} aborts mean little");
    broker.stop();
}

#[test]
fn a_next_transaction_waits_for_the_marker_of_the_last() {
    transactions_next::records_wait_for_the_marker();
}

#[test]
fn offsets_of_a_next_transaction_wait_for_the_marker_of_the_last() {
    transactions_next::offsets_wait_for_the_marker();
}

#[test]
fn a_next_transaction_is_refused_when_the_marker_of_the_last_takes_too_long() {
    transactions_next::patience_ends();
}
