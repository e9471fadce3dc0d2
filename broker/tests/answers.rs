//! Edge cases of the APIs, answered as Apache Kafka answers them: `answers/kafka-4.3.1.txt` is what Kafka said.
//!
//! With `THALWEG_TEST_BOOTSTRAP=host:port` another broker is asked; with `THALWEG_WRITE_ANSWERS=1` besides, its answers
//! become the file. It was written from Apache Kafka 4.3.1, one node with the id 1 and the shipped `server.properties`, with
//! `group.initial.rebalance.delay.ms=0`, `group.max.size=2` and `group.consumer.max.size=2`. Ask it
//! twice, the first time while its coordinators load; what is in the order of a hash table may come in another.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(unreachable_pub, dead_code, reason = "one program of several files, some of them another's too")]

mod support;

#[path = "answers/asker.rs"]
mod asker;
#[path = "answers/cluster.rs"]
mod cluster;
#[path = "answers/configs.rs"]
mod configs;
#[path = "answers/consumer.rs"]
mod consumer;
#[path = "answers/fenced.rs"]
mod fenced;
#[path = "answers/groups.rs"]
mod groups;
#[path = "answers/markers.rs"]
mod markers;
#[path = "answers/offsets.rs"]
mod offsets;
#[path = "answers/oversized.rs"]
mod oversized;
#[path = "answers/partitions.rs"]
mod partitions;
#[path = "answers/produce.rs"]
mod produce;
#[path = "answers/sessions.rs"]
mod sessions;
#[path = "answers/topics.rs"]
mod topics;
#[path = "answers/transactions.rs"]
mod transactions;
#[path = "bad_input/wire.rs"]
mod wire;
#[path = "answers/zombies.rs"]
mod zombies;

use std::path::Path;
use std::time::SystemTime;

use asker::Asker;
use support::{Broker, Options};

/// What the broker that the answers were written from was told, too.
fn options() -> Options {
    Options::default()
        .property("group.initial.rebalance.delay.ms", 0)
        .property("group.max.size", 2)
        .property("group.consumer.max.size", 2)
}

#[test]
fn edge_cases_are_answered_as_kafka_answers_them() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/answers/kafka-4.3.1.txt");
    let broker = match std::env::var("THALWEG_TEST_BOOTSTRAP") {
        Ok(_) => None,
        Err(_) => Some(Broker::start(options())),
    };
    let bootstrap = match &broker {
        Some(broker) => broker.bootstrap().to_owned(),
        None => std::env::var("THALWEG_TEST_BOOTSTRAP").unwrap(),
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let mut asker = Asker::new(&bootstrap, &format!("a{:012x}-", now.as_millis()));
    topics::ask(&mut asker);
    partitions::ask(&mut asker);
    configs::ask(&mut asker);
    produce::ask(&mut asker);
    offsets::ask(&mut asker);
    sessions::ask(&mut asker);
    groups::ask(&mut asker);
    transactions::ask(&mut asker);
    markers::ask(&mut asker);
    consumer::ask(&mut asker);
    zombies::ask(&mut asker);
    fenced::ask(&mut asker);
    oversized::ask(&mut asker);
    cluster::ask(&mut asker);
    let answers = asker.into_answers();
    if std::env::var_os("THALWEG_WRITE_ANSWERS").is_some() {
        std::fs::write(&path, &answers).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    let differences = match broker {
        Some(_) => differences(&with_ours(&expected), &answers),
        None => differences(&expected, &answers),
    };
    assert!(differences.is_empty(), "{} answers differ:\n{}", differences.len(), differences.join("\n"));
}

/// Kafka's answers, except where ours is another on purpose: `answers/differs.txt` has those, and why.
fn with_ours(kafka: &str) -> String {
    let ours: Vec<(&str, &str)> = include_str!("answers/differs.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once(": ").unwrap())
        .collect();
    let case = |line: &str| {
        ours.iter().rposition(|(case, _)| line.strip_prefix(case).is_some_and(|rest| rest.starts_with(": ")))
    };
    let mut used = vec![false; ours.len()];
    let lines: Vec<String> = kafka
        .lines()
        .map(|line| match case(line) {
            Some(at) => {
                used[at] = true;
                assert_ne!(line, format!("{}: {}", ours[at].0, ours[at].1), "this is no difference");
                format!("{}: {}", ours[at].0, ours[at].1)
            }
            None => line.to_owned(),
        })
        .collect();
    assert!(used.iter().all(|used| *used), "answers/differs.txt has answers to questions that are not asked");
    lines.join("\n")
}

fn differences(expected: &str, found: &str) -> Vec<String> {
    assert_eq!(expected.lines().count(), found.lines().count(), "other questions were asked than those in the file");
    let pairs = expected.lines().zip(found.lines()).filter(|(expected, found)| expected != found);
    pairs.map(|(expected, found)| format!("Kafka: {expected}\nhere:  {found}")).collect()
}
