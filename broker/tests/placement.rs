//! Connections move to the core they ask, and their clients notice nothing.

#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::{Duration, Instant};

use futures::executor::block_on;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

use support::{Broker, Options};

const RECORDS: usize = 400;

struct Complain;

impl rdkafka::ClientContext for Complain {}

impl ProducerContext for Complain {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &rdkafka::message::DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            panic!("a record was refused: {error}");
        }
    }
}

fn client(broker: &Broker) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.bootstrap());
    config
}

fn moved(broker: &Broker) -> u64 {
    let metrics = broker.admin_get("/metrics").unwrap().1;
    let line = metrics.lines().find(|line| line.starts_with("thalweg_connections_moved_total ")).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// Several requests of the producer are under way at any time, so that a move finds some.
fn produce(producer: &ThreadedProducer<Complain>, topic: &str) {
    for number in 0..RECORDS {
        let text = number.to_string();
        producer.send(BaseRecord::to(topic).partition(0).key("").payload(&text)).unwrap_or_else(|(error, _)| {
            panic!("{error}");
        });
        if number % 20 == 0 {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    producer.flush(Duration::from_secs(30)).unwrap();
}

fn consume(consumer: &BaseConsumer, topic: &str) -> Vec<String> {
    let mut partitions = TopicPartitionList::new();
    partitions.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&partitions).unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut read = Vec::new();
    while read.len() < RECORDS && Instant::now() < deadline {
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            let message = message.unwrap();
            read.push(String::from_utf8_lossy(message.payload().unwrap()).into_owned());
        }
    }
    read
}

/// Wherever a connection begins, one of two topics that two cores own makes it move.
#[test]
fn clients_of_one_partition_are_moved_to_its_core() {
    let broker = Broker::start(Options::default().cores(2));
    let admin: AdminClient<DefaultClientContext> = client(&broker).create().unwrap();
    let new = ["first", "second"].map(|name| NewTopic::new(name, 1, TopicReplication::Fixed(1)));
    block_on(admin.create_topics(&new, &AdminOptions::new())).unwrap();
    let expected: Vec<String> = (0..RECORDS).map(|number| number.to_string()).collect();

    let mut config = client(&broker);
    config.set("enable.idempotence", "true").set("linger.ms", "0").set("batch.num.messages", "2");
    let producer: ThreadedProducer<Complain> = config.create_with_context(Complain).unwrap();
    for topic in ["first", "second"] {
        produce(&producer, topic);
    }
    let moved_for_producer = moved(&broker);
    assert!((1..=2).contains(&moved_for_producer), "{moved_for_producer}");

    // A batch per fetch: many requests.
    let mut config = client(&broker);
    let consumer: BaseConsumer = config.set("group.id", "none").set("fetch.message.max.bytes", "100").create().unwrap();
    for topic in ["first", "second"] {
        assert_eq!(consume(&consumer, topic), expected, "{topic}");
    }
    let moved_for_consumer = moved(&broker) - moved_for_producer;
    assert!((1..=2).contains(&moved_for_consumer), "{moved_for_consumer}");
}
