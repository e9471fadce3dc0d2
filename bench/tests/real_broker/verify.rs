//! `thalweg-bench verify` against a broker that is killed and keeps its word, and against brokers that do not.

use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Broker, Fault, Outcome, Proxy, Running, free_ports, start};

const COMMON: [&str; 11] =
    ["verify", "--topic", "t", "--partitions", "3", "--size", "150", "--read-every-s", "0.3", "--json", "--keys"];

fn verify(bootstrap: &str, more: &[&str]) -> Running {
    let mut arguments = COMMON.to_vec();
    arguments.extend(["--bootstrap", bootstrap]);
    arguments.extend(more);
    start(&arguments)
}

fn passed(outcome: &Outcome) -> Value {
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let verdict = outcome.json();
    assert_eq!(verdict["passed"], true, "{outcome}");
    assert_eq!(verdict["records_written"], verdict["records_acknowledged"], "{outcome}");
    verdict
}

/// Kills the broker again and again while a run goes on, its last reading included.
fn killed(kills_max: u64, more: &[&str]) -> Value {
    let mut broker = Broker::start();
    let mut arguments = vec!["--producers", "3", "--rate", "6000", "--duration", "6", "--unavailable-max-s", "120"];
    arguments.extend(more);
    let mut run = verify(broker.address(), &arguments);
    let mut kills = 0;
    while kills < kills_max {
        thread::sleep(Duration::from_millis(700 + kills * 130));
        if run.has_ended() {
            break;
        }
        broker.kill_and_restart();
        kills += 1;
    }
    assert!(kills > 0, "the run ended before the broker was killed");
    let outcome = run.wait();
    let verdict = passed(&outcome);
    let number = |name: &str| verdict[name].as_u64().unwrap();
    assert!(number("records_acknowledged") > 1000, "too little load to mean anything: {outcome}");
    assert!(number("records_read_again") > number("records_found"), "{outcome}");
    assert!(!verdict["outages"].as_array().unwrap().is_empty(), "nobody noticed that the broker was killed: {outcome}");
    verdict
}

#[test]
fn a_broker_that_is_killed_keeps_its_word_to_idempotent_producers() {
    let verdict = killed(5, &["--idempotent"]);
    assert_eq!(verdict["records_found"], verdict["records_acknowledged"]);
    assert_eq!(verdict["repeated"], 0);
}

#[test]
fn a_broker_that_is_killed_keeps_its_word_to_other_producers() {
    let verdict = killed(3, &["--compression", "lz4"]);
    let number = |name: &str| verdict[name].as_u64().unwrap();
    assert_eq!(number("records_found"), number("records_acknowledged") + number("repeated"));
    assert_eq!(number("out_of_order"), 0);
    killed(3, &["--in-flight", "4", "--acks", "1"]);
}

/// A run against a broker with a fault, which must be found as these kinds.
fn found(fault: Fault, more: &[&str], kinds: &[&str]) {
    let proxy = Proxy::bind(fault);
    let broker = Broker::start_behind(Some(&proxy.address()));
    proxy.forward_to(broker.address());
    let mut arguments = vec!["--producers", "1", "--records", "20000", "--batch-records", "50"];
    arguments.extend(more);
    let outcome = verify(&proxy.address(), &arguments).wait();
    if fault == Fault::Nothing {
        passed(&outcome);
        return;
    }
    assert_eq!(outcome.code, Some(1), "{fault:?}: {outcome}");
    let verdict = outcome.json();
    assert_eq!(verdict["passed"], false, "{outcome}");
    for kind in kinds {
        assert!(verdict["violations"][kind].as_u64() > Some(0), "{fault:?} was not found as {kind}: {outcome}");
        let evidence = verdict["evidence"].as_array().unwrap();
        assert!(evidence.iter().any(|violation| violation["kind"] == *kind), "no evidence for {kind}: {outcome}");
    }
    assert!(outcome.stderr.contains("violations"), "{outcome}");
    assert!(fault == Fault::Withhold || proxy.planted() > 0);
}

#[test]
fn a_broker_that_breaks_its_word_is_found() {
    found(Fault::Nothing, &[], &[]);
    found(Fault::Drop, &[], &["lost"]);
    found(Fault::Drop, &["--idempotent"], &["lost", "sequence_refused"]);
    found(Fault::Repeat, &[], &["duplicate"]);
    found(Fault::Reverse, &[], &["reordered", "moved"]);
    found(Fault::Damage, &[], &["damaged"]);
    found(Fault::Withhold, &["--unavailable-max-s", "3"], &["unreadable"]);
}

#[test]
fn what_another_program_writes_is_foreign_and_what_was_there_before_is_not_judged() {
    let broker = Broker::start();
    passed(&verify(broker.address(), &["--records", "2000"]).wait());
    let latency = ["latency", "--bootstrap", broker.address(), "--topic", "t", "--records", "5", "--warmup", "0"];
    assert_eq!(start(&latency).wait().code, Some(0));
    let verdict = passed(&verify(broker.address(), &["--records", "2000"]).wait());
    assert_eq!(verdict["records_found"], 2000);

    let run = verify(broker.address(), &["--rate", "500", "--duration", "4"]);
    thread::sleep(Duration::from_secs(1));
    assert_eq!(start(&latency).wait().code, Some(0));
    let outcome = run.wait();
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert_eq!(outcome.json()["violations"]["foreign"], 5, "{outcome}");
}

#[test]
fn disturbances_are_run_and_their_failure_ends_the_run() {
    let broker = Broker::start();
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mark = dir.path().join("marks");
    let command = format!("echo disturbed >> '{}'", mark.display());
    let disturb = ["--rate", "500", "--duration", "3", "--disturb", &command, "--disturb-every-s", "0.5"];
    let verdict = passed(&verify(broker.address(), &disturb).wait());
    let marks = std::fs::read_to_string(&mark).unwrap().lines().count() as u64;
    assert!(marks >= 1);
    assert_eq!(verdict["disturbances"], marks);

    let failing = ["--rate", "500", "--duration", "60", "--disturb", "exit 3", "--disturb-every-s", "0.2"];
    let outcome = verify(broker.address(), &failing).wait();
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert!(outcome.stderr.contains("--disturb `exit 3`") && outcome.stderr.contains("exit status: 3"), "{outcome}");
}

#[test]
fn a_broker_that_stays_away_ends_the_run_with_what_was_seen() {
    let mut broker = Broker::start();
    let run = verify(broker.address(), &["--rate", "500", "--duration", "60", "--unavailable-max-s", "3"]);
    thread::sleep(Duration::from_secs(2));
    broker.kill();
    let outcome = run.wait();
    assert_eq!(outcome.code, Some(1), "{outcome}");
    let verdict = outcome.json();
    assert!(verdict["records_acknowledged"].as_u64() > Some(0), "{outcome}");
    assert!(outcome.stderr.contains("could not be written to for 3 s"), "{outcome}");

    let [port] = free_ports();
    let outcome = verify(&format!("127.0.0.1:{port}"), &[]).wait();
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""), "{outcome}");
    assert!(outcome.stderr.contains("cannot connect"), "{outcome}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (arguments, said) in [
        (&["--idempotent", "--in-flight", "6"][..], "at most 5"),
        (&["--idempotent", "--acks", "1"], "--acks -1"),
        (&["--rate", "0"], "--rate"),
        (&["--size", "100000", "--batch-records", "100"], "smaller --size"),
        (&["--records", "99999999999"], "--records"),
        (&["--read-every-s=-1"], "--read-every-s"),
    ] {
        let outcome =
            start(&[&["verify", "--topic", "t", "--bootstrap", "127.0.0.1:1"][..], arguments].concat()).wait();
        assert!(matches!(outcome.code, Some(1 | 2)), "{outcome}");
        assert!(outcome.stderr.contains(said), "{arguments:?}: {outcome}");
    }
}
