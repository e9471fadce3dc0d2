//! Transactions where their data is: batches and markers in partitions, readers of committed records, offsets that wait.

use std::time::Instant;

use thalweg_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use thalweg_protocol::messages::describe_producers_request::TopicRequest;
use thalweg_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use thalweg_protocol::messages::fetch_response::AbortedTransaction;
use thalweg_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use thalweg_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use thalweg_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use thalweg_protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use thalweg_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, BrokerId, DescribeProducersRequest, EndTxnRequest, FetchRequest,
    FetchResponse, GroupId, ListOffsetsRequest, OffsetFetchRequest, ProduceRequest, ProducerId, TransactionalId,
    TxnOffsetCommitRequest, WriteTxnMarkersRequest,
};
use thalweg_protocol::records::{BatchBuilder, batches};
use thalweg_protocol::{ProducerEpoch, TimestampMs};

use crate::asker::{Asker, string};
use crate::produce::{named, partition, request};
use crate::transactions::{Producer, init_request, transactional};
use crate::wire::PATIENCE;

const WHEN: TimestampMs = TimestampMs(1_700_000_000_000);
const TOPIC: &str = "marked";

pub fn ask(asker: &mut Asker) {
    // Records of years ago beside markers of now: in one segment all the same.
    asker.create(TOPIC, 3, &[("segment.ms", "9223372036854775807")]);
    writing(asker);
    ending(asker);
    reading(asker);
    marking(asker);
    describing(asker);
    committing_offsets(asker);
}

fn init(asker: &mut Asker, name: &str) -> Producer {
    let transactional_id = transactional(asker, name);
    let request = init_request(&transactional_id);
    // Twice: so that there is an epoch before it.
    patiently(asker, 4, &request, |answer| answer.error_code);
    let answer = patiently(asker, 4, &request, |answer| answer.error_code);
    asker.hide(format!("producer_id: {:?},", answer.producer_id), &format!("producer_id: {name},"));
    Producer { transactional_id, id: answer.producer_id.0, epoch: answer.producer_epoch }
}

/// Asks until there is no error: a coordinator that loads, or a transaction that is being completed.
fn patiently<R: thalweg_protocol::Request>(
    asker: &mut Asker,
    version: i16,
    request: &R,
    code: impl Fn(&R::Response) -> i16,
) -> R::Response
where
    R::Response: thalweg_protocol::Decodable + thalweg_protocol::HeaderVersion + std::fmt::Debug,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = asker.quietly(version, request).unwrap();
        if code(&answer) == 0 {
            return answer;
        }
        assert!(Instant::now() < deadline, "{answer:?}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn add(asker: &mut Asker, producer: &Producer, partitions: &[i32]) {
    let topic = AddPartitionsToTxnTopic::default().with_name(asker.topic(TOPIC)).with_partitions(partitions.to_vec());
    let request = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(producer.transactional_id.clone())
        .with_v3_and_below_producer_id(ProducerId(producer.id))
        .with_v3_and_below_producer_epoch(producer.epoch)
        .with_v3_and_below_topics(vec![topic]);
    patiently(asker, 3, &request, |answer| {
        answer.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code
    });
}

fn end(asker: &mut Asker, producer: &Producer, commit: bool) {
    let request = EndTxnRequest::default()
        .with_transactional_id(producer.transactional_id.clone())
        .with_producer_id(ProducerId(producer.id))
        .with_producer_epoch(producer.epoch)
        .with_committed(commit);
    patiently(asker, 3, &request, |answer| answer.error_code);
}

fn batch(producer: &Producer, sequence: i32, transactional: bool) -> Vec<u8> {
    let mut builder = BatchBuilder::new().with_producer(
        thalweg_protocol::ProducerId(producer.id),
        ProducerEpoch(producer.epoch),
        sequence,
    );
    if transactional {
        builder = builder.transactional();
    }
    for _ in 0..2 {
        builder.push(WHEN, Some(b"key"), Some(b"value"), &[]).unwrap();
    }
    builder.build().unwrap().to_vec()
}

fn produce(asker: &Asker, id: Option<TransactionalId>, index: i32, records: Vec<u8>) -> ProduceRequest {
    named(request(vec![partition(index, records)]), asker, TOPIC).with_transactional_id(id)
}

/// Kafka's connection to its own coordinator is there only once it was needed: until then, NOT_LEADER_OR_FOLLOWER.
fn await_verification(asker: &mut Asker, request: &ProduceRequest) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = asker.quietly(9, request).unwrap();
        if answer.responses[0].partition_responses[0].error_code != 6 {
            return;
        }
        assert!(Instant::now() < deadline, "{answer:?}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// Batches of transactions: who may write them, and in which order.
fn writing(asker: &mut Asker) {
    let producer = init(asker, "writer");
    let id = || Some(producer.transactional_id.clone());
    let first = produce(asker, id(), 0, batch(&producer, 0, true));
    await_verification(asker, &first);
    asker.ask("produce to a partition that is not in the transaction", 9, &first);
    asker.ask("produce to a partition that is not in the transaction, v11", 11, &first);
    add(asker, &producer, &[0]);
    asker.ask("produce into a transaction", 9, &first);
    asker.ask("produce into a transaction again", 9, &first);
    asker.ask("produce a gap into a transaction", 9, &produce(asker, id(), 0, batch(&producer, 7, true)));
    asker.ask("produce plainly within a transaction", 9, &produce(asker, id(), 0, batch(&producer, 2, false)));
    asker.ask("produce without the transactional id", 9, &produce(asker, None, 0, batch(&producer, 2, true)));
    asker.ask("produce the next batch of a transaction", 9, &produce(asker, id(), 0, batch(&producer, 2, true)));
    let other = Producer { epoch: producer.epoch - 1, ..producer.clone() };
    asker.ask("produce with an old epoch", 9, &produce(asker, id(), 0, batch(&other, 0, true)));
    let future = Producer { epoch: producer.epoch + 1, ..producer.clone() };
    asker.ask("produce with a future epoch", 9, &produce(asker, id(), 0, batch(&future, 0, true)));
    let stranger = Producer { id: producer.id + 1_000_000, ..producer.clone() };
    asker.hide(format!("producer_id: {},", stranger.id), "producer_id: stranger,");
    asker.ask("produce as a stranger", 9, &produce(asker, id(), 0, batch(&stranger, 0, true)));
    let mut two = produce(asker, id(), 0, batch(&producer, 4, true));
    two.topic_data[0].partition_data.push(partition(1, batch(&stranger, 0, true)));
    asker.ask("produce as two producers", 9, &two);
    asker.ask("describe a producer with an open transaction", 0, &describe(asker, &[0]));
    end(asker, &producer, true);
    await_end(asker, &[0]);
}

/// No transaction is open in these partitions any more.
fn await_end(asker: &mut Asker, partitions: &[i32]) {
    let request = describe(asker, partitions);
    patiently(asker, 0, &request, |answer| {
        let producers = answer.topics[0].partitions.iter().flat_map(|partition| &partition.active_producers);
        i16::from(producers.into_iter().any(|producer| producer.current_txn_start_offset >= 0))
    });
}

fn ending(asker: &mut Asker) {
    let producer = init(asker, "ending");
    let id = || Some(producer.transactional_id.clone());
    add(asker, &producer, &[0]);
    asker.ask("produce what will be aborted", 9, &produce(asker, id(), 0, batch(&producer, 0, true)));
    end(asker, &producer, false);
    await_end(asker, &[0]);
    // Said once more, it is answered when the coordinator is through with it as well.
    end(asker, &producer, false);
    asker.ask("produce when the transaction has ended", 9, &produce(asker, id(), 0, batch(&producer, 2, true)));
    asker.ask(
        "produce plainly when the transaction has ended",
        9,
        &produce(asker, id(), 0, batch(&producer, 2, false)),
    );
}

fn describe(asker: &Asker, partitions: &[i32]) -> DescribeProducersRequest {
    let topic = TopicRequest::default().with_name(asker.topic(TOPIC)).with_partition_indexes(partitions.to_vec());
    DescribeProducersRequest::default().with_topics(vec![topic])
}

fn fetch(asker: &Asker, from: i64, isolation: i8) -> FetchRequest {
    let partition =
        FetchPartition::default().with_partition(0).with_fetch_offset(from).with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default().with_topic(asker.topic(TOPIC)).with_partitions(vec![partition]);
    FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(100)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_isolation_level(isolation)
        .with_topics(vec![topic])
}

fn aborted_transaction(one: &AbortedTransaction) -> String {
    format!("producer_id: {:?}, from {}", one.producer_id, one.first_offset)
}

/// What of an answer does not depend on when it was given: offsets, aborted transactions, and where batches lie.
fn outline(answer: &FetchResponse) -> String {
    let partition = &answer.responses[0].partitions[0];
    let records = partition.records.clone().unwrap_or_default();
    let headers: Vec<_> = batches(&records)
        .map(|view| {
            let header = view.unwrap().header;
            (header.base_offset.0, header.last_offset().0, header.producer_epoch.0, header.attributes.is_control())
        })
        .collect();
    let aborted: Option<Vec<_>> =
        partition.aborted_transactions.as_ref().map(|aborted| aborted.iter().map(aborted_transaction).collect());
    format!(
        "error {} high watermark {} stable {} aborted {aborted:?} batches {headers:?}",
        partition.error_code, partition.high_watermark, partition.last_stable_offset
    )
}

/// Readers of committed records, with a transaction open at the end.
fn reading(asker: &mut Asker) {
    let producer = init(asker, "open");
    add(asker, &producer, &[0]);
    let open = produce(asker, Some(producer.transactional_id.clone()), 0, batch(&producer, 0, true));
    asker.ask("produce what stays open", 9, &open);
    for from in [0, 1, 4, 5, 6, 7, 8, 100] {
        for isolation in [0, 1] {
            let answer = asker.quietly(11, &fetch(asker, from, isolation)).map(|answer| outline(&answer));
            asker.note(&format!("fetch from {from} with isolation level {isolation}"), &answer);
        }
    }
    for timestamp in [-1, -2, -3, WHEN.0, WHEN.0 + 1] {
        let partition = ListOffsetsPartition::default().with_partition_index(0).with_timestamp(timestamp);
        let topic = ListOffsetsTopic::default().with_name(asker.topic(TOPIC)).with_partitions(vec![partition]);
        for isolation in [0, 1] {
            let request = ListOffsetsRequest::default()
                .with_replica_id(BrokerId(-1))
                .with_isolation_level(isolation)
                .with_topics(vec![topic.clone()]);
            let case = format!("list the offset of {timestamp} with isolation level {isolation}");
            // The newest record's time is the marker's, which is now.
            let answer = asker.quietly(7, &request).map(|answer| {
                let found = &answer.topics[0].partitions[0];
                (found.error_code, found.offset)
            });
            asker.note(&case, &answer);
        }
    }
    end(asker, &producer, true);
    await_end(asker, &[0]);
    // The producer is through once its marker is appended; what is stable moves when that is committed.
    let all = fetch(asker, 0, 1);
    patiently(asker, 11, &all, |answer| {
        let partition = &answer.responses[0].partitions[0];
        i16::from(partition.last_stable_offset != partition.high_watermark)
    });
    let answer = asker.quietly(11, &all).map(|answer| outline(&answer));
    asker.note("fetch once nothing is open", &answer);
}

fn markers(asker: &Asker, producer: &Producer, coordinator_epoch: i32, partitions: &[i32]) -> WriteTxnMarkersRequest {
    let topic =
        WritableTxnMarkerTopic::default().with_name(asker.topic(TOPIC)).with_partition_indexes(partitions.to_vec());
    let marker = WritableTxnMarker::default()
        .with_producer_id(ProducerId(producer.id))
        .with_producer_epoch(producer.epoch)
        .with_coordinator_epoch(coordinator_epoch)
        .with_topics(vec![topic]);
    WriteTxnMarkersRequest::default().with_markers(vec![marker])
}

/// Markers as coordinators, and tools, write them.
fn marking(asker: &mut Asker) {
    let producer = init(asker, "marked");
    add(asker, &producer, &[1]);
    let open = produce(asker, Some(producer.transactional_id.clone()), 1, batch(&producer, 0, true));
    asker.ask("produce what hangs", 9, &open);
    let none = WriteTxnMarkersRequest::default();
    asker.ask("write no markers", 1, &none);
    asker.ask("write a marker to a partition that does not exist", 1, &markers(asker, &producer, 5, &[9]));
    let old = Producer { epoch: producer.epoch - 1, ..producer.clone() };
    asker.ask("write a marker with an old epoch", 1, &markers(asker, &old, 5, &[1]));
    asker.ask("write a marker", 1, &markers(asker, &producer, 5, &[1, 2]));
    asker.ask("write the marker again", 1, &markers(asker, &producer, 5, &[1]));
    asker.ask("write a marker of an old coordinator", 1, &markers(asker, &producer, 4, &[1]));
    let next = Producer { epoch: producer.epoch + 1, ..producer.clone() };
    asker.ask("write a marker with the next epoch", 1, &markers(asker, &next, 6, &[1]));
    let behind = produce(asker, Some(producer.transactional_id.clone()), 1, batch(&producer, 2, true));
    asker.ask("produce behind a marker with the next epoch", 9, &behind);
}

fn describing(asker: &mut Asker) {
    let answer = asker.quietly(0, &describe(asker, &[1, 2, 9])).map(|mut answer| {
        let producers = answer.topics[0].partitions.iter_mut().flat_map(|partition| &mut partition.active_producers);
        // A marker's time is now.
        producers.for_each(|producer| producer.last_timestamp = 0);
        answer
    });
    asker.note("describe producers of partitions", &answer);
    for name in ["missing", "a b", ""] {
        let topic = TopicRequest::default().with_name(asker.topic(name)).with_partition_indexes(vec![0]);
        let request = DescribeProducersRequest::default().with_topics(vec![topic]);
        asker.ask(&format!("describe producers of the topic {name:?}"), 0, &request);
    }
}

fn offsets(asker: &Asker, producer: &Producer, group: &str, index: i32) -> TxnOffsetCommitRequest {
    let partition = TxnOffsetCommitRequestPartition::default()
        .with_partition_index(index)
        .with_committed_offset(7)
        .with_committed_metadata(Some(string("note")));
    let topic = TxnOffsetCommitRequestTopic::default().with_name(asker.topic(TOPIC)).with_partitions(vec![partition]);
    TxnOffsetCommitRequest::default()
        .with_transactional_id(producer.transactional_id.clone())
        .with_group_id(GroupId(string(group)))
        .with_producer_id(ProducerId(producer.id))
        .with_producer_epoch(producer.epoch)
        .with_topics(vec![topic])
}

fn fetch_offsets(asker: &Asker, group: &str, stable: bool) -> OffsetFetchRequest {
    let topic = OffsetFetchRequestTopics::default().with_name(asker.topic(TOPIC)).with_partition_indexes(vec![0, 1]);
    let group = OffsetFetchRequestGroup::default().with_group_id(GroupId(string(group))).with_topics(Some(vec![topic]));
    OffsetFetchRequest::default().with_groups(vec![group]).with_require_stable(stable)
}

/// Offsets that wait for the end of their transaction.
fn committing_offsets(asker: &mut Asker) {
    let producer = init(asker, "offsets");
    let group = asker.name("waiting");
    asker.ask("commit offsets without adding the group", 3, &offsets(asker, &producer, &group, 0));
    asker.ask("commit offsets without adding the group, v4", 4, &offsets(asker, &producer, &group, 0));
    let request = AddOffsetsToTxnRequest::default()
        .with_transactional_id(producer.transactional_id.clone())
        .with_producer_id(ProducerId(producer.id))
        .with_producer_epoch(producer.epoch)
        .with_group_id(GroupId(string(&group)));
    patiently(asker, 3, &request, |answer| answer.error_code);
    asker.ask("commit offsets in a transaction", 3, &offsets(asker, &producer, &group, 0));
    asker.ask("commit offsets of a partition that does not exist", 3, &offsets(asker, &producer, &group, 9));
    asker.ask("commit offsets of no group", 3, &offsets(asker, &producer, "", 0));
    let old = Producer { epoch: producer.epoch - 1, ..producer.clone() };
    asker.ask("commit offsets with an old epoch", 3, &offsets(asker, &old, &group, 0));
    let member = offsets(asker, &producer, &group, 0).with_member_id(string("nobody")).with_generation_id(1);
    asker.ask("commit offsets as a member that is none", 3, &member);
    asker.ask("fetch offsets that wait", 8, &fetch_offsets(asker, &group, false));
    asker.ask("fetch stable offsets that wait", 8, &fetch_offsets(asker, &group, true));
    end(asker, &producer, true);
    let request = fetch_offsets(asker, &group, true);
    patiently(asker, 8, &request, |answer| {
        answer.groups[0].topics[0].partitions.iter().map(|partition| partition.error_code).max().unwrap_or(0)
    });
    asker.ask("fetch offsets of a transaction that was committed", 8, &request);
}
