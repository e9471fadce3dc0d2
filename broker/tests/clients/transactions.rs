//! What Kafka's own tool says of segments with transactions in them, and of the index of those that were aborted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};

use super::support::{Broker, Options};

const TOPIC: &str = "decided";
const TRANSACTIONS: usize = 60;
const PATIENCE: Duration = Duration::from_secs(60);

/// The numbers of a line such as `version: 0 producerId: 1 firstOffset: 2`.
fn number(line: &str, name: &str) -> i64 {
    let mut words = line.split_whitespace();
    words.find(|word| *word == format!("{name}:")).unwrap_or_else(|| panic!("no {name} in {line}"));
    words.next().unwrap().parse().unwrap()
}

fn create_topic(bootstrap: &str) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", bootstrap).create().unwrap();
    let topic = NewTopic::new(TOPIC, 1, TopicReplication::Fixed(1)).set("internal.segment.bytes", "2048");
    let created = futures::executor::block_on(admin.create_topics([&topic], &AdminOptions::new())).unwrap();
    assert!(created.iter().all(Result::is_ok), "{created:?}");
}

/// Every third is committed.
fn write_transactions(bootstrap: &str) {
    let producer: ThreadedProducer<DefaultProducerContext> =
        ClientConfig::new().set("bootstrap.servers", bootstrap).set("transactional.id", "decider").create().unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    for number in 0..TRANSACTIONS {
        producer.begin_transaction().unwrap();
        let value = "v".repeat(20 + number * 7 % 90);
        for _ in 0..1 + number % 3 {
            let record = BaseRecord::<[u8], _>::to(TOPIC).partition(0).payload(&value);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
        if number % 3 == 0 {
            producer.commit_transaction(PATIENCE).unwrap();
        } else {
            producer.abort_transaction(PATIENCE).unwrap();
        }
    }
}

fn files(broker: &Broker, suffix: &str) -> Vec<PathBuf> {
    let dir = broker.data_dir().join(format!("{TOPIC}-0"));
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|found| found == suffix));
    files.sort();
    files
}

fn dump(libs: &Path, files: &[PathBuf], more: &[&str]) -> String {
    let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
    let mut java = Command::new("java");
    java.args(["-Xmx256M", "-XX:TieredStopAtLevel=1", "-cp"]).arg(format!("{}/*", libs.display()));
    java.args(["org.apache.kafka.tools.DumpLogSegments", "--files", &names.join(",")]).args(more);
    let output = java.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    text
}

pub fn run(libs: &Path) {
    let mut broker = Broker::start(Options::default());
    create_topic(broker.bootstrap());
    write_transactions(broker.bootstrap());
    broker.stop();

    let log = dump(libs, &files(&broker, "log"), &["--deep-iteration"]);
    let markers = |kind: &str| -> Vec<i64> {
        let ends = format!("endTxnMarker: {kind}");
        log.lines().filter(|line| line.contains(&ends)).map(|line| number(line, "offset")).collect()
    };
    let (aborts, commits) = (markers("ABORT"), markers("COMMIT"));
    assert_eq!((commits.len(), aborts.len()), (TRANSACTIONS / 3, TRANSACTIONS - TRANSACTIONS / 3));

    let indexes = files(&broker, "txnindex");
    assert!(indexes.len() > 3, "{indexes:?}");
    let index = dump(libs, &indexes, &[]);
    let entries: Vec<&str> = index.lines().filter(|line| line.contains("lastStableOffset: ")).collect();
    let ends: Vec<i64> = entries.iter().map(|line| number(line, "lastOffset")).collect();
    assert_eq!(ends, aborts, "an entry for each abort");
    for line in entries {
        let (first, last, stable) =
            (number(line, "firstOffset"), number(line, "lastOffset"), number(line, "lastStableOffset"));
        assert!(first < last && stable == last + 1, "transactions follow one another: {line}");
    }
    let snapshots = dump(libs, &files(&broker, "snapshot"), &[]);
    assert!(snapshots.contains("currentTxnFirstOffset: OptionalLong.empty"), "{snapshots}");
}
