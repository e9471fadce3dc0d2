//! Producers and readers of transactions through librdkafka, which go on while their broker is killed.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

use crate::support::{Broker, Options, Random};
use crate::transactions_checker::{Fate, RecordName, TransactionName};

pub(crate) const PARTITIONS: i32 = 4;
/// How long anything may take while the broker is killed and comes back.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) type Transactional = ThreadedProducer<DefaultProducerContext>;

pub(crate) fn options() -> Options {
    Options::default()
        .cores(2)
        .property("log.segment.bytes", 1_048_576)
        .property("offsets.topic.num.partitions", 3)
        .property("transaction.state.log.num.partitions", 3)
        .property("group.initial.rebalance.delay.ms", 0)
        .property("thalweg.wal.file.bytes", 4_194_304)
        .property("thalweg.wal.files.max", 3)
        .property("thalweg.wal.block.bytes", 65_536)
}

pub(crate) fn create_topics(bootstrap: &str, names: &[&str]) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", bootstrap).create().unwrap();
    let topics: Vec<_> = names.iter().map(|name| NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(1))).collect();
    let created = futures::executor::block_on(admin.create_topics(&topics, &AdminOptions::new())).unwrap();
    created.into_iter().for_each(|created| drop(created.unwrap()));
}

/// A producer whose earlier transactions are settled: what its id left open is aborted, or completed.
pub(crate) fn transactional(bootstrap: &str, id: &str) -> Transactional {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let producer: Transactional = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("transactional.id", id)
            .set("transaction.timeout.ms", "60000")
            .set("message.timeout.ms", "50000")
            .set("linger.ms", "1")
            .set("retry.backoff.ms", "20")
            .set("reconnect.backoff.ms", "10")
            .set("reconnect.backoff.max.ms", "100")
            .create()
            .unwrap();
        match producer.init_transactions(Duration::from_secs(20)) {
            Ok(()) => return producer,
            Err(error) => assert!(Instant::now() < deadline, "{id} cannot begin: {error}"),
        }
    }
}

/// What to do about a failed step of a transaction.
pub(crate) enum Remedy {
    Again,
    Abort,
    /// The producer is of no use any more.
    Replace,
}

fn remedy(error: &KafkaError) -> Remedy {
    match error {
        KafkaError::Transaction(error) if error.is_retriable() => Remedy::Again,
        KafkaError::Transaction(error) if error.txn_requires_abort() => Remedy::Abort,
        _ => Remedy::Replace,
    }
}

/// Repeats a step as long as the client says that it may be; how it went wrong otherwise.
pub(crate) fn persist(mut step: impl FnMut() -> Result<(), KafkaError>) -> Result<(), Remedy> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match step().as_ref().map_err(remedy) {
            Ok(()) => return Ok(()),
            Err(Remedy::Again) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(10)),
            Err(Remedy::Again) => return Err(Remedy::Replace),
            Err(other) => return Err(other),
        }
    }
}

/// Commits or aborts; `None` when the producer cannot go on, and `Unknown` may be either.
pub(crate) fn end(producer: &Transactional, commit: bool) -> (Fate, bool) {
    let step = Duration::from_secs(20);
    if commit {
        match persist(|| producer.commit_transaction(step)) {
            Ok(()) => return (Fate::Committed, true),
            Err(Remedy::Abort) => {}
            Err(_) => return (Fate::Unknown, false),
        }
    }
    match persist(|| producer.abort_transaction(step)) {
        Ok(()) => (Fate::Aborted, true),
        // It was not to be committed, and never will be.
        Err(_) => (Fate::Aborted, false),
    }
}

pub(crate) fn payload(name: TransactionName, index: u64) -> String {
    format!("{}:{}:{index}:{}", name.0, name.1, "x".repeat((name.1 * 31 % 400) as usize))
}

pub(crate) fn parse(bytes: &[u8]) -> RecordName {
    let mut parts = std::str::from_utf8(bytes).unwrap().splitn(4, ':');
    let mut number = || parts.next().unwrap().parse().unwrap();
    RecordName { transaction: (number(), number()), index: number() }
}

pub(crate) fn consumer(bootstrap: &str, isolation: &str) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "checker")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", isolation)
        .set("check.crcs", "true")
        .create()
        .unwrap()
}

/// Everything that a reader of committed records sees in a topic.
pub(crate) fn read_committed(bootstrap: &str, topic: &str, mut each: impl FnMut(i32, &[u8])) {
    let consumer = consumer(bootstrap, "read_committed");
    let mut assignment = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        assignment.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&assignment).unwrap();
    let mut left: HashSet<i32> = (0..PARTITIONS).collect();
    let deadline = Instant::now() + PATIENCE;
    while !left.is_empty() {
        assert!(Instant::now() < deadline, "partitions {left:?} could not be read to their ends");
        match consumer.poll(Duration::from_millis(200)) {
            None => {}
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(left.remove(&partition)),
            Some(Err(error)) => panic!("{error}"),
            Some(Ok(message)) => each(message.partition(), message.payload().unwrap()),
        }
    }
}

/// No transaction is open any more: readers of committed records come to the log's end.
pub(crate) fn await_stable(bootstrap: &str, topic: &str) {
    let (committed, all) = (consumer(bootstrap, "read_committed"), consumer(bootstrap, "read_uncommitted"));
    let deadline = Instant::now() + PATIENCE;
    for partition in 0..PARTITIONS {
        loop {
            let end = |consumer: &BaseConsumer| consumer.fetch_watermarks(topic, partition, PATIENCE).unwrap().1;
            let (stable, end) = (end(&committed), end(&all));
            if stable == end {
                break;
            }
            assert!(Instant::now() < deadline, "partition {partition} is stable up to {stable}, its end is {end}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

pub(crate) fn kill_again_and_again(broker: &mut Broker, rounds: u64, random: &mut Random) {
    for _ in 0..rounds {
        std::thread::sleep(Duration::from_millis(100 + random.below(900)));
        broker.kill9();
        broker.restart();
    }
}
