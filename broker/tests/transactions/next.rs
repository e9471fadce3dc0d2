//! A producer of transactions V2 that begins its next transaction where the marker of its last is still missing.
//!
//! Its EndTxn is answered when the decision is durable, and its client goes on at once: the marker may be late. Here it is
//! late for as long as the test wants, as a partition that lacks replicas (`min.insync.replicas`) takes no marker. Until it
//! is written the coordinator says CONCURRENT_TRANSACTIONS, the broker asks it again (`handlers/vouching.rs`), and needs a
//! new guard for that each time: the marker takes away those that were given while it was missing. (A broker that keeps the
//! guards of its first question refuses both, records and offsets, with INVALID_TXN_STATE.)

use std::time::{Duration, Instant};

use bytes::Bytes;
use thalweg_protocol::messages::create_topics_request::CreatableTopic;
use thalweg_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use thalweg_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use thalweg_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use thalweg_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use thalweg_protocol::messages::{
    CreateTopicsRequest, DescribeTransactionsRequest, EndTxnRequest, FindCoordinatorRequest, GroupId,
    IncrementalAlterConfigsRequest, InitProducerIdRequest, OffsetFetchRequest, ProduceRequest, ProduceResponse,
    ProducerId, TopicName, TransactionalId, TxnOffsetCommitRequest,
};
use thalweg_protocol::records::BatchBuilder;
use thalweg_protocol::{ProducerEpoch, StrBytes, TimestampMs};

use crate::support::{Broker, Options};
use crate::wire::{Client, PATIENCE, Reply, frame, request_bytes};

const TOPIC: &str = "next";
const ID: &str = "goes-on";
const GROUP: &str = "group-of-next";
const PRODUCE: i16 = 12;
const TXN_OFFSET_COMMIT: i16 = 5;
const NONE: i16 = 0;
const NOT_ENOUGH_REPLICAS: i16 = 19;
/// How long it is watched that nothing is answered.
const SILENCE: Duration = Duration::from_millis(400);

fn string(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// A producer, its broker, and the connection that everything but its produce requests goes over.
struct Producer {
    broker: Broker,
    client: Client,
    id: i64,
    epoch: i16,
    sequence: i32,
}

impl Producer {
    /// `patience_ms` is how long the broker asks the coordinator again.
    fn start(patience_ms: u64) -> Self {
        let options = Options::default()
            .property("offsets.topic.num.partitions", 1)
            .property("add.partitions.to.txn.retry.backoff.max.ms", patience_ms);
        let broker = Broker::start(options);
        let mut client = Client::connect(broker.bootstrap());
        let topic = CreatableTopic::default().with_name(topic()).with_num_partitions(1).with_replication_factor(1);
        let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
        assert_eq!(client.ask(7, &request).topics[0].error_code, NONE);
        for (kind, key) in [(0, GROUP), (1, ID)] {
            let find = FindCoordinatorRequest::default().with_key_type(kind).with_coordinator_keys(vec![string(key)]);
            until(|| client.ask(4, &find).coordinators[0].error_code == NONE);
        }
        let init = InitProducerIdRequest::default()
            .with_transactional_id(Some(TransactionalId(string(ID))))
            .with_transaction_timeout_ms(60_000)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
        let mut producer = Self { broker, client, id: -1, epoch: -1, sequence: 0 };
        until(|| {
            let answer = producer.client.ask(5, &init);
            (producer.id, producer.epoch) = (answer.producer_id.0, answer.producer_epoch);
            answer.error_code == NONE
        });
        producer
    }

    /// Whether the partition has as many replicas as it wants. Answered when every core knows.
    fn let_markers_in(&mut self, topic: &str, allowed: bool) {
        let wanted = if allowed { "1" } else { "2" };
        let config =
            AlterableConfig::default().with_name(string("min.insync.replicas")).with_value(Some(string(wanted)));
        let resource = AlterConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(string(topic))
            .with_configs(vec![config]);
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
        assert_eq!(self.client.ask(1, &request).responses[0].error_code, NONE);
    }

    /// Ends the transaction; the next one has the next epoch.
    fn end(&mut self, commit: bool) {
        let request = EndTxnRequest::default()
            .with_transactional_id(TransactionalId(string(ID)))
            .with_producer_id(ProducerId(self.id))
            .with_producer_epoch(self.epoch)
            .with_committed(commit);
        let answer = self.client.ask(5, &request);
        assert_eq!((answer.error_code, answer.producer_epoch), (NONE, self.epoch + 1));
        (self.epoch, self.sequence) = (answer.producer_epoch, 0);
    }

    fn state(&mut self) -> String {
        let request = DescribeTransactionsRequest::default().with_transactional_ids(vec![TransactionalId(string(ID))]);
        self.client.ask(0, &request).transaction_states[0].transaction_state.to_string()
    }

    /// One record of the transaction, as a request.
    fn record(&mut self) -> ProduceRequest {
        let mut batch = BatchBuilder::new()
            .with_producer(thalweg_protocol::ProducerId(self.id), ProducerEpoch(self.epoch), self.sequence)
            .transactional();
        batch.push(TimestampMs(1_700_000_000_000), None, Some(b"value"), &[]).unwrap();
        self.sequence += 1;
        let records = Bytes::from(batch.build().unwrap());
        let partition = PartitionProduceData::default().with_index(0).with_records(Some(records));
        let topic = TopicProduceData::default().with_name(topic()).with_partition_data(vec![partition]);
        ProduceRequest::default()
            .with_transactional_id(Some(TransactionalId(string(ID))))
            .with_acks(-1)
            .with_timeout_ms(10_000)
            .with_topic_data(vec![topic])
    }

    fn offset(&self, offset: i64) -> TxnOffsetCommitRequest {
        let partition =
            TxnOffsetCommitRequestPartition::default().with_partition_index(0).with_committed_offset(offset);
        let topic = TxnOffsetCommitRequestTopic::default().with_name(topic()).with_partitions(vec![partition]);
        TxnOffsetCommitRequest::default()
            .with_transactional_id(TransactionalId(string(ID)))
            .with_group_id(GroupId(string(GROUP)))
            .with_producer_id(ProducerId(self.id))
            .with_producer_epoch(self.epoch)
            .with_topics(vec![topic])
    }

    /// The group's offset, once nothing is undecided.
    fn committed(&mut self) -> i64 {
        let topic = OffsetFetchRequestTopics::default().with_name(topic()).with_partition_indexes(vec![0]);
        let group =
            OffsetFetchRequestGroup::default().with_group_id(GroupId(string(GROUP))).with_topics(Some(vec![topic]));
        let request = OffsetFetchRequest::default().with_groups(vec![group]).with_require_stable(true);
        let mut found = -1;
        until(|| {
            let answer = self.client.ask(8, &request);
            let partition = &answer.groups[0].topics[0].partitions[0];
            found = partition.committed_offset;
            partition.error_code == NONE
        });
        found
    }

    /// The request is out, and the coordinator is asked again and again: the marker is missing.
    fn watch_silence(&mut self, other: &mut Client) {
        assert!(matches!(other.reply(SILENCE), Reply::Silence), "answered while the marker of the last one is missing");
        assert_eq!(self.state(), "PrepareCommit");
    }

    fn finish(mut self) {
        until(|| self.state() == "CompleteCommit");
        self.broker.stop();
    }
}

fn topic() -> TopicName {
    TopicName(string(TOPIC))
}

fn until(mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "it never came about");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Error and base offset.
fn produced(answer: &ProduceResponse) -> (i16, i64) {
    let partition = &answer.responses[0].partition_responses[0];
    (partition.error_code, partition.base_offset)
}

fn answer<R: thalweg_protocol::Decodable>(client: &mut Client, version: i16) -> R {
    match client.reply(PATIENCE) {
        Reply::Answer(mut answer) => {
            drop(answer.split_to(5));
            R::decode(&mut answer, version).unwrap()
        }
        other => panic!("{other:?} where there should be an answer"),
    }
}

pub(crate) fn records_wait_for_the_marker() {
    let mut producer = Producer::start(600_000);
    let first = producer.record();
    assert_eq!(produced(&producer.client.ask(PRODUCE, &first)), (NONE, 0));
    producer.let_markers_in(TOPIC, false);
    producer.end(true);
    let mut other = Client::connect(producer.broker.bootstrap());
    assert!(other.send(&frame(&request_bytes(PRODUCE, &producer.record()))));
    producer.watch_silence(&mut other);
    producer.let_markers_in(TOPIC, true);
    // The marker has offset 1.
    assert_eq!(produced(&answer(&mut other, PRODUCE)), (NONE, 2));
    let more = producer.record();
    assert_eq!(produced(&producer.client.ask(PRODUCE, &more)), (NONE, 3));
    producer.end(true);
    producer.finish();
}

pub(crate) fn offsets_wait_for_the_marker() {
    let mut producer = Producer::start(600_000);
    let code = |answer: &thalweg_protocol::messages::TxnOffsetCommitResponse| answer.topics[0].partitions[0].error_code;
    let first = producer.offset(1);
    until(|| code(&producer.client.ask(TXN_OFFSET_COMMIT, &first)) == NONE);
    producer.let_markers_in("__consumer_offsets", false);
    producer.end(true);
    let mut other = Client::connect(producer.broker.bootstrap());
    assert!(other.send(&frame(&request_bytes(TXN_OFFSET_COMMIT, &producer.offset(2)))));
    producer.watch_silence(&mut other);
    producer.let_markers_in("__consumer_offsets", true);
    assert_eq!(code(&answer(&mut other, TXN_OFFSET_COMMIT)), NONE);
    // The offset of the first transaction is what the group has if the second one is aborted.
    producer.end(false);
    assert_eq!(producer.committed(), 1);
    let third = producer.offset(3);
    assert_eq!(code(&producer.client.ask(TXN_OFFSET_COMMIT, &third)), NONE);
    producer.end(true);
    assert_eq!(producer.committed(), 3);
    producer.finish();
}

/// Where the marker takes longer than the broker asks: the client is told to try again, and nothing was appended.
pub(crate) fn patience_ends() {
    let mut producer = Producer::start(100);
    let first = producer.record();
    assert_eq!(produced(&producer.client.ask(PRODUCE, &first)), (NONE, 0));
    producer.let_markers_in(TOPIC, false);
    producer.end(true);
    let next = producer.record();
    for _ in 0..2 {
        assert_eq!(produced(&producer.client.ask(PRODUCE, &next)), (NOT_ENOUGH_REPLICAS, -1));
        assert_eq!(producer.state(), "PrepareCommit");
    }
    producer.let_markers_in(TOPIC, true);
    until(|| producer.state() == "CompleteCommit");
    assert_eq!(produced(&producer.client.ask(PRODUCE, &next)), (NONE, 2));
    producer.end(true);
    producer.finish();
}
