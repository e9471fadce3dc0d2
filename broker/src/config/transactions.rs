//! What the transaction coordinator is told: the `transaction.` keys as the code reads them.

use super::broker::ReplicationFactor;
use super::layers::Overrides;

/// Each field is the key of the same name; see `tables/transactions.rs`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TransactionSettings {
    /// `transaction.max.timeout.ms`
    pub timeout_ms_max: i32,
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`
    pub abort_interval_ms: i64,
    /// `transactional.id.expiration.ms`
    pub expiration_ms: i64,
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`
    pub expiry_interval_ms: i64,
    /// `transaction.state.log.num.partitions`
    pub topic_num_partitions: usize,
    /// `transaction.state.log.replication.factor`
    pub topic_replication_factor: ReplicationFactor,
    /// `transaction.state.log.segment.bytes`
    pub topic_segment_bytes: u64,
    /// `transaction.state.log.min.isr`
    pub topic_min_isr: i64,
}

impl TransactionSettings {
    /// What `__transaction_state` is created with, as Kafka's `TransactionStateManager.transactionTopicConfigs`.
    pub fn topic_configs(&self) -> Overrides {
        let settings = [
            ("cleanup.policy", "compact".to_owned()),
            ("compression.type", "uncompressed".to_owned()),
            ("min.insync.replicas", self.topic_min_isr.to_string()),
            ("segment.bytes", self.topic_segment_bytes.to_string()),
            ("unclean.leader.election.enable", "false".to_owned()),
        ];
        settings.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }
}
