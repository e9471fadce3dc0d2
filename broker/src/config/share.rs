//! What the broker is told of share groups: the `group.share.` and `share.coordinator.` keys as the code reads them.

use super::broker::ReplicationFactor;
use super::layers::Overrides;

/// Each field is the key of the same name; see `tables/share.rs`. A group's own settings go before those of `group.share.`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShareSettings {
    /// `group.share.session.timeout.ms`
    pub session_timeout_ms: i32,
    /// `group.share.heartbeat.interval.ms`
    pub heartbeat_interval_ms: i32,
    /// `group.share.assignment.interval.ms`
    pub assignment_interval_ms: i32,
    /// `group.share.max.size`
    pub max_size: usize,
    /// `group.share.delivery.count.limit`
    pub delivery_count_limit: i32,
    /// `group.share.record.lock.duration.ms`
    pub record_lock_duration_ms: i32,
    /// `group.share.partition.max.record.locks`
    pub max_record_locks: i32,
    /// `group.share.max.share.sessions`
    pub max_share_sessions: usize,
    /// `share.coordinator.snapshot.update.records.per.snapshot`
    pub updates_per_snapshot: u32,
    /// `share.coordinator.state.topic.num.partitions`
    pub topic_num_partitions: usize,
    /// `share.coordinator.state.topic.replication.factor`
    pub topic_replication_factor: ReplicationFactor,
    /// `share.coordinator.state.topic.segment.bytes`
    pub topic_segment_bytes: u64,
    /// `share.coordinator.state.topic.min.isr`
    pub topic_min_isr: i64,
}

impl ShareSettings {
    /// What `__share_group_state` is created with, as Kafka's `ShareCoordinatorService.shareGroupStateTopicConfigs`. An update
    /// says only what changed, so no record may be compacted away.
    pub fn topic_configs(&self) -> Overrides {
        let settings = [
            ("cleanup.policy", "delete".to_owned()),
            ("compression.type", "uncompressed".to_owned()),
            ("min.insync.replicas", self.topic_min_isr.to_string()),
            ("retention.ms", "-1".to_owned()),
            ("segment.bytes", self.topic_segment_bytes.to_string()),
        ];
        settings.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }
}
