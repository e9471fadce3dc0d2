//! Consumer groups of the classic protocol, and the topic their offsets are kept in.

use super::reasons;
use crate::config::schema::{
    Check::{Any, AtLeast, OneOf},
    ConfigKey,
    DefaultValue::Is,
    Use::{NoEffect, Used},
    keys,
};

pub(super) const KEYS: &[ConfigKey] = keys! {
    "offsets.topic.num.partitions": Int = Is("50"), AtLeast(1), High, ReadOnly, Used;
        "Partitions of `__consumer_offsets`; not to be changed once it exists."
    "offsets.topic.replication.factor": Short = Is("3"), AtLeast(1), High, ReadOnly, Used;
        "Replicas of `__consumer_offsets`. Where it is not given and fewer nodes are known, that many replicas are made."
    "offsets.topic.segment.bytes": Int = Is("104857600"), AtLeast(1), High, ReadOnly, Used;
        "Segment size of `__consumer_offsets`, small so that it compacts and loads quickly."
    "offsets.topic.compression.codec": Int = Is("0"), Any, High, ReadOnly, NoEffect(reasons::OFFSETS_CODEC);
        "Codec of offset records, by its number."
    "offsets.retention.minutes": Int = Is("10080"), AtLeast(1), High, ReadOnly, Used;
        "How long the offsets of a group that has become empty are kept."
    "offsets.retention.check.interval.ms": Long = Is("600000"), AtLeast(1), High, ReadOnly, Used;
        "How often expired offsets are looked for."
    "offsets.commit.timeout.ms": Int = Is("5000"), AtLeast(1), High, ReadOnly, NoEffect(reasons::NOT_YET);
        "How long an offset commit waits for its record to be replicated."
    "offsets.load.buffer.size": Int = Is("5242880"), AtLeast(1), High, ReadOnly, NoEffect(reasons::NOT_YET);
        "Bytes read at once when a group coordinator loads its partition."
    "offset.metadata.max.bytes": Int = Is("4096"), Any, High, ReadOnly, Used;
        "Longest metadata text that may come with a committed offset."
    "group.min.session.timeout.ms": Int = Is("6000"), Any, Medium, ReadOnly, Used;
        "Shortest session timeout that a member may ask for."
    "group.max.session.timeout.ms": Int = Is("1800000"), Any, Medium, ReadOnly, Used;
        "Longest session timeout that a member may ask for."
    "group.initial.rebalance.delay.ms": Int = Is("3000"), Any, Medium, ReadOnly, Used;
        "How long an empty group waits for more members before its first rebalance."
    "group.max.size": Int = Is("2147483647"), AtLeast(1), Medium, ReadOnly, Used;
        "Most members of one group."
    "group.coordinator.rebalance.protocols": List = Is("classic,consumer,streams"), OneOf(&["consumer", "classic", "share", "streams"]), Medium, ReadOnly, NoEffect(reasons::PROTOCOLS);
        "Which group protocols are served."
    "group.coordinator.append.linger.ms": Int = Is("-1"), AtLeast(-1), Medium, ReadOnly, NoEffect(reasons::COORDINATOR);
        "How long Kafka's coordinator gathers records before it writes them."
    "group.coordinator.threads": Int = Is("4"), AtLeast(1), High, ReadOnly, NoEffect(reasons::THREADS);
        "Threads of Kafka's group coordinator."
    "group.coordinator.background.threads": Int = Is("2"), AtLeast(1), High, ReadOnly, NoEffect(reasons::THREADS);
        "Background threads of Kafka's group coordinator."
    "group.coordinator.cached.buffer.max.bytes": Int = Is("1048588"), AtLeast(524_288), Medium, ClusterWide, NoEffect(reasons::COORDINATOR);
        "Largest write buffer that Kafka's group coordinator keeps for reuse."
};
