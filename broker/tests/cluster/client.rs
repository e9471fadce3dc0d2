//! What these tests do with a real client library.

use std::time::{Duration, Instant};

use futures::executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn config(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("reconnect.backoff.ms", "10")
        .set("reconnect.backoff.max.ms", "100")
        .set("topic.metadata.refresh.fast.interval.ms", "20");
    config
}

pub(crate) fn create_topic(bootstrap: &str, name: &str, partitions: i32, replicas: i32) {
    let admin: AdminClient<DefaultClientContext> = config(bootstrap).create().unwrap();
    let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(replicas)).set("min.insync.replicas", "2");
    let made = block_on(admin.create_topics([&topic], &AdminOptions::new().request_timeout(Some(PATIENCE)))).unwrap();
    assert!(made.iter().all(Result::is_ok), "{made:?}");
}

pub(crate) fn producer(bootstrap: &str) -> FutureProducer {
    config(bootstrap)
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("message.timeout.ms", "30000")
        .set("retry.backoff.ms", "20")
        .create()
        .unwrap()
}

/// Sends one record and gives the offset under which it was acknowledged.
pub(crate) fn send(producer: &FutureProducer, topic: &str, partition: i32, value: &str) -> i64 {
    let record = FutureRecord::<(), _>::to(topic).partition(partition).payload(value);
    let sent = block_on(producer.send(record, PATIENCE));
    sent.unwrap_or_else(|(error, _)| panic!("{topic}-{partition} {value}: {error}")).offset
}

/// Everything in a partition up to its high watermark.
pub(crate) fn read(bootstrap: &str, topic: &str, partition: i32) -> Vec<String> {
    let consumer: BaseConsumer = config(bootstrap).set("group.id", "reader").create().unwrap();
    let until = Instant::now() + PATIENCE;
    let (_, end) = loop {
        match consumer.fetch_watermarks(topic, partition, Duration::from_secs(2)) {
            Ok(found) => break found,
            Err(error) if Instant::now() > until => {
                panic!("watermarks of {topic}-{partition}: {error}\n{}", seen_by_each(bootstrap, topic));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let mut places = TopicPartitionList::new();
    places.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    consumer.assign(&places).unwrap();
    let mut values = Vec::new();
    let mut next = 0;
    while next < end {
        assert!(Instant::now() < until, "{} of {end} records of {topic}-{partition} were read", values.len());
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(200)) {
            next = message.offset() + 1;
            values.push(String::from_utf8(message.payload().unwrap().to_vec()).unwrap());
        }
    }
    values
}

/// The leader of a partition, as the cluster says it, once it is not `other_than`.
pub(crate) fn leader(bootstrap: &str, topic: &str, partition: i32, other_than: i32) -> i32 {
    let consumer: BaseConsumer = config(bootstrap).create().unwrap();
    let until = Instant::now() + PATIENCE;
    loop {
        if let Ok(metadata) = consumer.fetch_metadata(Some(topic), Duration::from_secs(2)) {
            let partitions = metadata.topics().first().map(|topic| topic.partitions()).unwrap_or_default();
            let leader = partitions.iter().find(|info| info.id() == partition).map(|info| info.leader());
            if let Some(leader) = leader.filter(|leader| *leader >= 0 && *leader != other_than) {
                return leader;
            }
        }
        assert!(Instant::now() < until, "{topic}-{partition} has no leader other than {other_than}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What each node says of a topic, for messages of failed tests.
fn seen_by_each(bootstrap: &str, topic: &str) -> String {
    let mut text = String::new();
    for node in bootstrap.split(',') {
        let consumer: BaseConsumer = config(node).create().unwrap();
        match consumer.fetch_metadata(Some(topic), Duration::from_secs(2)) {
            Ok(metadata) => {
                for info in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
                    let (id, leader, isr) = (info.id(), info.leader(), info.isr());
                    text += &format!("{node}: {topic}-{id} leader {leader}, in sync {isr:?}, {:?}\n", info.error());
                }
            }
            Err(error) => text += &format!("{node}: {error}\n"),
        }
    }
    text
}
