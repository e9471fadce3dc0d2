//! A compacted topic in the real process, killed while it compacts; and what Kafka's own tool says of its segments.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{
    BaseProducer, BaseRecord, DefaultProducerContext, Producer, ProducerContext, ThreadedProducer,
};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::support::{Broker, Options, Random};

const TOPIC: &str = "newest-of-each";
const KEYS: u32 = 40;
const ROUNDS: u32 = 12;
const PATIENCE: Duration = Duration::from_secs(120);

type Values = BTreeMap<String, Option<String>>;

fn client(broker: &Broker) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.bootstrap());
    config.set("reconnect.backoff.ms", "10").set("reconnect.backoff.max.ms", "100");
    config
}

fn create_topic(broker: &Broker) {
    let admin: AdminClient<DefaultClientContext> = client(broker).create().unwrap();
    let topic = NewTopic::new(TOPIC, 1, TopicReplication::Fixed(1))
        .set("cleanup.policy", "compact")
        .set("internal.segment.bytes", "8192")
        .set("min.cleanable.dirty.ratio", "0.01")
        .set("file.delete.delay.ms", "0");
    let created = futures::executor::block_on(admin.create_topics([&topic], &AdminOptions::new())).unwrap();
    assert!(created.iter().all(Result::is_ok), "{created:?}");
}

/// Text that no codec makes much smaller, so that segments fill.
fn value_of(key: u32, round: u32) -> String {
    let mut random = Random(u64::from(key) << 32 | u64::from(round));
    let mut text = format!("{round}:");
    for _ in 0..20 + key % 17 {
        text += &format!("{:016x}", random.next().rotate_left(17));
    }
    text
}

/// Every key gets a new value, or goes, in each round; the codec changes with the round.
fn produce(broker: &Broker, round: u32, values: &mut Values) {
    let codec = ["none", "gzip", "lz4", "zstd"][round as usize % 4];
    let mut config = client(broker);
    config.set("enable.idempotence", "true").set("compression.type", codec).set("batch.num.messages", "7");
    let producer: ThreadedProducer<DefaultProducerContext> = config.create().unwrap();
    for key in 0..KEYS {
        let name = format!("key-{key}");
        let value = (!(key + round).is_multiple_of(9)).then(|| value_of(key, round));
        let mut record = BaseRecord::to(TOPIC).partition(0).key(&name);
        if let Some(value) = &value {
            record = record.payload(value);
        }
        producer.send(record).map_err(|(error, _)| error).unwrap();
        values.insert(name, value);
    }
    producer.flush(PATIENCE).unwrap();
}

/// What became of each record.
#[derive(Default)]
struct Outcomes(Mutex<Vec<Option<RDKafkaErrorCode>>>);

impl ClientContext for Outcomes {}

impl ProducerContext for Outcomes {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let code = result.as_ref().err().map(|(error, _)| match error {
            KafkaError::MessageProduction(code) => *code,
            other => panic!("{other}"),
        });
        self.0.lock().unwrap().push(code);
    }
}

fn a_record_without_key_is_refused(broker: &Broker) {
    let producer: BaseProducer<Outcomes> = client(broker).create_with_context(Outcomes::default()).unwrap();
    producer.send(BaseRecord::<[u8], _>::to(TOPIC).partition(0).payload("no key")).map_err(|(error, _)| error).unwrap();
    producer.flush(PATIENCE).unwrap();
    assert_eq!(*producer.context().0.lock().unwrap(), [Some(RDKafkaErrorCode::InvalidRecord)]);
}

fn metric(broker: &Broker, name: &str) -> u64 {
    let (_, text) = broker.admin_get("/metrics").unwrap();
    let lines = text.lines().filter(|line| line.starts_with(name));
    lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
}

fn await_pass(broker: &Broker) {
    let deadline = Instant::now() + PATIENCE;
    while metric(broker, "thalweg_compaction_passes_total{") == 0 {
        assert!(Instant::now() < deadline, "nothing was compacted");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// From the beginning to the end: the newest value of each key, and the offsets that there are.
fn consume(broker: &Broker) -> (Values, Vec<i64>) {
    let mut config = client(broker);
    config.set("group.id", "none").set("enable.auto.commit", "false").set("enable.partition.eof", "false");
    let consumer: BaseConsumer = config.create().unwrap();
    let (_, end) = consumer.fetch_watermarks(TOPIC, 0, PATIENCE).unwrap();
    let mut from = TopicPartitionList::new();
    from.add_partition_offset(TOPIC, 0, Offset::Beginning).unwrap();
    consumer.assign(&from).unwrap();
    let (mut values, mut offsets) = (Values::new(), Vec::new());
    let deadline = Instant::now() + PATIENCE;
    while offsets.last().is_none_or(|last| last + 1 < end) {
        assert!(Instant::now() < deadline, "{offsets:?} of {end} came");
        let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
        let message = message.unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        values.insert(text(message.key().unwrap()), message.payload().map(text));
        offsets.push(message.offset());
    }
    assert!(offsets.is_sorted_by(|a, b| a < b), "{offsets:?}");
    (values, offsets)
}

fn segments(broker: &Broker) -> Vec<PathBuf> {
    let dir = broker.data_dir().join(format!("{TOPIC}-0"));
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|suffix| suffix == "log"));
    files.sort();
    files
}

/// The offsets of the records in a segment, as Kafka's tool prints them; it also checks both indexes. It
/// lists gaps between offsets too, as it does for Kafka's own compacted segments.
fn dump(libs: &Path, segment: &Path) -> Vec<i64> {
    let index = |suffix| segment.with_extension(suffix).display().to_string();
    let files = [segment.display().to_string(), index("index"), index("timeindex")].join(",");
    let mut java = Command::new("java");
    java.args(["-Xmx256M", "-XX:TieredStopAtLevel=1", "-cp"]).arg(format!("{}/*", libs.display()));
    java.args(["org.apache.kafka.tools.DumpLogSegments", "--deep-iteration", "--files", &files]);
    let output = java.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    for bad in ["isvalid: false", "Mismatches", "Found timestamp mismatch", "not fully parsed", "corrupt"] {
        assert!(!text.contains(bad), "{bad}:\n{text}");
    }
    let records = text.lines().filter(|line| line.starts_with("| offset: "));
    records.map(|line| line.split_whitespace().nth(2).unwrap().parse().unwrap()).collect()
}

pub fn run(libs: &Path) {
    let options =
        Options::default().property("log.cleaner.backoff.ms", 100).property("thalweg.segment.flush.bytes", 4096);
    let mut broker = Broker::start(options);
    create_topic(&broker);
    a_record_without_key_is_refused(&broker);
    let mut values = Values::new();
    for round in 0..ROUNDS {
        produce(&broker, round, &mut values);
        match round % 4 {
            // In the middle of a pass, or before one, or after one.
            1 | 2 => {
                std::thread::sleep(Duration::from_millis(u64::from(round) * 40));
                broker.restart();
            }
            3 => await_pass(&broker),
            _ => {}
        }
        assert_eq!(
            consume(&broker).0.into_iter().filter(|(_, value)| value.is_some()).collect::<Values>(),
            alive(&values)
        );
    }
    await_pass(&broker);
    let (found, _) = consume(&broker);
    assert_eq!(found, values, "tombstones are there for a day");
    broker.stop();
    let on_disk: Vec<i64> = segments(&broker).iter().flat_map(|segment| dump(libs, segment)).collect();
    assert!(on_disk.len() < (KEYS * ROUNDS) as usize / 2, "{} records are left", on_disk.len());
    broker.restart();
    assert_eq!(consume(&broker), (values, on_disk), "Kafka's tool reads what consumers read");
    broker.stop();
}

fn alive(values: &Values) -> Values {
    values.iter().filter(|(_, value)| value.is_some()).map(|(key, value)| (key.clone(), value.clone())).collect()
}
