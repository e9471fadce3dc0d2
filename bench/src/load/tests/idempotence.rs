//! Batches with numbers, sent again in order; and transactions around them.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::broker::Transactions;
use super::*;

const RATE: [&str; 6] = ["--rate", "2000", "--warmup", "0", "--duration", "2"];

/// What each partition's log holds is every record once, in order: the broker saw to the order of the numbers.
fn records(broker: &FakeBroker) -> i32 {
    let state = broker.state.lock().unwrap();
    state.log.values().flatten().map(|batch| batch.records_count).sum()
}

#[test]
fn a_lost_connection_loses_and_doubles_nothing() {
    let requests = AtomicUsize::new(0);
    let broker = FakeBroker::with(Transactions::V1, move |_| match requests.fetch_add(1, Ordering::Relaxed) {
        5 | 40 => Deed::TakeAndClose,
        20 | 41 => Deed::Close,
        _ => Deed::Acknowledge,
    });
    let (result, failure) = broker.run(&[&RATE[..], &["--idempotent", "--spread", "record"]].concat());
    assert_eq!((failure, flow(&result).records, records(&broker)), (None, 4000, 4000));
    assert!(flow(&result).refused.is_empty());
    assert!(broker.state.lock().unwrap().duplicates > 0, "what had arrived was sent again");
}

#[test]
fn what_passes_is_sent_again_in_order() {
    let requests = AtomicUsize::new(0);
    let broker = FakeBroker::with(Transactions::V1, move |_| match requests.fetch_add(1, Ordering::Relaxed) {
        // While it hangs others follow, so that the refusal that comes next has something behind it.
        n if n % 40 == 4 => Deed::Hang(Duration::from_millis(30)),
        n if n % 40 == 5 => Deed::Refuse(ErrorCode::NotEnoughReplicas),
        n if n % 40 == 25 => Deed::Refuse(ErrorCode::NotLeaderOrFollower),
        _ => Deed::Acknowledge,
    });
    let (result, failure) = broker.run(&[&RATE[..], &["--idempotent", "--linger-ms", "5"]].concat());
    assert_eq!((failure, flow(&result).records, records(&broker)), (None, 4000, 4000));
    assert!(flow(&result).refused.is_empty());
    assert!(broker.state.lock().unwrap().out_of_order > 0, "what followed failed because of it");
    assert!(flow(&result).latencies["latency"].us.max > 90_000.0, "the wait before an attempt counts");
}

#[test]
fn what_does_not_pass_ends_an_idempotent_run() {
    let broker = FakeBroker::with(Transactions::V1, |_| Deed::Refuse(ErrorCode::InvalidProducerEpoch));
    let (_, failure) = broker.run(&[&RATE[..], &["--idempotent"]].concat());
    assert!(failure.unwrap().contains("INVALID_PRODUCER_EPOCH"));
}

#[test]
fn transactions_end_by_count_and_by_time_and_some_are_aborted() {
    for transactions in [Transactions::V1, Transactions::V2] {
        let broker = FakeBroker::with(transactions, |_| Deed::Acknowledge);
        let flags =
            ["--transactional", "--transaction-records", "50", "--transaction-ms", "5000", "--abort-percent", "20"];
        let (result, failure) = broker.run(&[&RATE[..], &flags].concat());
        assert_eq!((failure, flow(&result).records, records(&broker)), (None, 4000, 4000));
        let state = broker.state.lock().unwrap();
        assert_eq!(state.ends.len(), 80);
        assert_eq!(flow(&result).latencies["commit"].count, 80);
        let aborted = state.ends.iter().filter(|committed| !**committed).count();
        assert!((4..=32).contains(&aborted), "{aborted} of 16");
        let version = if transactions == Transactions::V2 { 12 } else { 11 };
        assert_eq!(state.produce_versions.iter().collect::<Vec<_>>(), [&version]);
    }
    let broker = FakeBroker::with(Transactions::V2, |_| Deed::Acknowledge);
    let flags = ["--transactional", "--transaction-records", "50000", "--transaction-ms", "100"];
    let (result, failure) = broker.run(&[&RATE[..], &flags].concat());
    assert_eq!((failure, flow(&result).records), (None, 4000));
    let ended = broker.state.lock().unwrap().ends.len();
    assert!((5..=21).contains(&ended), "{ended} in two seconds");
}

#[test]
fn a_transaction_outlives_a_lost_connection() {
    let requests = AtomicUsize::new(0);
    let broker = FakeBroker::with(Transactions::V2, move |_| match requests.fetch_add(1, Ordering::Relaxed) {
        10 => Deed::TakeAndClose,
        _ => Deed::Acknowledge,
    });
    let (result, failure) = broker.run(&[&RATE[..], &["--transactional"]].concat());
    assert_eq!((failure, flow(&result).records, records(&broker)), (None, 4000, 4000));
}

#[test]
fn a_broker_without_transactions_is_one_clear_error() {
    for flag in ["--transactional", "--idempotent"] {
        let broker = FakeBroker::start(|_| Deed::Acknowledge);
        let began = Instant::now();
        let (result, failure) = broker.run(&[&RATE[..], &[flag]].concat());
        let failure = failure.unwrap();
        assert!(failure.contains("does not serve") && failure.contains(&broker.address), "{failure}");
        assert!(began.elapsed() < Duration::from_secs(5) && result.failure == Some(failure));
    }
}

#[test]
fn a_target_that_stays_away_ends_the_run() {
    let broker = FakeBroker::with(Transactions::V1, |since| {
        if since < Duration::from_millis(300) { Deed::Acknowledge } else { Deed::Garbage }
    });
    let (result, failure) = broker.run(&["--rate", "1000", "--warmup", "0", "--duration", "30", "--idempotent"]);
    assert!(failure.unwrap().contains("Kafka's protocol"));
    assert!(flow(&result).records > 100);
}
