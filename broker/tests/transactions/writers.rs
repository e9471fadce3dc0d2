//! Producers that write transactions into all partitions, and what keeps the disk busy meanwhile.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};

use crate::support::{Broker, Random};
use crate::transactions_checker::{Fate, History, TransactionName};
use crate::transactions_clients::{PARTITIONS, PATIENCE, end, payload, transactional};

pub(crate) const TOPIC: &str = "moves";
pub(crate) const NOISE: &str = "noise";
/// Has a record in every partition, and none comes after it.
pub(crate) const CLOSING: TransactionName = (u64::MAX, 0);

/// What writers, and whoever kills their broker, have in common.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) stop: AtomicBool,
    history: Mutex<History>,
    /// Somebody was just told that his transaction is committed.
    told: Condvar,
    kills: AtomicU64,
}

impl Shared {
    fn note(&self, name: TransactionName, fate: Fate, count: u64) {
        self.history.lock().unwrap().transactions.insert(name, (fate, count));
        if fate == Fate::Committed {
            self.told.notify_all();
        }
    }

    pub(crate) fn history(&self) -> History {
        self.history.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, fate: Fate) -> usize {
        self.history.lock().unwrap().transactions.values().filter(|(other, _)| *other == fate).count()
    }

    /// Kills the broker at any moment, or the moment after a producer was told that his transaction is committed: what is
    /// only about to be durable then is lost.
    pub(crate) fn kill(&self, broker: &mut Broker, random: &mut Random) {
        std::thread::sleep(Duration::from_millis(100 + random.below(900)));
        if random.below(3) > 0 {
            let history = self.history.lock().unwrap();
            drop(self.told.wait_timeout(history, Duration::from_secs(1)).unwrap());
        }
        self.kills.fetch_add(1, Ordering::Relaxed);
        broker.kill9();
        broker.restart();
    }
}

/// Writes transactions until told to stop, and notes what became of each.
pub(crate) fn write_transactions(bootstrap: &str, id: u64, shared: &Shared) {
    let transactional_id = format!("writer-{id}");
    let mut random = Random(id ^ 0x5eed);
    let mut producer = transactional(bootstrap, &transactional_id);
    for number in 0.. {
        if shared.stop.load(Ordering::Relaxed) {
            break;
        }
        let kills = shared.kills.load(Ordering::Relaxed);
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
        shared.note(name, fate, count);
        // Now and then the producer falls together with the broker. The next one aborts whatever has not ended.
        if goes_on && random.below(2) == 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
        let fell = shared.kills.load(Ordering::Relaxed) > kills && random.below(3) > 0;
        if fell || !goes_on {
            drop(producer);
            producer = transactional(bootstrap, &transactional_id);
        }
    }
    producer.flush(PATIENCE).unwrap();
}

/// The last transaction: who has seen all of it has seen everything.
pub(crate) fn write_closing(bootstrap: &str, shared: &Shared) {
    let producer = transactional(bootstrap, "closing");
    producer.begin_transaction().unwrap();
    for partition in 0..PARTITIONS {
        let value = payload(CLOSING, partition as u64);
        producer.send(BaseRecord::<[u8], [u8]>::to(TOPIC).partition(partition).payload(value.as_bytes())).unwrap();
    }
    producer.commit_transaction(PATIENCE).unwrap();
    shared.note(CLOSING, Fate::Committed, PARTITIONS as u64);
}

/// Plain records, as many as the disk takes: what is to be durable waits behind others.
pub(crate) fn make_noise(bootstrap: &str, stop: &AtomicBool) {
    let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("acks", "1")
        .set("linger.ms", "0")
        .set("queue.buffering.max.messages", "64")
        .set("batch.num.messages", "1")
        .set("reconnect.backoff.ms", "10")
        .set("reconnect.backoff.max.ms", "100")
        .create()
        .unwrap();
    let value = "n".repeat(16_384);
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let record = BaseRecord::<[u8], [u8]>::to(NOISE).partition(number % PARTITIONS).payload(value.as_bytes());
        // The queue is full as long as the broker has not taken what is in it.
        if producer.send(record).is_err() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
