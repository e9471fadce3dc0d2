//! The settings of consumer groups: the broker's, and those of one group (KIP-848's `GROUP` resources).

use thalweg_protocol::TimestampMs;

use super::assignor::Assignor;
use super::topics::Cluster;

/// Which way a group may change its protocol while it has members (`group.consumer.migration.policy`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MigrationPolicy {
    /// It may not.
    Disabled,
    /// From consumer to classic, when the last member of the consumer protocol has left.
    Downgrade,
    /// From classic to consumer, when the first member of the consumer protocol joins.
    Upgrade,
    /// Both.
    #[default]
    Bidirectional,
}

impl MigrationPolicy {
    /// The policy of this name, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "disabled" => Some(Self::Disabled),
            "downgrade" => Some(Self::Downgrade),
            "upgrade" => Some(Self::Upgrade),
            "bidirectional" => Some(Self::Bidirectional),
            _ => None,
        }
    }

    pub(in crate::coordinator::group) const fn upgrades(self) -> bool {
        matches!(self, Self::Upgrade | Self::Bidirectional)
    }

    pub(in crate::coordinator::group) const fn downgrades(self) -> bool {
        matches!(self, Self::Downgrade | Self::Bidirectional)
    }
}

/// Kafka's settings, with its defaults. A group's own go before those of the broker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConsumerConfig {
    /// `group.consumer.session.timeout.ms`
    pub session_timeout_ms: i32,
    /// `group.consumer.heartbeat.interval.ms`
    pub heartbeat_interval_ms: i32,
    /// `group.consumer.assignment.interval.ms`
    pub assignment_interval_ms: i32,
    /// `group.consumer.max.size`
    pub group_size_max: usize,
    /// `group.consumer.assignors`, the default first
    pub assignors: Vec<Assignor>,
    /// `group.consumer.migration.policy`
    pub migration: MigrationPolicy,
    /// How often expressions are resolved anew though no topic has come: Kafka's internal
    /// `group.consumer.regex.refresh.interval.ms`.
    pub regex_refresh_interval_ms: i64,
}

impl Default for ConsumerConfig {
    fn default() -> Self {
        Self {
            session_timeout_ms: 45_000,
            heartbeat_interval_ms: 5_000,
            assignment_interval_ms: 1_000,
            group_size_max: i32::MAX as usize,
            assignors: vec![Assignor::Uniform, Assignor::Range],
            migration: MigrationPolicy::default(),
            regex_refresh_interval_ms: 600_000,
        }
    }
}

/// Everything that the flow of one request depends on besides the group.
#[derive(Clone, Debug)]
pub(in crate::coordinator::group) struct Terms {
    pub(in crate::coordinator::group) cluster: Cluster,
    pub(in crate::coordinator::group) now: TimestampMs,
    pub(in crate::coordinator::group) config: ConsumerConfig,
}

impl ConsumerConfig {
    /// The settings of one group.
    pub(super) fn of_group(&self, group: &str, cluster: &Cluster) -> Self {
        let own = |key: &str, default: i32| cluster.group_setting(group, key).unwrap_or(default);
        Self {
            session_timeout_ms: own("consumer.session.timeout.ms", self.session_timeout_ms),
            heartbeat_interval_ms: own("consumer.heartbeat.interval.ms", self.heartbeat_interval_ms),
            assignment_interval_ms: own("consumer.assignment.interval.ms", self.assignment_interval_ms),
            ..self.clone()
        }
    }
}
