//! Transactions survive `kill -9` at any instant: real clients, a real process, killed for real.
//!
//! Producers write transactions into all partitions, and so on all cores, and commit or abort them, while the broker is
//! killed again and again. What readers of committed records see is held against what the producers were told
//! (`transactions/checker.rs`). A second test copies records from one topic to another with their offsets in the same
//! transaction: each arrives exactly once.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;
#[path = "transactions/checker.rs"]
mod transactions_checker;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

use support::{Broker, Options, Random};
use transactions_checker::{Fate, History, RecordName, Seen, TransactionName, violations};

const PARTITIONS: i32 = 4;
const TOPIC: &str = "moves";
/// How long anything may take while the broker is killed and comes back.
const PATIENCE: Duration = Duration::from_secs(60);

type Transactional = ThreadedProducer<DefaultProducerContext>;

fn options() -> Options {
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

fn create_topics(bootstrap: &str, names: &[&str]) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", bootstrap).create().unwrap();
    let topics: Vec<_> = names.iter().map(|name| NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(1))).collect();
    let created = futures::executor::block_on(admin.create_topics(&topics, &AdminOptions::new())).unwrap();
    created.into_iter().for_each(|created| drop(created.unwrap()));
}

/// A producer whose earlier transactions are settled: what its id left open is aborted, or completed.
fn transactional(bootstrap: &str, id: &str) -> Transactional {
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
enum Remedy {
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
fn persist(mut step: impl FnMut() -> Result<(), KafkaError>) -> Result<(), Remedy> {
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
fn end(producer: &Transactional, commit: bool) -> (Fate, bool) {
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

fn payload(name: TransactionName, index: u64) -> String {
    format!("{}:{}:{index}:{}", name.0, name.1, "x".repeat((name.1 * 31 % 400) as usize))
}

fn parse(bytes: &[u8]) -> RecordName {
    let mut parts = std::str::from_utf8(bytes).unwrap().splitn(4, ':');
    let mut number = || parts.next().unwrap().parse().unwrap();
    RecordName { transaction: (number(), number()), index: number() }
}

/// Writes transactions until told to stop, and notes what became of each.
fn write_transactions(bootstrap: &str, id: u64, stop: &AtomicBool, history: &Mutex<History>) {
    let transactional_id = format!("writer-{id}");
    let mut random = Random(id ^ 0x5eed);
    let mut producer = transactional(bootstrap, &transactional_id);
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        if producer.begin_transaction().is_err() {
            producer = transactional(bootstrap, &transactional_id);
            continue;
        }
        let name = (id, number);
        let count = 1 + random.below(6);
        let mut sent = 0;
        for index in 0..count {
            let value = payload(name, index);
            let partition = random.below(PARTITIONS as u64) as i32;
            let record = BaseRecord::<[u8], [u8]>::to(TOPIC).partition(partition).payload(value.as_bytes());
            match producer.send(record) {
                Ok(()) => sent += 1,
                Err(_) => break,
            }
            if random.below(20) == 0 {
                std::thread::sleep(Duration::from_millis(random.below(40)));
            }
        }
        // A transaction that could not be sent whole must not be committed.
        let (fate, goes_on) = end(&producer, sent == count && random.below(3) > 0);
        history.lock().unwrap().transactions.insert(name, (fate, count));
        if !goes_on {
            drop(producer);
            producer = transactional(bootstrap, &transactional_id);
        }
    }
    producer.flush(PATIENCE).unwrap();
}

fn consumer(bootstrap: &str, isolation: &str) -> BaseConsumer {
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
fn read_committed(bootstrap: &str, topic: &str, mut each: impl FnMut(i32, &[u8])) {
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
fn await_stable(bootstrap: &str, topic: &str) {
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

fn kill_again_and_again(broker: &mut Broker, rounds: u64, random: &mut Random) {
    for _ in 0..rounds {
        std::thread::sleep(Duration::from_millis(100 + random.below(900)));
        broker.kill9();
        broker.restart();
    }
}

#[test]
fn transactions_survive_kill_9() {
    const WRITERS: u64 = 4;
    let mut broker = Broker::start(options());
    create_topics(broker.bootstrap(), &[TOPIC]);
    let (stop, history) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(History::default())));
    let writers: Vec<_> = (0..WRITERS)
        .map(|id| {
            let (bootstrap, stop, history) = (broker.bootstrap().to_owned(), Arc::clone(&stop), Arc::clone(&history));
            std::thread::spawn(move || write_transactions(&bootstrap, id, &stop, &history))
        })
        .collect();
    let mut random = Random(0x7468);
    let count = |fate| history.lock().unwrap().transactions.values().filter(|(other, _)| *other == fate).count();
    let is_enough = || count(Fate::Committed) > 100 && count(Fate::Aborted) > 30;
    kill_again_and_again(&mut broker, 10, &mut random);
    // On a busy machine a round is worth less.
    let deadline = Instant::now() + 2 * PATIENCE;
    while !is_enough() && Instant::now() < deadline {
        kill_again_and_again(&mut broker, 1, &mut random);
        std::thread::sleep(Duration::from_secs(2));
    }
    assert!(is_enough(), "{} committed and {} aborted mean little", count(Fate::Committed), count(Fate::Aborted));
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.join().unwrap();
    }
    // What a producer left undecided is decided by its successor.
    (0..WRITERS).for_each(|id| drop(transactional(broker.bootstrap(), &format!("writer-{id}"))));
    await_stable(broker.bootstrap(), TOPIC);
    let history = history.lock().unwrap().clone();
    for _ in 0..2 {
        let mut seen = Seen::new();
        read_committed(broker.bootstrap(), TOPIC, |partition, value| {
            seen.entry(partition).or_default().push(parse(value));
        });
        let found = violations(&history, &seen);
        assert!(found.is_empty(), "{} violations, the first: {:?}", found.len(), &found[..found.len().min(5)]);
        // Once more after a recovery.
        broker.kill9();
        broker.restart();
    }
    broker.stop();
}

const SOURCE: &str = "source";
const TARGET: &str = "target";
const COPIERS: &str = "copiers";

/// Plain records to be copied, as many in each partition.
fn fill_source(bootstrap: &str, count: u64) {
    let producer: Transactional =
        ClientConfig::new().set("bootstrap.servers", bootstrap).set("enable.idempotence", "true").create().unwrap();
    for number in 0..count {
        let value = payload((0, number), 0);
        let partition = (number % PARTITIONS as u64) as i32;
        producer.send(BaseRecord::<[u8], [u8]>::to(SOURCE).partition(partition).payload(value.as_bytes())).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
}

/// Copies one partition: what it reads and how far it came are one transaction.
fn copy_partition(bootstrap: &str, partition: i32, count: usize) {
    let id = format!("copier-{partition}");
    let mut random = Random(partition as u64 ^ 0xc09f);
    'producer: loop {
        let producer = transactional(bootstrap, &id);
        let source = copier(bootstrap, partition);
        let mut next = committed_offset(&source, partition);
        while (next as usize) < count {
            producer.begin_transaction().unwrap();
            let Ok(behind) = copy_some(&source, &producer, next, 1 + random.below(8)) else { continue 'producer };
            let mut offsets = TopicPartitionList::new();
            offsets.add_partition_offset(SOURCE, partition, Offset::Offset(behind)).unwrap();
            let group = source.group_metadata().unwrap();
            let sent = persist(|| producer.send_offsets_to_transaction(&offsets, &group, Duration::from_secs(20)));
            let commit = sent.is_ok() && random.below(4) > 0;
            match end(&producer, commit) {
                (Fate::Committed, true) => next = behind,
                (Fate::Aborted, true) => seek(&source, partition, next),
                _ => continue 'producer,
            }
        }
        return;
    }
}

fn copier(bootstrap: &str, partition: i32) -> BaseConsumer {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", format!("{COPIERS}-{partition}"))
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .create()
        .unwrap();
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(SOURCE, partition, Offset::Beginning).unwrap();
    consumer.assign(&assignment).unwrap();
    consumer
}

/// Where to go on; waits while a transaction that may change it is not decided.
fn committed_offset(consumer: &BaseConsumer, partition: i32) -> i64 {
    let deadline = Instant::now() + PATIENCE;
    let mut asked = TopicPartitionList::new();
    asked.add_partition(SOURCE, partition);
    let offset = loop {
        let found = consumer.committed_offsets(asked.clone(), Duration::from_secs(10));
        if let Ok(found) = found
            && let Some(element) = found.find_partition(SOURCE, partition)
            && element.error().is_ok()
        {
            break element.offset();
        }
        assert!(Instant::now() < deadline, "the committed offset of partition {partition} cannot be had");
        std::thread::sleep(Duration::from_millis(50));
    };
    let next = if let Offset::Offset(next) = offset { next } else { 0 };
    seek(consumer, partition, next);
    next
}

fn seek(consumer: &BaseConsumer, partition: i32, next: i64) {
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(SOURCE, partition, Offset::Offset(next)).unwrap();
    consumer.assign(&assignment).unwrap();
}

/// Copies up to `count` records; the offset behind them.
fn copy_some(consumer: &BaseConsumer, producer: &Transactional, next: i64, count: u64) -> Result<i64, KafkaError> {
    let deadline = Instant::now() + PATIENCE;
    let mut behind = next;
    for _ in 0..count {
        let Some(polled) = consumer.poll(Duration::from_millis(500)) else {
            if behind > next {
                break;
            }
            assert!(Instant::now() < deadline, "nothing can be read from offset {next} on");
            continue;
        };
        // The broker is away; the client looks for it again.
        let Ok(message) = polled else { continue };
        assert_eq!(message.offset(), behind, "the source was read out of order");
        let record = BaseRecord::<[u8], [u8]>::to(TARGET).partition(message.partition());
        producer.send(record.payload(message.payload().unwrap())).map_err(|(error, _)| error)?;
        behind = message.offset() + 1;
    }
    Ok(behind)
}

#[test]
fn copies_with_offsets_in_the_transaction_arrive_once() {
    const RECORDS: u64 = 400;
    let mut broker = Broker::start(options());
    create_topics(broker.bootstrap(), &[SOURCE, TARGET]);
    fill_source(broker.bootstrap(), RECORDS);
    let copiers: Vec<_> = (0..PARTITIONS)
        .map(|partition| {
            let bootstrap = broker.bootstrap().to_owned();
            std::thread::spawn(move || copy_partition(&bootstrap, partition, (RECORDS / PARTITIONS as u64) as usize))
        })
        .collect();
    let mut random = Random(0xbeef);
    while copiers.iter().any(|copier| !copier.is_finished()) {
        kill_again_and_again(&mut broker, 1, &mut random);
        std::thread::sleep(Duration::from_millis(1500));
    }
    for copier in copiers {
        copier.join().unwrap();
    }
    await_stable(broker.bootstrap(), TARGET);
    let mut numbers: Vec<u64> = Vec::new();
    read_committed(broker.bootstrap(), TARGET, |_, value| numbers.push(parse(value).transaction.1));
    numbers.sort_unstable();
    assert_eq!(numbers, (0..RECORDS).collect::<Vec<_>>(), "each record once");
    broker.stop();
}
