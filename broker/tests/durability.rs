//! What was acknowledged survives `kill -9` at any instant: a real process, killed for real, under load.
//!
//! Producers write to all partitions, and so to all cores, while the broker is killed again and again at random moments.
//! Between kills everything is read back and held against what was acknowledged: each record at its offset, byte for
//! byte, offsets without a gap, nothing twice.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

#[path = "durability/movers.rs"]
mod movers;
#[path = "bad_input/wire.rs"]
#[allow(dead_code, unreachable_pub, reason = "another program's too")]
mod wire;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

use movers::Movers;
use support::{Broker, Options, Random};

const PARTITIONS: i32 = 6;
const PRODUCERS: u64 = 3;
const TOPIC: &str = "survivors";

/// A record, as it was sent: who sent it, and as which of its records.
type Name = (u64, u64);

/// What the broker promised: where each record is.
#[derive(Default)]
struct Promises {
    acknowledged: Mutex<HashMap<(i32, i64), Name>>,
    failures: Mutex<Vec<String>>,
}

#[derive(Clone)]
struct Notary(Arc<Promises>);

impl ClientContext for Notary {}

impl ProducerContext for Notary {
    type DeliveryOpaque = Box<Name>;

    fn delivery(&self, result: &DeliveryResult<'_>, name: Self::DeliveryOpaque) {
        match result {
            Ok(message) => {
                let place = (message.partition(), message.offset());
                let before = self.0.acknowledged.lock().unwrap().insert(place, *name);
                if let Some(before) = before {
                    let text = format!("{place:?} was promised to {before:?} and to {name:?}");
                    self.0.failures.lock().unwrap().push(text);
                }
            }
            // A fatal error of an idempotent producer is a broken promise; a purge at the end is not.
            Err((error, _)) => self.0.failures.lock().unwrap().push(format!("{name:?}: {error}")),
        }
    }
}

/// The bytes of a record: its name, then a pattern that only this record has, of a size that varies.
fn payload((producer, sequence): Name) -> Vec<u8> {
    let size = 20 + (sequence * 37 % 900) as usize;
    let mut bytes = format!("{producer}:{sequence}:").into_bytes();
    let seed = producer.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ sequence.wrapping_mul(0xD1B5_4A32_D192_ED03);
    let mut random = Random(seed);
    while bytes.len() < size {
        bytes.push((random.next() >> 56) as u8);
    }
    bytes
}

fn name_of(bytes: &[u8]) -> Name {
    let mut parts = bytes.splitn(3, |byte| *byte == b':');
    let mut number = || std::str::from_utf8(parts.next().unwrap()).unwrap().parse().unwrap();
    (number(), number())
}

struct Load {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

/// Idempotent producers with acks=all that write until told to stop, through every restart.
fn start_load(bootstrap: &str, promises: &Arc<Promises>) -> Load {
    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let threads = (0..PRODUCERS).map(|id| {
        let producer: ThreadedProducer<Notary> = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("linger.ms", if id == 0 { "0" } else { "2" })
            .set("compression.type", ["none", "lz4", "none"][id as usize % 3])
            .set("message.timeout.ms", "120000")
            .set("retry.backoff.ms", "20")
            .set("reconnect.backoff.ms", "10")
            .set("reconnect.backoff.max.ms", "100")
            .create_with_context(Notary(Arc::clone(promises)))
            .unwrap();
        let (stop, sent) = (Arc::clone(&stop), Arc::clone(&sent));
        std::thread::spawn(move || {
            let mut sequence = 0;
            while !stop.load(Ordering::Relaxed) {
                let name = (id, sequence);
                let bytes = payload(name);
                let partition = ((sequence + id) % PARTITIONS as u64) as i32;
                let record = BaseRecord::<[u8], [u8], _>::with_opaque_to(TOPIC, Box::new(name))
                    .partition(partition)
                    .payload(&bytes);
                match producer.send(record) {
                    Ok(()) => {
                        sequence += 1;
                        sent.fetch_add(1, Ordering::Relaxed);
                        // About 3 000 records a second each: load, but not so much that reading back takes long.
                        if sequence % 30 == 0 {
                            std::thread::sleep(Duration::from_millis(10));
                        }
                    }
                    // The queue is full while the broker is away.
                    Err(_) => std::thread::sleep(Duration::from_millis(5)),
                }
            }
            producer.flush(Duration::from_secs(60)).unwrap();
        })
    });
    Load { stop: Arc::clone(&stop), sent: Arc::clone(&sent), threads: threads.collect() }
}

fn create_topic(bootstrap: &str) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", bootstrap).create().unwrap();
    let topic = NewTopic::new(TOPIC, PARTITIONS, TopicReplication::Fixed(1));
    let created = futures::executor::block_on(admin.create_topics(&[topic], &AdminOptions::new())).unwrap();
    created[0].as_ref().unwrap();
}

/// Everything in the topic, by place.
fn read_all(bootstrap: &str) -> BTreeMap<(i32, i64), Vec<u8>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "reader")
        .set("enable.auto.commit", "false")
        .set("check.crcs", "true")
        .create()
        .unwrap();
    let mut ends = HashMap::new();
    let mut assignment = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        let (_, high) = consumer.fetch_watermarks(TOPIC, partition, Duration::from_secs(20)).unwrap();
        ends.insert(partition, high);
        assignment.add_partition_offset(TOPIC, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&assignment).unwrap();
    let mut found = BTreeMap::new();
    let mut left: HashSet<i32> = ends.iter().filter(|(_, end)| **end > 0).map(|(partition, _)| *partition).collect();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !left.is_empty() {
        assert!(Instant::now() < deadline, "partitions {left:?} could not be read to their ends {ends:?}");
        let Some(polled) = consumer.poll(Duration::from_millis(200)) else { continue };
        let message = polled.unwrap();
        let (partition, offset) = (message.partition(), message.offset());
        found.insert((partition, offset), message.payload().unwrap().to_vec());
        if offset + 1 >= ends[&partition] {
            left.remove(&partition);
        }
    }
    found
}

/// Holds what is there against what was promised up to `promised`.
fn check(found: &BTreeMap<(i32, i64), Vec<u8>>, promised: &HashMap<(i32, i64), Name>, failures: &[String]) {
    assert!(failures.is_empty(), "broken promises: {failures:?}");
    for (place, name) in promised {
        let bytes = found.get(place).unwrap_or_else(|| panic!("acknowledged {name:?} is not at {place:?}"));
        assert_eq!(*bytes, payload(*name), "other bytes than acknowledged at {place:?}");
    }
    let mut seen: HashMap<Name, (i32, i64)> = HashMap::new();
    let mut next: HashMap<i32, i64> = HashMap::new();
    let mut latest: HashMap<(i32, u64), u64> = HashMap::new();
    for ((partition, offset), bytes) in found {
        let expected = next.entry(*partition).or_default();
        assert_eq!(offset, expected, "a gap in partition {partition}");
        *expected += 1;
        let name = name_of(bytes);
        assert_eq!(*bytes, payload(name), "damaged bytes at {partition}/{offset}");
        if let Some(first) = seen.insert(name, (*partition, *offset)) {
            panic!("{name:?} stands twice: at {first:?} and at {:?}", (partition, offset));
        }
        let before = latest.insert((*partition, name.0), name.1);
        assert!(before.is_none_or(|before| before < name.1), "{name:?} stands behind {before:?}");
    }
}

/// Small files, so that a short run goes through rolling, checkpoints and recycling.
fn options() -> Options {
    Options::default()
        .cores(2)
        .property("log.segment.bytes", 1_048_576)
        .property("thalweg.wal.file.bytes", 4_194_304)
        .property("thalweg.wal.files.max", 3)
        .property("thalweg.wal.block.bytes", 65_536)
}

/// The broker's log at the end. `beside` runs for as long as the load does.
fn kill_rounds(rounds: u32, seed: u64, options: Options, beside: impl FnOnce(&Broker) -> Option<Movers>) -> String {
    let mut broker = Broker::start(options);
    create_topic(broker.bootstrap());
    let promises = Arc::new(Promises::default());
    let load = start_load(broker.bootstrap(), &promises);
    let movers = beside(&broker);
    let mut random = Random(seed);
    for round in 0..rounds {
        std::thread::sleep(Duration::from_millis(50 + random.below(700)));
        broker.kill9();
        broker.restart();
        if round % 5 == 4 {
            // What was acknowledged before the reading began must be found by it.
            let promised = promises.acknowledged.lock().unwrap().clone();
            let found = read_all(broker.bootstrap());
            check(&found, &promised, &promises.failures.lock().unwrap());
        }
    }
    drop(movers);
    load.stop.store(true, Ordering::Relaxed);
    for thread in load.threads {
        thread.join().unwrap();
    }
    let promised = promises.acknowledged.lock().unwrap().clone();
    assert_eq!(promised.len() as u64, load.sent.load(Ordering::Relaxed), "some records were never answered");
    assert!(promised.len() > 1000, "too little load to mean anything: {} records", promised.len());
    let found = read_all(broker.bootstrap());
    check(&found, &promised, &promises.failures.lock().unwrap());
    assert_eq!(found.len(), promised.len(), "there is more than was ever sent");
    broker.stop();
    broker.log()
}

#[test]
fn acknowledged_records_survive_kill_9() {
    kill_rounds(20, 0x7468_616C, options(), |_| None);
}

/// As before, while replicas go from one data directory to the other and back.
#[test]
fn acknowledged_records_survive_kill_9_while_replicas_move() {
    let options = Options { log_dirs: 2, ..options() };
    let log = kill_rounds(10, 0x6D6F_7665, options, |broker| {
        Some(Movers::start(broker.bootstrap(), broker.log_dirs(), TOPIC, PARTITIONS))
    });
    let moved = log.matches("a replica moved to another directory").count();
    assert!(moved > 10, "only {moved} moves went through");
}

#[test]
fn acknowledged_records_survive_a_clean_stop_and_another_core_count() {
    let mut broker = Broker::start(options());
    create_topic(broker.bootstrap());
    let promises = Arc::new(Promises::default());
    let load = start_load(broker.bootstrap(), &promises);
    for cores in [2, 1, 3, 2] {
        std::thread::sleep(Duration::from_millis(400));
        broker.stop();
        broker.options_mut().cores = cores;
        broker.restart();
    }
    load.stop.store(true, Ordering::Relaxed);
    for thread in load.threads {
        thread.join().unwrap();
    }
    let promised = promises.acknowledged.lock().unwrap().clone();
    assert!(promised.len() > 500, "too little load to mean anything: {} records", promised.len());
    check(&read_all(broker.bootstrap()), &promised, &promises.failures.lock().unwrap());
    broker.stop();
}
