//! The topic settings that a partition's log obeys, under Kafka's names with the unit last.

/// Per topic; replaced at any time with `PartitionLog::set_config`.
#[derive(Clone, PartialEq, Debug)]
pub struct LogConfig {
    /// `segment.bytes`
    pub segment_bytes: u64,
    /// `segment.ms`
    pub segment_ms: i64,
    /// This segment's share of `segment.jitter.ms`, drawn by the caller: this crate draws nothing.
    pub segment_jitter_ms: i64,
    /// `index.interval.bytes`
    pub index_interval_bytes: u64,
    /// `segment.index.bytes`
    pub index_size_max_bytes: u64,
    /// `retention.bytes`; negative for no limit.
    pub retention_bytes: i64,
    /// `retention.ms`; negative for no limit.
    pub retention_ms: i64,
    /// `file.delete.delay.ms`
    pub file_delete_delay_ms: i64,
    /// `cleanup.policy` contains `delete`.
    pub delete_enabled: bool,
    /// `cleanup.policy` contains `compact`.
    pub compact_enabled: bool,
    /// `min.cleanable.dirty.ratio`
    pub min_cleanable_dirty_ratio: f64,
    /// `min.compaction.lag.ms`
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`
    pub max_compaction_lag_ms: i64,
    /// `delete.retention.ms`
    pub delete_retention_ms: i64,
}

impl Default for LogConfig {
    /// Kafka's defaults.
    fn default() -> Self {
        Self {
            segment_bytes: 1 << 30,
            segment_ms: 7 * 24 * 3_600_000,
            segment_jitter_ms: 0,
            index_interval_bytes: 4096,
            index_size_max_bytes: 10 << 20,
            retention_bytes: -1,
            retention_ms: 7 * 24 * 3_600_000,
            file_delete_delay_ms: 60_000,
            delete_enabled: true,
            compact_enabled: false,
            min_cleanable_dirty_ratio: 0.5,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            delete_retention_ms: 24 * 3_600_000,
        }
    }
}

impl LogConfig {
    /// `segment.ms`, or what lets `max.compaction.lag.ms` be kept: only what is sealed is compacted
    /// (`LogConfig.maxSegmentMs`).
    pub(super) fn segment_age_max_ms(&self) -> i64 {
        let lag_ms = if self.compact_enabled { self.max_compaction_lag_ms } else { i64::MAX };
        self.segment_ms.min(lag_ms)
    }

    /// Entries that an offset index may hold (`AbstractIndex.maxEntries`).
    pub(super) fn offset_index_entries_max(&self) -> u64 {
        self.index_size_max_bytes / 8
    }

    /// Entries that a time index may hold: one less than fit, since sealing a segment adds one (`TimeIndex.isFull`).
    pub(super) fn time_index_entries_max(&self) -> u64 {
        (self.index_size_max_bytes / 12).saturating_sub(1)
    }
}
