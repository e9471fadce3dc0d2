//! Transactions as librdkafka has them: added to partitions before they are written to (transactions V1).

use std::time::Duration;

use futures::executor::block_on;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::Consumer;
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use super::{PATIENCE, Suite, take};

impl Suite {
    fn transactional(&self, id: &str) -> FutureProducer {
        let id = self.name(id);
        let producer: FutureProducer = ClientConfig::new()
            .set("bootstrap.servers", &self.bootstrap)
            .set("transactional.id", &id)
            .create()
            .expect("a producer");
        producer.init_transactions(PATIENCE).expect("init");
        producer
    }

    fn send(producer: &FutureProducer, topic: &str, value: &str) {
        let record = FutureRecord::<[u8], _>::to(topic).partition(0).payload(value);
        block_on(producer.send(record, PATIENCE)).map_err(|(error, _)| error).expect("delivery");
    }

    fn values(messages: &[OwnedMessage]) -> Vec<&[u8]> {
        messages.iter().filter_map(|message| message.payload()).collect()
    }

    pub(super) fn transactions(&self) {
        let topic = self.topic("transactions", 1, &[]);
        let producer = self.transactional("transactions");
        for (value, commit) in [("a", true), ("b", false), ("c", true), ("d", false), ("e", true)] {
            producer.begin_transaction().expect("begin");
            Self::send(&producer, &topic, value);
            if commit {
                producer.commit_transaction(PATIENCE).expect("commit");
            } else {
                producer.abort_transaction(PATIENCE).expect("abort");
            }
        }
        let committed = self.reader(&topic, 0, Offset::Beginning, &[("isolation.level", "read_committed")]);
        assert_eq!(Self::values(&take(&committed, 3)), [b"a", b"c", b"e"]);
        let all = self.reader(&topic, 0, Offset::Beginning, &[("isolation.level", "read_uncommitted")]);
        assert_eq!(Self::values(&take(&all, 5)), [b"a", b"b", b"c", b"d", b"e"]);
    }

    /// Nobody who reads committed records comes past a transaction that is open.
    pub(super) fn open_transaction(&self) {
        let topic = self.topic("open", 1, &[]);
        let producer = self.transactional("open");
        producer.begin_transaction().expect("begin");
        Self::send(&producer, &topic, "open");
        self.fill(&topic, 0, 3, &[]);
        let committed = self.reader(&topic, 0, Offset::Beginning, &[("isolation.level", "read_committed")]);
        assert!(committed.poll(Duration::from_secs(1)).is_none(), "nothing is stable yet");
        producer.commit_transaction(PATIENCE).expect("commit");
        let seen = take(&committed, 4);
        assert_eq!(seen.first().and_then(|message| message.payload()), Some(b"open".as_slice()));
    }

    pub(super) fn transactional_offsets(&self) {
        let topic = self.topic("txn-offsets", 1, &[]);
        self.fill(&topic, 0, 10, &[]);
        let group = self.name("txn-offsets");
        let consumer = self.consumer(&[("group.id", group.as_str())]);
        let producer = self.transactional("txn-offsets");
        let committed = || {
            let mut asked = TopicPartitionList::new();
            asked.add_partition(&topic, 0);
            let found = consumer.committed_offsets(asked, PATIENCE).expect("committed offsets");
            found.find_partition(&topic, 0).expect("the partition").offset()
        };
        for (offset, commit, expected) in [(4, true, 4), (7, false, 4), (9, true, 9)] {
            let mut offsets = TopicPartitionList::new();
            offsets.add_partition_offset(&topic, 0, Offset::Offset(offset)).expect("an offset");
            producer.begin_transaction().expect("begin");
            let member = consumer.group_metadata().expect("group metadata");
            producer.send_offsets_to_transaction(&offsets, &member, PATIENCE).expect("send offsets");
            if commit {
                producer.commit_transaction(PATIENCE).expect("commit");
            } else {
                producer.abort_transaction(PATIENCE).expect("abort");
            }
            assert_eq!(committed(), Offset::Offset(expected));
        }
    }
}
