//! Transactions of both protocols, with records and with offsets, committed and aborted.

use bytes::Bytes;
use thalweg_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use thalweg_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use thalweg_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use thalweg_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, DescribeTransactionsRequest, EndTxnRequest, GroupId,
    InitProducerIdRequest, ProduceRequest, ProducerId, TransactionalId, TxnOffsetCommitRequest,
};
use thalweg_protocol::records::BatchBuilder;
use thalweg_protocol::{ProducerEpoch, TimestampMs};

use super::{Actor, TOPIC, string};

pub(super) fn act(actor: &mut Actor) {
    before_v2(actor);
    v2(actor);
}

/// A producer as the broker last called it.
struct Producer {
    name: &'static str,
    id: i64,
    epoch: i16,
}

impl Producer {
    /// Whatever stands in the way for a moment.
    fn init(actor: &mut Actor, name: &'static str) -> Self {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(Some(TransactionalId(string(name))))
            .with_transaction_timeout_ms(60_000)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
        let answer = actor.until(4, &request, |answer| answer.error_code == 0);
        Self { name, id: answer.producer_id.0, epoch: answer.producer_epoch }
    }

    fn name(&self) -> TransactionalId {
        TransactionalId(string(self.name))
    }

    fn produce(&self, actor: &mut Actor, version: i16, sequence: i32) {
        let mut batch = BatchBuilder::new()
            .with_producer(thalweg_protocol::ProducerId(self.id), ProducerEpoch(self.epoch), sequence)
            .transactional();
        batch.push(TimestampMs(1_700_000_000_000), None, Some(b"value"), &[]).unwrap();
        let records = Bytes::from(batch.build().unwrap());
        let partition = PartitionProduceData::default().with_index(0).with_records(Some(records));
        let topic = TopicProduceData::default().with_name(string(TOPIC).into()).with_partition_data(vec![partition]);
        let request = ProduceRequest::default()
            .with_transactional_id(Some(self.name()))
            .with_acks(-1)
            .with_timeout_ms(10_000)
            .with_topic_data(vec![topic]);
        actor.until(version, &request, |answer| answer.responses[0].partition_responses[0].error_code == 0);
    }

    fn commit_offset(&self, actor: &mut Actor, version: i16, offset: i64) {
        let partition =
            TxnOffsetCommitRequestPartition::default().with_partition_index(0).with_committed_offset(offset);
        let topic =
            TxnOffsetCommitRequestTopic::default().with_name(string(TOPIC).into()).with_partitions(vec![partition]);
        let request = TxnOffsetCommitRequest::default()
            .with_transactional_id(self.name())
            .with_group_id(GroupId(string("transacted")))
            .with_producer_id(ProducerId(self.id))
            .with_producer_epoch(self.epoch)
            .with_topics(vec![topic]);
        actor.until(version, &request, |answer| answer.topics[0].partitions[0].error_code == 0);
    }

    /// Ends the transaction, and waits until all that it leaves is written.
    fn end(&mut self, actor: &mut Actor, version: i16, commit: bool) {
        let request = EndTxnRequest::default()
            .with_transactional_id(self.name())
            .with_producer_id(ProducerId(self.id))
            .with_producer_epoch(self.epoch)
            .with_committed(commit);
        let answer = actor.until(version, &request, |answer| answer.error_code == 0);
        if version >= 5 {
            (self.id, self.epoch) = (answer.producer_id.0, answer.producer_epoch);
        }
        let describe = DescribeTransactionsRequest::default().with_transactional_ids(vec![self.name()]);
        actor.until(0, &describe, |answer| answer.transaction_states[0].transaction_state.starts_with("Complete"));
    }
}

fn before_v2(actor: &mut Actor) {
    let mut producer = Producer::init(actor, "older");
    for commit in [true, false] {
        let topic = AddPartitionsToTxnTopic::default().with_name(string(TOPIC).into()).with_partitions(vec![0, 1]);
        let add = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(producer.name())
            .with_v3_and_below_producer_id(ProducerId(producer.id))
            .with_v3_and_below_producer_epoch(producer.epoch)
            .with_v3_and_below_topics(vec![topic]);
        actor.until(3, &add, |answer| {
            answer.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code == 0
        });
        producer.produce(actor, 11, i32::from(!commit));
        let add = AddOffsetsToTxnRequest::default()
            .with_transactional_id(producer.name())
            .with_producer_id(ProducerId(producer.id))
            .with_producer_epoch(producer.epoch)
            .with_group_id(GroupId(string("transacted")));
        actor.until(3, &add, |answer| answer.error_code == 0);
        producer.commit_offset(actor, 4, if commit { 41 } else { 42 });
        producer.end(actor, 3, commit);
    }
}

fn v2(actor: &mut Actor) {
    let mut producer = Producer::init(actor, "newer");
    for (commit, offset) in [(true, 51), (false, 52)] {
        producer.produce(actor, 12, 0);
        producer.commit_offset(actor, 5, offset);
        producer.end(actor, 5, commit);
    }
    // Somebody else takes over what is open.
    producer.produce(actor, 12, 0);
    Producer::init(actor, "newer");
}
