//! What can be set for one group (KIP-848, KIP-932, KIP-1071): all of Kafka's `GroupConfig`.

use super::reasons;
use crate::config::schema::{
    Check::{Any, AtLeast, OneOf},
    ConfigKey,
    DefaultValue::Is,
    Use::{NoEffect, Used},
    keys,
};

/// The broker's keys begin with this where the group's do not.
const BROKER_PREFIX: &str = "group.";

pub const GROUP_KEYS: &[ConfigKey] = keys! {
    "consumer.session.timeout.ms": Int = Is("45000"), AtLeast(1), Medium, ClusterWide, Used;
        "Silence after which a member is taken out of the group."
    "consumer.heartbeat.interval.ms": Int = Is("5000"), AtLeast(1), Medium, ClusterWide, Used;
        "Time between heartbeats that members are told to keep."
    "consumer.assignment.interval.ms": Int = Is("1000"), AtLeast(0), Medium, ClusterWide, Used;
        "Least time between two target assignments."
    "consumer.assignor.offload.enable": Boolean = Is("true"), Any, Medium, ClusterWide, NoEffect(reasons::OFFLOAD);
        "Compute assignments on another thread."
    "share.session.timeout.ms": Int = Is("45000"), AtLeast(1), Medium, ClusterWide, Used;
        "Silence after which a member is taken out of the share group."
    "share.heartbeat.interval.ms": Int = Is("5000"), AtLeast(1), Medium, ClusterWide, Used;
        "Time between heartbeats that members are told to keep."
    "share.assignment.interval.ms": Int = Is("1000"), AtLeast(0), Medium, ClusterWide, Used;
        "Least time between two target assignments."
    "share.assignor.offload.enable": Boolean = Is("true"), Any, Medium, ClusterWide, NoEffect(reasons::OFFLOAD);
        "Compute assignments on another thread."
    "share.record.lock.duration.ms": Int = Is("30000"), AtLeast(1_000), Medium, ClusterWide, Used;
        "How long a record is reserved for the member that it was delivered to."
    "share.delivery.count.limit": Int = Is("5"), AtLeast(2), Medium, ClusterWide, Used;
        "Times that a record is delivered before it is given up."
    "share.partition.max.record.locks": Int = Is("2000"), AtLeast(100), Medium, ClusterWide, Used;
        "Records of one partition that may be out for delivery at once."
    "share.auto.offset.reset": String = Is("latest"), Any, Medium, ClusterWide, Used;
        "Where a share group begins: `earliest`, `latest`, or `by_duration:` and an ISO 8601 duration."
    "share.isolation.level": String = Is("read_uncommitted"), OneOf(&["read_committed", "read_uncommitted"]), Medium, ClusterWide, Used;
        "Whether records of transactions that are not committed are delivered."
    "share.renew.acknowledge.enable": Boolean = Is("true"), Any, Medium, ClusterWide, NoEffect(reasons::SHARE_RENEW);
        "Whether members may renew their hold on a record."
    "streams.session.timeout.ms": Int = Is("45000"), AtLeast(1), Medium, ClusterWide, NoEffect(reasons::STREAMS);
        "Silence after which a member is taken out of the streams group."
    "streams.heartbeat.interval.ms": Int = Is("5000"), AtLeast(1), Medium, ClusterWide, NoEffect(reasons::STREAMS);
        "Time between heartbeats that members are told to keep."
    "streams.assignment.interval.ms": Int = Is("1000"), AtLeast(0), Medium, ClusterWide, NoEffect(reasons::STREAMS);
        "Least time between two target assignments."
    "streams.assignor.offload.enable": Boolean = Is("true"), Any, Medium, ClusterWide, NoEffect(reasons::STREAMS);
        "Compute assignments on another thread."
    "streams.initial.rebalance.delay.ms": Int = Is("3000"), AtLeast(0), Medium, ClusterWide, NoEffect(reasons::STREAMS);
        "How long a new streams group waits for more members."
    "streams.num.standby.replicas": Int = Is("0"), AtLeast(0), Medium, ClusterWide, NoEffect(reasons::STREAMS);
        "Standby tasks per task."
};

/// The row of a group's key.
pub fn group_key(name: &str) -> Option<&'static ConfigKey> {
    GROUP_KEYS.iter().find(|key| key.name == name)
}

/// Broker keys that go with a group's key: what it defaults to, and the least and the most that it may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GroupSynonyms {
    pub default: Option<&'static str>,
    pub min: Option<&'static str>,
    pub max: Option<&'static str>,
}

/// The broker keys of a group's key. `consumer.x` goes with `group.consumer.x`, and with `group.consumer.min.x` and
/// `group.consumer.max.x` where there are such.
pub fn group_synonyms(name: &str) -> GroupSynonyms {
    let (kind, rest) = name.split_once('.').unwrap_or((name, ""));
    let broker = |infix: &str| super::broker_key(&format!("{BROKER_PREFIX}{kind}.{infix}{rest}")).map(|key| key.name);
    GroupSynonyms { default: broker(""), min: broker("min."), max: broker("max.") }
}
