//! A reader of committed records that goes along with the writers, and believes the broker: it takes whatever it is given
//! and leaves out what the broker says was aborted, as Kafka's own consumer does. (librdkafka also looks at the last stable
//! offset, and so hides a broker that gives away more.)

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use thalweg_protocol::StrBytes;
use thalweg_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use thalweg_protocol::messages::fetch_response::PartitionData;
use thalweg_protocol::messages::{BrokerId, FetchRequest, TopicName};
use thalweg_protocol::records::batches;

use crate::transactions_checker::{RecordName, Seen};
use crate::transactions_clients::{PARTITIONS, PATIENCE, parse};
use crate::transactions_writers::{CLOSING, TOPIC};
use crate::wire::Client;

const BATCH_SIZE_MAX_BYTES: usize = 1 << 20;

/// Everything that is seen up to the closing transaction, while transactions are open and the broker is killed.
pub(crate) fn follow(bootstrap: &str) -> Seen {
    let mut next: BTreeMap<i32, i64> = (0..PARTITIONS).map(|partition| (partition, 0)).collect();
    let mut seen = Seen::new();
    let mut left: HashSet<i32> = (0..PARTITIONS).collect();
    let mut client = None;
    let deadline = Instant::now() + 5 * PATIENCE;
    while !left.is_empty() {
        assert!(Instant::now() < deadline, "the ends of partitions {left:?} were never seen");
        let Some(connected) = client.as_mut() else {
            std::thread::sleep(Duration::from_millis(10));
            client = Client::try_connect(bootstrap).ok();
            continue;
        };
        let Ok(mut answer) = connected.try_ask(11, &request(&next)) else {
            client = None;
            continue;
        };
        for partition in answer.responses.iter_mut().flat_map(|topic| topic.partitions.drain(..)) {
            let index = partition.partition_index;
            assert_ne!(partition.error_code, 1, "what was seen of partition {index} is not there any more");
            let records = take(&partition, next.get_mut(&index).unwrap());
            if records.iter().any(|record| record.transaction == CLOSING) {
                left.remove(&index);
            }
            seen.entry(index).or_default().extend(records);
        }
    }
    seen
}

fn request(next: &BTreeMap<i32, i64>) -> FetchRequest {
    let partition = |(index, offset): (&i32, &i64)| {
        FetchPartition::default()
            .with_partition(*index)
            .with_fetch_offset(*offset)
            .with_partition_max_bytes(1 << 20)
            .with_current_leader_epoch(-1)
    };
    let topic = FetchTopic::default()
        .with_topic(TopicName(StrBytes::from_static_str(TOPIC)))
        .with_partitions(next.iter().map(partition).collect());
    FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(20)
        .with_min_bytes(1)
        .with_max_bytes(8 << 20)
        .with_isolation_level(1)
        .with_session_epoch(-1)
        .with_topics(vec![topic])
}

/// The records of a partition's answer that are not of aborted transactions; `next` goes behind them.
fn take(partition: &PartitionData, next: &mut i64) -> Vec<RecordName> {
    let mut aborted = partition.aborted_transactions.clone().unwrap_or_default();
    aborted.sort_by_key(|transaction| transaction.first_offset);
    let mut aborted = aborted.into_iter().peekable();
    let mut aborting = HashSet::new();
    let mut found = Vec::new();
    for view in batches(partition.records.as_deref().unwrap_or_default()) {
        // The last one may be cut off.
        let Ok(view) = view else { break };
        let header = &view.header;
        while let Some(transaction) = aborted.next_if(|transaction| transaction.first_offset <= header.last_offset().0)
        {
            aborting.insert(transaction.producer_id.0);
        }
        let producer = header.producer_id.0;
        if header.attributes.is_control() {
            // In this topic nothing but ends of transactions.
            aborting.remove(&producer);
        } else if !aborting.contains(&producer) {
            let records = view.records(BATCH_SIZE_MAX_BYTES).unwrap().map(Result::unwrap);
            let new = records.filter(|record| header.base_offset.0 + i64::from(record.offset_delta) >= *next);
            found.extend(new.map(|record| parse(&record.value.unwrap())));
        }
        *next = (*next).max(header.last_offset().0 + 1);
    }
    found
}
