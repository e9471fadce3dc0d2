//! What coordinators write, as Kafka's own kafka-dump-log decodes it: the same after the same actions as on Apache Kafka.
//!
//! The actions (`groups.rs`, `transactions.rs`) are requests, one after the other, so that there is one order in which their
//! records are written. `kafka-4.3.1.txt` is what the tool said of the segments of `__consumer_offsets` and
//! `__transaction_state` of Apache Kafka 4.3.1; with `THALWEG_WRITE_ANSWERS=1` one is started, asked, and the file written.

mod groups;
mod normal;
mod transactions;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use thalweg_protocol::messages::{CreateTopicsRequest, FindCoordinatorRequest, create_topics_request};
use thalweg_protocol::{Decodable, HeaderVersion, Request, StrBytes};
use uuid::Uuid;

use super::jvm::{Jars, start_kafka_with};
use super::support::{Broker, Options};
use crate::wire::{Client, PATIENCE};

/// One partition each, so that there is one segment to read; and assignments as soon as they can be made.
const SETTINGS: &[(&str, u32)] = &[
    ("offsets.topic.num.partitions", 1),
    ("transaction.state.log.num.partitions", 1),
    ("group.consumer.assignment.interval.ms", 0),
    ("group.share.assignment.interval.ms", 0),
];
const TOPIC: &str = "dumped";
/// Not there yet, or not here.
const LOADING: [i16; 3] = [14, 15, 16];

fn string(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// A connection, and what there is to ask about.
struct Actor {
    client: Client,
    topic_id: Uuid,
}

impl Actor {
    fn new(bootstrap: &str) -> Self {
        let deadline = Instant::now() + 3 * PATIENCE;
        let topic = create_topics_request::CreatableTopic::default()
            .with_name(string(TOPIC).into())
            .with_num_partitions(2)
            .with_replication_factor(1);
        let create = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
        loop {
            assert!(Instant::now() < deadline, "the broker does not serve");
            std::thread::sleep(Duration::from_millis(100));
            // Kafka listens before it serves.
            let Ok(mut client) = Client::try_connect(bootstrap) else { continue };
            let Ok(created) = client.try_ask(7, &create) else { continue };
            if created.topics[0].error_code == 0 {
                let mut actor = Self { client, topic_id: created.topics[0].topic_id };
                actor.find_coordinators();
                return actor;
            }
        }
    }

    /// Their topics are made at the first question.
    fn find_coordinators(&mut self) {
        for kind in [0, 1] {
            let find = FindCoordinatorRequest::default().with_key_type(kind);
            let find = find.with_coordinator_keys(vec![string("anybody")]);
            self.until(4, &find, |answer| answer.coordinators[0].error_code == 0);
        }
    }

    /// Asks until the answer is as it should be; the first ones come before the coordinators have loaded.
    fn until<R: Request>(&mut self, version: i16, request: &R, holds: impl Fn(&R::Response) -> bool) -> R::Response
    where
        R::Response: Decodable + HeaderVersion + std::fmt::Debug,
    {
        let deadline = Instant::now() + 3 * PATIENCE;
        loop {
            let answer = self.client.ask(version, request);
            if holds(&answer) {
                return answer;
            }
            assert!(Instant::now() < deadline, "{answer:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

pub fn run(jars: &Jars) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/dump/kafka-4.3.1.txt");
    if std::env::var_os("THALWEG_WRITE_ANSWERS").is_some() {
        fs::write(&golden, of_kafka(jars)).unwrap();
    }
    let (expected, ours) = (with_ours(&fs::read_to_string(golden).unwrap()), of_thalweg(jars));
    let pairs = expected.iter().map(String::as_str).zip(ours.lines());
    for (number, (expected, ours)) in pairs.enumerate() {
        assert_eq!(expected, ours, "Kafka's (left) and our records differ first in line {}", number + 1);
    }
    assert_eq!(expected.len(), ours.lines().count());
}

/// Kafka's lines, except where ours are others on purpose: `differs.txt` has those, and why. Lines with `-` are Kafka's, and
/// those with `+` that follow them stand here in their place; each such change is made once.
fn with_ours(kafka: &str) -> Vec<String> {
    let mut lines: Vec<String> = kafka.lines().map(str::to_owned).collect();
    let changes = include_str!("differs.txt").lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>();
    for change in changes.split(|line| line.is_empty()).filter(|change| !change.is_empty()) {
        let part = |sign: char| change.iter().filter_map(move |line| line.strip_prefix(sign)).collect::<Vec<_>>();
        let (theirs, ours) = (part('-'), part('+'));
        let at = lines.windows(theirs.len()).position(|found| found.iter().eq(theirs.iter().copied()));
        let at = at.unwrap_or_else(|| panic!("Kafka does not say {theirs:#?}"));
        lines.splice(at..at + theirs.len(), ours.into_iter().map(str::to_owned));
    }
    lines
}

fn of_thalweg(jars: &Jars) -> String {
    let options = Options::default().property("group.initial.rebalance.delay.ms", 0);
    let mut broker = Broker::start(SETTINGS.iter().fold(options, |options, (key, value)| options.property(key, value)));
    let topic = act(broker.bootstrap());
    broker.stop();
    dumps(jars, &broker.data_dir(), topic)
}

fn of_kafka(jars: &Jars) -> String {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut settings: String = SETTINGS.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
    settings += "share.coordinator.state.topic.replication.factor=1\nshare.coordinator.state.topic.min.isr=1\n";
    let (kafka, bootstrap) = start_kafka_with(jars, dir.path(), &settings);
    let topic = act(&bootstrap);
    kafka.stop();
    dumps(jars, &dir.path().join("kafka"), topic)
}

fn act(bootstrap: &str) -> Uuid {
    let mut actor = Actor::new(bootstrap);
    groups::act(&mut actor);
    transactions::act(&mut actor);
    actor.topic_id
}

fn dumps(jars: &Jars, data: &Path, topic: Uuid) -> String {
    let kinds = [("__consumer_offsets", "--offsets-decoder"), ("__transaction_state", "--transaction-log-decoder")];
    let dumps = kinds.map(|(name, decoder)| {
        let segment = data.join(format!("{name}-0")).join(format!("{:020}.log", 0));
        let mut tool = jars.java("org.apache.kafka.tools.DumpLogSegments");
        let output = tool.arg("--files").arg(segment).arg(decoder).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        let records = normal::records(&text, topic);
        assert!(records.lines().count() > 10, "{name} has next to no records:\n{text}");
        format!("# {name}\n{records}")
    });
    dumps.concat()
}
