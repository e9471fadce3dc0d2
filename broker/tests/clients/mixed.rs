//! A group of members of both protocols, whose broker is killed: nothing is lost, and nothing comes again that was
//! committed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{FutureProducer, FutureRecord};

use crate::support::{Broker, Options};

const TOPIC: &str = "mixed";
const PARTITIONS: i32 = 4;
/// Records that are written before the kill, and as many after.
const RECORDS: usize = 100;
const PATIENCE: Duration = Duration::from_secs(90);

pub fn run() {
    let options = Options::default()
        .property("group.initial.rebalance.delay.ms", 0)
        .property("group.consumer.min.heartbeat.interval.ms", 200)
        .property("group.consumer.heartbeat.interval.ms", 200);
    let mut broker = Broker::start(options);
    create(broker.bootstrap());
    let members = [member(broker.bootstrap(), "consumer"), member(broker.bootstrap(), "classic")];
    let mut work = Work::default();
    write(broker.bootstrap(), 0);
    work.until(&members, |work| work.seen.len() == RECORDS && shared(&members));
    broker.kill9();
    broker.restart();
    write(broker.bootstrap(), RECORDS);
    work.until(&members, |work| work.seen.len() == 2 * RECORDS && shared(&members));
    let [modern, classic] = members;
    // The last member of the consumer protocol goes: the rest is a classic group again.
    drop(modern);
    let rest = [classic];
    work.until(&rest, |_| assigned(&rest[0]) == PARTITIONS as usize);
    drop(rest);
    broker.stop();
}

fn config(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("reconnect.backoff.max.ms", "200");
    config
}

fn create(bootstrap: &str) {
    let admin: AdminClient<DefaultClientContext> = config(bootstrap).create().unwrap();
    let topic = NewTopic::new(TOPIC, PARTITIONS, TopicReplication::Fixed(1));
    let created = block_on(admin.create_topics(&[topic], &AdminOptions::new())).unwrap();
    assert!(created[0].is_ok(), "{created:?}");
}

fn member(bootstrap: &str, protocol: &str) -> BaseConsumer {
    let mut config = config(bootstrap);
    config.set("group.id", "mixed").set("group.protocol", protocol);
    config.set("enable.auto.commit", "false").set("auto.offset.reset", "earliest").set("fetch.wait.max.ms", "100");
    if protocol == "classic" {
        config.set("partition.assignment.strategy", "range").set("heartbeat.interval.ms", "200");
    }
    let member: BaseConsumer = config.create().unwrap();
    member.subscribe(&[TOPIC]).unwrap();
    member
}

/// Records of the numbers from `first` on.
fn write(bootstrap: &str, first: usize) {
    let producer: FutureProducer = config(bootstrap).create().unwrap();
    for number in first..first + RECORDS {
        let payload = number.to_string();
        let record: FutureRecord<'_, str, str> =
            FutureRecord::to(TOPIC).partition(number as i32 % PARTITIONS).payload(&payload);
        block_on(producer.send(record, PATIENCE)).unwrap();
    }
}

fn assigned(member: &BaseConsumer) -> usize {
    member.assignment().unwrap().count()
}

fn shared(members: &[BaseConsumer]) -> bool {
    members.iter().all(|member| assigned(member) == PARTITIONS as usize / members.len())
}

/// What was read, and how far it was committed.
#[derive(Default)]
struct Work {
    seen: BTreeSet<usize>,
    committed: BTreeMap<i32, i64>,
}

impl Work {
    fn until(&mut self, members: &[BaseConsumer], holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            let sizes: Vec<usize> = members.iter().map(assigned).collect();
            assert!(Instant::now() < deadline, "{} records were read; assigned are {sizes:?}", self.seen.len());
            members.iter().for_each(|member| self.take(member));
        }
    }

    /// One record: it must not have been committed before, and is now.
    fn take(&mut self, member: &BaseConsumer) {
        // Errors tell of a broker that is away, and of commits that came too late.
        let Some(Ok(message)) = member.poll(Duration::from_millis(20)) else { return };
        let (partition, offset) = (message.partition(), message.offset());
        let committed = self.committed.get(&partition).copied().unwrap_or(0);
        assert!(offset >= committed, "{partition}-{offset} came again, and {committed} was committed");
        let text = std::str::from_utf8(message.payload().unwrap()).unwrap();
        self.seen.insert(text.parse().unwrap());
        if member.commit_message(&message, CommitMode::Sync).is_ok() {
            self.committed.insert(partition, offset + 1);
        }
    }
}
