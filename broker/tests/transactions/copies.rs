//! Copying from one topic to another, with the offsets of what was read in the transaction of what was written.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use thalweg_protocol::StrBytes;
use thalweg_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use thalweg_protocol::messages::{FindCoordinatorRequest, GroupId, OffsetFetchRequest, TopicName};

use crate::support::Random;
use crate::transactions_checker::Fate;
use crate::transactions_clients::{PARTITIONS, PATIENCE, Transactional, end, payload, persist, transactional};
use crate::wire::Client;

pub(crate) const SOURCE: &str = "source";
pub(crate) const TARGET: &str = "target";

/// Plain records to be copied, as many in each partition.
pub(crate) fn fill_source(bootstrap: &str, count: u64) {
    let producer: Transactional =
        ClientConfig::new().set("bootstrap.servers", bootstrap).set("enable.idempotence", "true").create().unwrap();
    for number in 0..count {
        let value = payload((0, number), 0);
        let partition = (number % PARTITIONS as u64) as i32;
        producer.send(BaseRecord::<[u8], [u8]>::to(SOURCE).partition(partition).payload(value.as_bytes())).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
}

fn group_of(partition: i32) -> String {
    format!("copiers-{partition}")
}

/// Copies one partition: what it reads and how far it came are one transaction. After an abort somebody else goes on, who
/// knows only the offset that the group has; `successions` counts them.
pub(crate) fn copy_partition(bootstrap: &str, partition: i32, count: usize, successions: &AtomicUsize) {
    let id = format!("copier-{partition}");
    let mut random = Random(partition as u64 ^ 0xc09f);
    'producer: loop {
        let producer = transactional(bootstrap, &id);
        let mut next = committed_offset(bootstrap, partition);
        let mut source = copier(bootstrap, partition, next);
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
                (Fate::Aborted, true) => {
                    successions.fetch_add(1, Ordering::Relaxed);
                    next = committed_offset(bootstrap, partition);
                    source = copier(bootstrap, partition, next);
                }
                _ => continue 'producer,
            }
        }
        return;
    }
}

/// A consumer that begins at an offset. Each is assigned its partition once: librdkafka fails an assertion of its own
/// (`rktp->rktp_started`) now and then when one is assigned again and again.
fn copier(bootstrap: &str, partition: i32, next: i64) -> BaseConsumer {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", group_of(partition))
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("reconnect.backoff.ms", "10")
        .set("reconnect.backoff.max.ms", "100")
        .create()
        .unwrap();
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(SOURCE, partition, Offset::Offset(next)).unwrap();
    consumer.assign(&assignment).unwrap();
    consumer
}

/// Where the group says that its partition is to be gone on with; waits while a transaction that may change it is not
/// decided. Asked without librdkafka, whose first question to a coordinator takes half a second.
fn committed_offset(bootstrap: &str, partition: i32) -> i64 {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match try_committed_offset(bootstrap, partition) {
            Some(offset) => return offset.max(0),
            None => std::thread::sleep(Duration::from_millis(10)),
        }
        assert!(Instant::now() < deadline, "the committed offset of partition {partition} cannot be had");
    }
}

fn try_committed_offset(bootstrap: &str, partition: i32) -> Option<i64> {
    let mut client = Client::try_connect(bootstrap).ok()?;
    let group = StrBytes::from_string(group_of(partition));
    // The first to look for a group's coordinator makes its topic.
    let find = FindCoordinatorRequest::default().with_coordinator_keys(vec![group.clone()]);
    let found = client.try_ask(4, &find).ok()?;
    if found.coordinators[0].error_code != 0 {
        return None;
    }
    let topic = OffsetFetchRequestTopics::default()
        .with_name(TopicName(StrBytes::from_static_str(SOURCE)))
        .with_partition_indexes(vec![partition]);
    let group = OffsetFetchRequestGroup::default().with_group_id(GroupId(group)).with_topics(Some(vec![topic]));
    let request = OffsetFetchRequest::default().with_groups(vec![group]).with_require_stable(true);
    let fetched = client.try_ask(8, &request).ok()?;
    let group = &fetched.groups[0];
    let partition = group.topics.first().filter(|_| group.error_code == 0)?.partitions.first()?;
    (partition.error_code == 0).then_some(partition.committed_offset)
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
