//! MirrorMaker 2: records, settings and the offsets of groups, from another broker to this one.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use rdkafka::Message as _;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::jvm::{Jars, Jvm, start_kafka};
use super::support::{Broker, Options};

const PATIENCE: Duration = Duration::from_secs(120);
const PARTITIONS: i32 = 3;
const RECORDS: usize = 300;
/// What the group has read of each partition when the second round of records is mirrored: MirrorMaker translates no offset
/// that lies before those which it was told of when it started.
const COMMITTED: i64 = 2 * RECORDS as i64 / PARTITIONS as i64;
const GROUP: &str = "readers";
const RETENTION_MS: &str = "123456789";

pub fn from_thalweg(jars: &Jars) {
    let mut source = start();
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    mirrors(jars, dir.path(), source.bootstrap());
    source.stop();
}

pub fn from_kafka(jars: &Jars) {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (kafka, bootstrap) = start_kafka(jars, dir.path());
    mirrors(jars, dir.path(), &bootstrap);
    kafka.stop();
}

fn start() -> Broker {
    Broker::start(Options::default().property("group.initial.rebalance.delay.ms", 0))
}

fn mirrors(jars: &Jars, dir: &Path, source: &str) {
    let mut target = start();
    create(source);
    let mut written = produce(source, 0);
    let mut mirror = mirror_maker(jars, dir, source, target.bootstrap());
    let arrive = |mirror: &mut Jvm, written: &BTreeMap<i32, Vec<String>>| {
        let mut found = BTreeMap::new();
        let bootstrap = target.bootstrap().to_owned();
        mirror.wait_until("every record is mirrored", PATIENCE, || {
            found = consume(&bootstrap, "src.orders");
            found.values().map(Vec::len).sum::<usize>() >= written.values().map(Vec::len).sum()
        });
        assert_eq!(&found, written, "each record once, in its partition, in order");
    };
    arrive(&mut mirror, &written);
    for (partition, values) in produce(source, RECORDS) {
        written.entry(partition).or_default().extend(values);
    }
    arrive(&mut mirror, &written);
    commit(source);
    let bootstrap = target.bootstrap().to_owned();
    mirror.wait_until("the topic's settings are mirrored", PATIENCE, || {
        retention(&bootstrap).is_some_and(|value| value == RETENTION_MS)
    });
    mirror.wait_until("the group's offsets are mirrored", PATIENCE, || {
        let offsets = committed(&bootstrap);
        assert!(offsets.iter().all(|offset| *offset <= COMMITTED), "{offsets:?}: beyond what was read");
        offsets.iter().all(|offset| *offset > 0)
    });
    mirror.stop();
    target.stop();
}

fn mirror_maker(jars: &Jars, dir: &Path, source: &str, target: &str) -> Jvm {
    let settings = format!(
        "clusters=src,dst\nsrc.bootstrap.servers={source}\ndst.bootstrap.servers={target}\nsrc->dst.enabled=true\n\
         src->dst.topics=orders\nsrc->dst.groups={GROUP}\nreplication.factor=1\ncheckpoints.topic.replication.factor=1\n\
         heartbeats.topic.replication.factor=1\noffset-syncs.topic.replication.factor=1\n\
         offset.storage.replication.factor=1\nstatus.storage.replication.factor=1\nconfig.storage.replication.factor=1\n\
         sync.topic.acls.enabled=false\nsync.group.offsets.enabled=true\nsync.group.offsets.interval.seconds=1\n\
         emit.checkpoints.interval.seconds=1\nrefresh.topics.interval.seconds=1\nrefresh.groups.interval.seconds=1\n\
         sync.topic.configs.interval.seconds=1\noffset.lag.max=0\noffset.flush.interval.ms=500\n\
         scheduled.rebalance.max.delay.ms=0\n"
    );
    let file = dir.join("mirror.properties");
    fs::write(&file, settings).unwrap();
    let mut java = jars.java("org.apache.kafka.connect.mirror.MirrorMaker");
    java.arg(file);
    Jvm::start("mirror-maker", java, dir.join("mirror.log"))
}

fn config(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    config
}

fn admin(bootstrap: &str) -> AdminClient<DefaultClientContext> {
    config(bootstrap).create().unwrap()
}

fn create(bootstrap: &str) {
    let topic = NewTopic::new("orders", PARTITIONS, TopicReplication::Fixed(1)).set("retention.ms", RETENTION_MS);
    let deadline = Instant::now() + PATIENCE;
    // Kafka listens before it serves.
    while !block_on(admin(bootstrap).create_topics([&topic], &AdminOptions::new()))
        .is_ok_and(|results| results.iter().all(Result::is_ok))
    {
        assert!(Instant::now() < deadline, "the topic cannot be created");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Records with numbers from `first` on, in turn over the partitions.
fn produce(bootstrap: &str, first: usize) -> BTreeMap<i32, Vec<String>> {
    let producer: ThreadedProducer<DefaultProducerContext> = config(bootstrap).create().unwrap();
    let mut written = BTreeMap::<i32, Vec<String>>::new();
    for at in first..first + RECORDS {
        let (partition, value) = ((at % 3) as i32, format!("order {at}"));
        let record = BaseRecord::<(), _>::to("orders").partition(partition).payload(&value);
        producer.send(record).map_err(|(error, _)| error).unwrap();
        written.entry(partition).or_default().push(value);
    }
    producer.flush(PATIENCE).unwrap();
    written
}

fn reader(bootstrap: &str) -> BaseConsumer {
    config(bootstrap).set("group.id", GROUP).set("enable.auto.commit", "false").create().unwrap()
}

fn places(topic: &str, offset: Offset) -> TopicPartitionList {
    let mut places = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        places.add_partition_offset(topic, partition, offset).unwrap();
    }
    places
}

fn commit(bootstrap: &str) {
    reader(bootstrap).commit(&places("orders", Offset::Offset(COMMITTED)), CommitMode::Sync).unwrap();
}

/// The group's offsets for the mirrored topic; 0 where there is none.
fn committed(bootstrap: &str) -> Vec<i64> {
    let asked = places("src.orders", Offset::Invalid);
    let found = reader(bootstrap).committed_offsets(asked, Duration::from_secs(20)).unwrap();
    found.elements().iter().map(|element| element.offset().to_raw().unwrap_or(0).max(0)).collect()
}

fn retention(bootstrap: &str) -> Option<String> {
    let resource = ResourceSpecifier::Topic("src.orders");
    let described = block_on(admin(bootstrap).describe_configs([&resource], &AdminOptions::new())).ok()?;
    described.into_iter().next()?.ok()?.entry_map().get("retention.ms")?.value.clone()
}

/// Everything that is in the topic now.
fn consume(bootstrap: &str, topic: &str) -> BTreeMap<i32, Vec<String>> {
    let consumer: BaseConsumer = config(bootstrap).set("group.id", "look").create().unwrap();
    let mut found = BTreeMap::<i32, Vec<String>>::new();
    let known = consumer.fetch_metadata(Some(topic), Duration::from_secs(20)).unwrap();
    if known.topics().iter().any(|topic| topic.partitions().len() < PARTITIONS as usize) {
        return found;
    }
    consumer.assign(&places(topic, Offset::Beginning)).unwrap();
    let mut left: i64 = (0..PARTITIONS)
        .map(|partition| consumer.fetch_watermarks(topic, partition, Duration::from_secs(20)).unwrap().1)
        .sum();
    let deadline = Instant::now() + PATIENCE;
    while left > 0 && Instant::now() < deadline {
        if let Some(Ok(record)) = consumer.poll(Duration::from_millis(200)) {
            left -= 1;
            let value = String::from_utf8(record.payload().unwrap().to_vec()).unwrap();
            found.entry(record.partition()).or_default().push(value);
        }
    }
    found
}
