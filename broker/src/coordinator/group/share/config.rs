//! The settings of share groups: the broker's, and those of one group.

use crate::coordinator::group::consumer::{ConsumerConfig, Terms};
use crate::coordinator::group::shard::GroupShard;

/// Kafka's settings, with its defaults. A group's own go before those of the broker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShareConfig {
    /// `group.share.session.timeout.ms`
    pub session_timeout_ms: i32,
    /// `group.share.heartbeat.interval.ms`
    pub heartbeat_interval_ms: i32,
    /// `group.share.assignment.interval.ms`
    pub assignment_interval_ms: i32,
    /// `group.share.max.size`
    pub group_size_max: usize,
}

impl Default for ShareConfig {
    fn default() -> Self {
        Self {
            session_timeout_ms: 45_000,
            heartbeat_interval_ms: 5_000,
            assignment_interval_ms: 1_000,
            group_size_max: 200,
        }
    }
}

impl GroupShard {
    /// What the flow of one request depends on, with the settings of one share group.
    pub(in crate::coordinator::group) fn share_terms(&self, group: &str) -> Terms {
        let cluster = self.cx.cluster.clone();
        let broker = &self.cx.config.share;
        let own = |key: &str, default: i32| cluster.group_setting(group, key).unwrap_or(default);
        let config = ConsumerConfig {
            session_timeout_ms: own("share.session.timeout.ms", broker.session_timeout_ms),
            heartbeat_interval_ms: own("share.heartbeat.interval.ms", broker.heartbeat_interval_ms),
            assignment_interval_ms: own("share.assignment.interval.ms", broker.assignment_interval_ms),
            group_size_max: broker.group_size_max,
            ..ConsumerConfig::default()
        };
        Terms { now: self.cx.now, config, cluster }
    }
}
