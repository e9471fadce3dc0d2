//! librdkafka through the `rdkafka` crate, in this process.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders, OwnedMessage, Timestamp};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};

use crate::suite::{Expected, Outcome, report};

#[path = "rust_transactions.rs"]
mod transactions;

const PATIENCE: Duration = Duration::from_secs(20);

type Check = fn(&Suite);

/// Every check, in the order it runs in. Those with a dash and a value behind it are added by [`run`].
const CHECKS: &[(&str, Check)] = &[
    ("metadata", Suite::metadata),
    ("record-fields", Suite::record_fields),
    ("large-records", Suite::large_records),
    ("record-too-large", Suite::record_too_large),
    ("order-in-each-partition", Suite::order),
    ("watermarks", Suite::watermarks),
    ("offsets-for-times", Suite::offsets_for_times),
    ("seek", Suite::seek),
    ("pause-and-resume", Suite::pause_and_resume),
    ("partition-end", Suite::partition_end),
    ("read-committed", Suite::read_committed),
    ("transaction-commit-and-abort", Suite::transactions),
    ("transaction-open", Suite::open_transaction),
    ("transaction-offsets", Suite::transactional_offsets),
    ("offset-reset-error", Suite::offset_reset_error),
    ("auto-create", Suite::auto_create),
    ("group-one-member", Suite::group),
    ("group-commit-and-continue", Suite::group_continues),
    ("group-cooperative", Suite::group_cooperative),
    ("topics", Suite::topics),
    ("create-partitions", Suite::create_partitions),
    ("configs", Suite::configs),
    ("delete-records", Suite::delete_records),
];

/// Runs every check and reports as the other suites do: a check that panics has failed.
pub fn run(expected: Expected, bootstrap: &str, prefix: &str) {
    let started = Instant::now();
    let suite = Suite::new(bootstrap, prefix);
    let mut outcome = Outcome::default();
    for (name, check) in CHECKS {
        suite.check(&mut outcome, name, || check(&suite));
    }
    for acks in ["0", "1", "all"] {
        let settings = [("acks", acks)];
        suite.check(&mut outcome, &format!("acks-{acks}"), || suite.round_trip(&format!("acks-{acks}"), &settings));
    }
    let idempotent = [("enable.idempotence", "true")];
    suite.check(&mut outcome, "idempotent", || suite.round_trip("idempotent", &idempotent));
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let name = format!("compression-{codec}");
        let settings = [("compression.type", codec), ("linger.ms", "20")];
        suite.check(&mut outcome, &name, || suite.round_trip(&name, &settings));
    }
    let mut complaints = outcome.complaints(expected.checks_min);
    if started.elapsed() > expected.timeout {
        complaints.push(format!("it took longer than {:?}", expected.timeout));
    }
    report(expected, &outcome, &complaints, started.elapsed(), "");
}

struct Suite {
    bootstrap: String,
    prefix: String,
    admin: AdminClient<DefaultClientContext>,
}

impl Suite {
    fn new(bootstrap: &str, prefix: &str) -> Self {
        let admin = ClientConfig::new().set("bootstrap.servers", bootstrap).create().expect("an admin client");
        Self { bootstrap: bootstrap.to_owned(), prefix: format!("{prefix}rust-"), admin }
    }

    fn check(&self, outcome: &mut Outcome, name: &str, body: impl FnOnce()) {
        match catch_unwind(AssertUnwindSafe(body)) {
            Ok(()) => outcome.pass(name),
            Err(reason) => {
                let why = reason.downcast_ref::<String>().cloned();
                let why = why.or_else(|| reason.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                outcome.failed.push(format!("not ok {name}: {}", why.unwrap_or_default()));
            }
        }
    }

    fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn options() -> AdminOptions {
        AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE))
    }

    /// Creates a topic and waits until every partition has its leader.
    fn topic(&self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> String {
        let topic = self.name(name);
        let mut new = NewTopic::new(&topic, partitions, TopicReplication::Fixed(1));
        for (key, value) in configs {
            new = new.set(key, value);
        }
        let created = block_on(self.admin.create_topics([&new], &Self::options())).expect("CreateTopics");
        assert_eq!(created, [Ok(topic.clone())]);
        self.await_topic(&topic, partitions as usize);
        topic
    }

    fn await_topic(&self, topic: &str, partitions: usize) {
        until(&format!("{topic} has {partitions} leaders"), || {
            let metadata = self.admin.inner().fetch_metadata(Some(topic), PATIENCE).expect("Metadata");
            let found = metadata.topics()[0].partitions();
            found.len() == partitions && found.iter().all(|partition| partition.leader() >= 0)
        });
    }

    fn producer(&self, settings: &[(&str, &str)]) -> FutureProducer {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap).set("message.timeout.ms", "20000");
        config.extend(settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        config.create().expect("a producer")
    }

    /// Writes the values `0..count` to one partition; the offsets from the answers.
    fn fill(&self, topic: &str, partition: i32, count: usize, settings: &[(&str, &str)]) -> Vec<i64> {
        let producer = self.producer(settings);
        let values: Vec<_> = (0..count).map(|n| format!("{n}{}", " padding".repeat(n % 30))).collect();
        let mut sent = Vec::new();
        for value in &values {
            let record = FutureRecord::to(topic).partition(partition).key("k").payload(value);
            sent.push(producer.send_result(record).expect("queued"));
        }
        sent.into_iter().map(|sent| block_on(sent).expect("not cancelled").expect("delivered").offset).collect()
    }

    fn consumer(&self, settings: &[(&str, &str)]) -> BaseConsumer {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("group.id", self.name("unused"))
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", "100");
        config.extend(settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        config.create().expect("a consumer")
    }

    /// A consumer at this place of one partition.
    fn reader(&self, topic: &str, partition: i32, offset: Offset, settings: &[(&str, &str)]) -> BaseConsumer {
        let consumer = self.consumer(settings);
        consumer.assign(&at(topic, partition, offset)).expect("assign");
        consumer
    }

    fn round_trip(&self, name: &str, settings: &[(&str, &str)]) {
        let topic = self.topic(name, 2, &[]);
        for partition in 0..2 {
            let offsets = self.fill(&topic, partition, 300, settings);
            if !settings.contains(&("acks", "0")) {
                assert_eq!(offsets, (0..300).collect::<Vec<_>>(), "offsets in the answers");
            }
            let read = take(&self.reader(&topic, partition, Offset::Beginning, &[]), 300);
            for (n, message) in read.iter().enumerate() {
                assert_eq!(message.offset(), n as i64);
                let expected = format!("{n}{}", " padding".repeat(n % 30));
                assert_eq!(message.payload(), Some(expected.as_bytes()), "value at {n}");
            }
        }
    }

    fn metadata(&self) {
        let metadata = self.admin.inner().fetch_metadata(None, PATIENCE).unwrap();
        let brokers: Vec<_> = metadata.brokers().iter().map(|b| format!("{}:{}", b.host(), b.port())).collect();
        assert_eq!(brokers, std::slice::from_ref(&self.bootstrap));
        assert!(self.admin.inner().fetch_cluster_id(PATIENCE).is_some_and(|id| !id.is_empty()));
    }

    fn record_fields(&self) {
        let topic = self.topic("fields", 1, &[]);
        let producer = self.producer(&[]);
        let headers = OwnedHeaders::new()
            .insert(Header { key: "a", value: Some("1") })
            .insert(Header { key: "a", value: None::<&str> });
        let full = FutureRecord::to(&topic).key("k").payload("v").timestamp(1_700_000_000_123).headers(headers);
        block_on(producer.send_result(full).unwrap()).unwrap().unwrap();
        block_on(producer.send_result(FutureRecord::<(), ()>::to(&topic)).unwrap()).unwrap().unwrap();
        let empty = FutureRecord::to(&topic).key("").payload("");
        block_on(producer.send_result(empty).unwrap()).unwrap().unwrap();

        let read = take(&self.reader(&topic, 0, Offset::Beginning, &[]), 3);
        assert_eq!(read[0].timestamp(), Timestamp::CreateTime(1_700_000_000_123));
        let headers = read[0].headers().expect("headers");
        assert_eq!(headers.get(0), Header { key: "a", value: Some(&b"1"[..]) });
        assert_eq!(headers.get(1), Header { key: "a", value: None });
        assert_eq!((read[1].key(), read[1].payload()), (None, None));
        assert_eq!((read[2].key(), read[2].payload()), (Some(&b""[..]), Some(&b""[..])));
    }

    fn large_records(&self) {
        let topic = self.topic("large", 1, &[("max.message.bytes", "5000000")]);
        let producer = self.producer(&[("message.max.bytes", "5000000")]);
        let large: Vec<u8> = (0..4_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for _ in 0..3 {
            block_on(producer.send_result(FutureRecord::<(), _>::to(&topic).payload(&large)).unwrap())
                .unwrap()
                .unwrap();
        }
        for message in take(&self.reader(&topic, 0, Offset::Beginning, &[]), 3) {
            assert!(message.payload() == Some(&large), "4 MB come back");
        }
    }

    fn record_too_large(&self) {
        let topic = self.topic("too-large", 1, &[("max.message.bytes", "1000")]);
        let producer = self.producer(&[]);
        let sent = producer.send_result(FutureRecord::<(), _>::to(&topic).payload(&[1_u8; 5000])).unwrap();
        let (error, _) = block_on(sent).unwrap().unwrap_err();
        assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::MessageSizeTooLarge));
    }

    fn order(&self) {
        let topic = self.topic("order", 4, &[]);
        let settings = [("linger.ms", "0"), ("batch.num.messages", "7"), ("enable.idempotence", "true")];
        for partition in 0..4 {
            assert_eq!(self.fill(&topic, partition, 500, &settings), (0..500).collect::<Vec<_>>());
        }
    }

    fn watermarks(&self) {
        let topic = self.topic("watermarks", 1, &[]);
        self.fill(&topic, 0, 10, &[]);
        assert_eq!(self.consumer(&[]).fetch_watermarks(&topic, 0, PATIENCE).unwrap(), (0, 10));
    }

    fn offsets_for_times(&self) {
        let topic = self.topic("times", 1, &[]);
        let producer = self.producer(&[]);
        let base = 1_700_000_000_000;
        for n in 0..10 {
            let record = FutureRecord::<(), _>::to(&topic).payload("v").timestamp(base + n * 1000);
            block_on(producer.send_result(record).unwrap()).unwrap().unwrap();
        }
        for (time, expected) in [(0, Offset::Offset(0)), (base + 3500, Offset::Offset(4)), (base + 99_000, Offset::End)]
        {
            let asked = at(&topic, 0, Offset::Offset(time));
            let found = self.consumer(&[]).offsets_for_times(asked, PATIENCE).unwrap();
            assert_eq!(found.elements()[0].offset(), expected, "at {time}");
        }
    }

    fn seek(&self) {
        let topic = self.topic("seek", 1, &[]);
        self.fill(&topic, 0, 20, &[]);
        let reader = self.reader(&topic, 0, Offset::Beginning, &[]);
        take(&reader, 20);
        reader.seek(&topic, 0, Offset::Offset(15), PATIENCE).unwrap();
        assert_eq!(take(&reader, 5)[0].offset(), 15);
        assert_eq!(take(&self.reader(&topic, 0, Offset::OffsetTail(3), &[]), 3)[0].offset(), 17);
    }

    fn pause_and_resume(&self) {
        let topic = self.topic("pause", 1, &[]);
        self.fill(&topic, 0, 10, &[]);
        let reader = self.reader(&topic, 0, Offset::Beginning, &[]);
        reader.pause(&at(&topic, 0, Offset::Invalid)).unwrap();
        assert!(reader.poll(Duration::from_millis(300)).is_none(), "a paused partition stays silent");
        reader.resume(&at(&topic, 0, Offset::Invalid)).unwrap();
        take(&reader, 10);
    }

    fn partition_end(&self) {
        let topic = self.topic("end", 1, &[]);
        self.fill(&topic, 0, 5, &[]);
        let reader = self.reader(&topic, 0, Offset::Beginning, &[("enable.partition.eof", "true")]);
        take(&reader, 5);
        let end = reader.poll(PATIENCE).expect("an event").map(|message| message.offset());
        assert!(matches!(end, Err(KafkaError::PartitionEOF(0))), "after the last record: {end:?}");
    }

    fn read_committed(&self) {
        let topic = self.topic("committed", 1, &[]);
        self.fill(&topic, 0, 10, &[]);
        take(&self.reader(&topic, 0, Offset::Beginning, &[("isolation.level", "read_committed")]), 10);
    }

    fn offset_reset_error(&self) {
        let topic = self.topic("reset", 1, &[]);
        self.fill(&topic, 0, 5, &[]);
        let reader = self.reader(&topic, 0, Offset::Offset(999), &[("auto.offset.reset", "error")]);
        let error = reader.poll(PATIENCE).expect("an event").map(|message| message.offset()).unwrap_err();
        assert!(matches!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::AutoOffsetReset)), "{error:?}");
    }

    fn auto_create(&self) {
        let topic = self.name("auto");
        assert_eq!(self.fill(&topic, 0, 1, &[]), [0]);
        take(&self.reader(&topic, 0, Offset::Beginning, &[]), 1);
    }

    fn grouped(&self, topic: &str, group: &str, settings: &[(&str, &str)]) -> BaseConsumer {
        let group = self.name(group);
        let consumer = self.consumer(&[&[("group.id", group.as_str())], settings].concat());
        consumer.subscribe(&[topic]).expect("subscribe");
        consumer
    }

    fn group(&self) {
        let topic = self.topic("group", 3, &[]);
        for partition in 0..3 {
            self.fill(&topic, partition, 10, &[]);
        }
        let member = self.grouped(&topic, "g", &[]);
        take(&member, 30);
        assert_eq!(member.assignment().unwrap().count(), 3, "partitions assigned");
    }

    fn group_continues(&self) {
        let topic = self.topic("continue", 1, &[]);
        self.fill(&topic, 0, 10, &[]);
        let member = self.grouped(&topic, "gc", &[]);
        take(&member, 10);
        member.commit(&at(&topic, 0, Offset::Offset(7)), CommitMode::Sync).unwrap();
        let committed = member.committed_offsets(at(&topic, 0, Offset::Invalid), PATIENCE).unwrap();
        assert_eq!(committed.elements()[0].offset(), Offset::Offset(7));
        drop(member);
        assert_eq!(take(&self.grouped(&topic, "gc", &[]), 3)[0].offset(), 7);
    }

    fn group_cooperative(&self) {
        let topic = self.topic("cooperative", 2, &[]);
        self.fill(&topic, 1, 10, &[]);
        take(&self.grouped(&topic, "gco", &[("partition.assignment.strategy", "cooperative-sticky")]), 10);
    }

    fn topics(&self) {
        let topic = self.topic("life", 1, &[]);
        let again = NewTopic::new(&topic, 1, TopicReplication::Fixed(1));
        let wrong = NewTopic::new("not a topic", 1, TopicReplication::Fixed(1));
        let answers = block_on(self.admin.create_topics([&again, &wrong], &Self::options())).unwrap();
        let codes: Vec<_> = answers.into_iter().map(|answer| answer.unwrap_err().1).collect();
        assert_eq!(codes, [RDKafkaErrorCode::TopicAlreadyExists, RDKafkaErrorCode::InvalidTopic]);
        let deleted = block_on(self.admin.delete_topics(&[&topic], &Self::options())).unwrap();
        assert_eq!(deleted, [Ok(topic.clone())]);
        until("the topic is gone", || {
            let metadata = self.admin.inner().fetch_metadata(None, PATIENCE).unwrap();
            metadata.topics().iter().all(|found| found.name() != topic)
        });
    }

    fn create_partitions(&self) {
        let topic = self.topic("grow", 1, &[]);
        let answers =
            block_on(self.admin.create_partitions([&NewPartitions::new(&topic, 3)], &Self::options())).unwrap();
        assert_eq!(answers, [Ok(topic.clone())]);
        self.await_topic(&topic, 3);
        self.fill(&topic, 2, 5, &[]);
    }

    fn configs(&self) {
        let topic = self.topic("configs", 1, &[("retention.ms", "60000")]);
        let resource = ResourceSpecifier::Topic(&topic);
        let described = block_on(self.admin.describe_configs([&resource], &Self::options())).unwrap();
        let found = described.into_iter().next().unwrap().unwrap();
        assert_eq!(found.get("retention.ms").and_then(|entry| entry.value.as_deref()), Some("60000"));
        let change = AlterConfig::new(resource).set("segment.bytes", "2097152");
        let altered = block_on(self.admin.alter_configs([&change], &Self::options())).unwrap();
        assert!(altered.iter().all(Result::is_ok), "{altered:?}");
        until("the old way of altering replaces everything", || {
            let described =
                block_on(self.admin.describe_configs([&ResourceSpecifier::Topic(&topic)], &Self::options()));
            let found = described.unwrap().into_iter().next().unwrap().unwrap();
            let value = |key: &str| found.get(key).and_then(|entry| entry.value.clone()).unwrap_or_default();
            value("segment.bytes") == "2097152" && value("retention.ms") == "604800000"
        });
    }

    fn delete_records(&self) {
        let topic = self.topic("delete-records", 1, &[]);
        self.fill(&topic, 0, 10, &[]);
        let asked = at(&topic, 0, Offset::Offset(6));
        let answer = block_on(self.admin.delete_records(&asked, &Self::options())).unwrap();
        assert_eq!(answer.elements()[0].offset(), Offset::Offset(6), "low watermark");
        assert_eq!(self.consumer(&[]).fetch_watermarks(&topic, 0, PATIENCE).unwrap(), (6, 10));
        assert_eq!(take(&self.reader(&topic, 0, Offset::Beginning, &[]), 4)[0].offset(), 6);
    }
}

fn at(topic: &str, partition: i32, offset: Offset) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, offset).expect("an offset");
    list
}

/// Waits for what a broker does after it has answered.
fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The next `count` records.
fn take(consumer: &BaseConsumer, count: usize) -> Vec<OwnedMessage> {
    let deadline = Instant::now() + PATIENCE;
    let mut messages = Vec::new();
    while messages.len() < count {
        assert!(Instant::now() < deadline, "{} of {count} records came", messages.len());
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => messages.push(BorrowedMessage::detach(&message)),
            Some(Err(error)) => panic!("after {} of {count} records: {error}", messages.len()),
            None => {}
        }
    }
    messages
}
