//! The generator against a broker that does what real ones seldom do on demand.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod broker;
mod idempotence;
pub(super) mod speech;
mod traffic;

use std::time::{Duration, Instant};

use thalweg_protocol::ErrorCode;

use self::broker::{Deed, FakeBroker};
use crate::result::{Flow, RunResult};

fn flow(result: &RunResult) -> &Flow {
    &result.steps[0].flows[0]
}

#[test]
fn a_stall_shows_in_the_percentiles_of_all_who_should_have_been_sent_meanwhile() {
    // A fifth of a second in two: a tenth of all records is late by up to that.
    let stall = Duration::from_millis(200);
    let stalled = std::sync::atomic::AtomicBool::new(false);
    let broker = FakeBroker::start(move |since| {
        if since > Duration::from_millis(800) && !stalled.swap(true, std::sync::atomic::Ordering::Relaxed) {
            Deed::Hang(stall)
        } else {
            Deed::Acknowledge
        }
    });
    let (report, failure) = broker.run(&["--rate", "2000", "--warmup", "0", "--duration", "2", "--in-flight", "1"]);
    assert_eq!(failure, None);
    let latency = flow(&report).latencies["latency"].us;
    assert!(latency.p50 < 50_000.0, "{latency:?}");
    assert!(latency.max > 190_000.0, "{latency:?}");
    // A closed loop would have one late record in thousands: its p99 would show nothing.
    assert!((150_000.0..400_000.0).contains(&latency.p99), "{latency:?}");
    assert!(
        flow(&report).latencies["service"].us.p90 < 150_000.0,
        "few requests were sent meanwhile: {:?}",
        flow(&report).latencies["service"].us
    );
}

#[test]
fn an_offered_rate_is_met() {
    let broker = FakeBroker::start(|_| Deed::Acknowledge);
    for flags in
        [&["--producers", "1"][..], &["--producers", "3", "--spread", "record", "--linger-ms", "2", "--keys", "unique"]]
    {
        let timing = ["--rate", "10000", "--warmup", "1", "--duration", "2", "--ramp", "1"];
        let (report, failure) = broker.run(&[&timing[..], flags].concat());
        assert_eq!((failure, flow(&report).refused.len()), (None, 0));
        assert!((19_800..=20_200).contains(&flow(&report).records), "{} of 20 000", flow(&report).records);
    }
}

#[test]
fn without_a_rate_it_sends_as_fast_as_it_is_answered_and_stops_in_time() {
    let broker = FakeBroker::start(|_| Deed::Hang(Duration::from_millis(10)));
    let began = Instant::now();
    let flags = ["--warmup", "0", "--duration", "1", "--in-flight", "1", "--batch-bytes", "1000", "--buffer-mib", "1"];
    let (report, failure) = broker.run(&flags);
    assert_eq!(failure, None);
    // A request each 10 ms at most, with a batch of ten records for each of three partitions.
    assert!((300..=3300).contains(&flow(&report).records), "{}", flow(&report).records);
    assert!(began.elapsed() < Duration::from_secs(15), "what waits at the end is sent or given up");
}

#[test]
fn refused_records_are_counted_by_error_and_have_no_latency() {
    let broker = FakeBroker::start(|_| Deed::Refuse(ErrorCode::NotEnoughReplicas));
    let (report, failure) = broker.run(&["--rate", "1000", "--warmup", "0", "--duration", "1"]);
    assert_eq!((failure, flow(&report).records), (None, 0));
    let refused: Vec<_> = flow(&report).refused.iter().map(|(error, records)| (error.as_str(), *records)).collect();
    assert_eq!(refused, [("NOT_ENOUGH_REPLICAS", 1000)]);
}

#[test]
fn a_target_that_dies_or_answers_garbage_ends_the_run_with_what_was_measured() {
    for (dies, said) in [(true, "no answer came"), (false, "Kafka's protocol")] {
        let deed = move || if dies { Deed::Close } else { Deed::Garbage };
        let broker =
            FakeBroker::start(move |since| if since < Duration::from_millis(500) { Deed::Acknowledge } else { deed() });
        let began = Instant::now();
        let (report, failure) = broker.run(&["--rate", "1000", "--warmup", "0", "--duration", "30"]);
        assert!(began.elapsed() < Duration::from_secs(10), "it does not go on to the end");
        let failure = failure.unwrap();
        assert!(failure.contains(said) && failure.contains(&broker.address), "{failure}");
        assert!((300..=700).contains(&flow(&report).records), "{}", flow(&report).records);
        assert!(report.steps[0].measured_s < 5.0, "{}", report.steps[0].measured_s);
    }
}
