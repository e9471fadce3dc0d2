//! What goes where: topics, steps, sizes, keys, acknowledgements.

use super::*;

#[test]
fn topics_that_are_missing_are_created_and_each_takes_its_share() {
    let broker = FakeBroker::start(|_| Deed::Acknowledge);
    let flags = ["--topic", "u", "--topics", "4", "--config", "retention.ms=-1", "--spread", "record"];
    let (result, failure) = broker.run(&[&flags[..], &["--rate", "1200", "--warmup", "0", "--duration", "1"]].concat());
    assert_eq!((failure, flow(&result).records), (None, 1200));
    let state = broker.state.lock().unwrap();
    assert_eq!(state.topics.keys().collect::<Vec<_>>(), ["u-0", "u-1", "u-2", "u-3"]);
    assert_eq!(state.configs["retention.ms"], "-1");
    let records = state.log.values().map(|log| log.iter().map(|batch| batch.records_count).sum::<i32>());
    assert_eq!(records.collect::<Vec<_>>(), [100; 12]);
}

#[test]
fn a_topic_that_is_missing_and_not_to_be_created_is_an_error() {
    let broker = FakeBroker::start(|_| Deed::Acknowledge);
    let scenario = crate::load::Scenario {
        bootstrap: broker.address.clone(),
        topics: crate::load::scenario::Topics { create: false, ..Default::default() },
        produce: Some(Default::default()),
        ..Default::default()
    };
    let error = crate::load::measure(scenario.checked().unwrap(), None, |_| {}).unwrap_err();
    assert!(error.to_string().contains("topic bench does not exist"), "{error:#}");
}

#[test]
fn each_step_has_its_rate_and_its_own_figures() {
    let broker = FakeBroker::start(|_| Deed::Acknowledge);
    let (result, failure) =
        broker.run(&["--steps", "1000,3000", "--warmup", "1", "--settle", "1", "--duration", "1", "--producers", "2"]);
    assert_eq!(failure, None);
    let seen: Vec<_> = result.steps.iter().map(|step| (step.offered_records_s, step.flows[0].records)).collect();
    assert_eq!(seen, [(Some(1000.0), 1000), (Some(3000.0), 3000)]);
    for step in &result.steps {
        assert!((step.measured_s - 1.0).abs() < 1e-9);
        assert_eq!(step.flows[0].seconds.first().map(|second| second.at_s), Some(-1));
    }
}

#[test]
fn sizes_are_mixed_as_they_weigh() {
    let broker = FakeBroker::start(|_| Deed::Acknowledge);
    let flags = ["run", "--bootstrap", &broker.address, "--topic", "t", "--sizes", "10:3,100:1", "--rate", "4000"];
    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: crate::load::Args,
    }
    let args = <Line as clap::Parser>::parse_from(flags.iter().chain(&["--warmup", "0", "--duration", "1"])).args;
    let (result, _) = crate::load::measure(args.scenario().unwrap(), None, |_| {}).unwrap();
    assert_eq!(flow(&result).records, 4000);
    let mean = flow(&result).bytes / 4000;
    assert!((30..=35).contains(&mean), "{mean} of 32.5");
}

#[test]
fn keys_go_to_their_partitions_in_small_batches() {
    let broker = FakeBroker::start(|_| Deed::Acknowledge);
    let keyed = ["--topic", "k", "--partitions", "2000", "--keys=zipf", "--key-count", "100000", "--linger-ms", "2"];
    let (result, failure) =
        broker.run(&[&keyed[..], &["--rate", "20000", "--warmup", "0", "--duration", "1"]].concat());
    assert_eq!((failure, flow(&result).records), (None, 20_000));
    let state = broker.state.lock().unwrap();
    let mut counts: Vec<i32> =
        state.log.values().map(|log| log.iter().map(|batch| batch.records_count).sum()).collect();
    counts.sort_unstable();
    assert!(counts.len() > 1500, "{} partitions", counts.len());
    // One in 12.1 records has the first key.
    assert!((1300..2200).contains(counts.last().unwrap()), "{counts:?}");
}

#[test]
fn without_acknowledgement_a_record_is_done_with_when_it_is_written() {
    let broker = FakeBroker::start(|_| Deed::Acknowledge);
    let (result, failure) = broker.run(&["--acks", "0", "--rate", "5000", "--warmup", "0", "--duration", "1"]);
    assert_eq!((failure, flow(&result).records), (None, 5000));
    let arrived = || {
        let state = broker.state.lock().unwrap();
        state.log.values().flatten().map(|batch| batch.records_count).sum::<i32>()
    };
    let began = Instant::now();
    while arrived() < 5000 && began.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(arrived(), 5000);
}

#[test]
fn what_is_not_acknowledged_in_the_end_counts_as_refused() {
    let broker = FakeBroker::start(|_| Deed::Hang(Duration::from_secs(60)));
    let (result, failure) = broker.run(&["--rate", "1000", "--warmup", "0", "--duration", "1"]);
    assert_eq!((failure, flow(&result).records), (None, 0));
    assert_eq!(flow(&result).refused.values().sum::<u64>(), 1000);
}
