//! Share groups (KIP-932) and the coordinator of their state.

use super::reasons;
use crate::config::schema::{
    Check::{Any, AtLeast, Between},
    ConfigKey,
    DefaultValue::Is,
    Use::{NoEffect, Used},
    keys,
};

pub(super) const KEYS: &[ConfigKey] = keys! {
    "group.share.assignment.interval.ms": Int = Is("1000"), AtLeast(0), Medium, ClusterWide, Used;
        "Least time between two target assignments of a share group."
    "group.share.assignors": List = Is("simple"), Any, Medium, ReadOnly, NoEffect(reasons::SHARE);
        "Assignors of share groups."
    "group.share.delivery.count.limit": Int = Is("5"), Between(2, 10), Medium, ReadOnly, Used;
        "Times that a record is delivered before it is given up."
    "group.share.heartbeat.interval.ms": Int = Is("5000"), AtLeast(1), Medium, ReadOnly, Used;
        "Time between heartbeats that members are told to keep."
    "group.share.max.assignment.interval.ms": Int = Is("15000"), AtLeast(0), Medium, ReadOnly, Used;
        "Largest group setting `share.assignment.interval.ms`."
    "group.share.max.delivery.count.limit": Int = Is("10"), Between(5, 25), Medium, ReadOnly, Used;
        "Largest group setting `share.delivery.count.limit`."
    "group.share.max.heartbeat.interval.ms": Int = Is("15000"), AtLeast(1), Medium, ReadOnly, Used;
        "Largest group setting `share.heartbeat.interval.ms`."
    "group.share.max.partition.max.record.locks": Int = Is("4000"), Between(2_000, 10_000), Medium, ReadOnly, Used;
        "Largest group setting `share.partition.max.record.locks`."
    "group.share.max.record.lock.duration.ms": Int = Is("60000"), Between(30_000, 3_600_000), Medium, ReadOnly, Used;
        "Largest group setting `share.record.lock.duration.ms`."
    "group.share.max.session.timeout.ms": Int = Is("60000"), AtLeast(1), Medium, ReadOnly, Used;
        "Largest group setting `share.session.timeout.ms`."
    "group.share.max.share.sessions": Int = Is("2000"), AtLeast(1), Medium, ReadOnly, Used;
        "Most share sessions of one broker."
    "group.share.max.size": Int = Is("200"), Between(1, 1_000), Medium, ReadOnly, Used;
        "Most members of one share group."
    "group.share.min.assignment.interval.ms": Int = Is("0"), AtLeast(0), Medium, ReadOnly, Used;
        "Smallest group setting `share.assignment.interval.ms`."
    "group.share.min.delivery.count.limit": Int = Is("2"), Between(2, 5), Medium, ReadOnly, Used;
        "Smallest group setting `share.delivery.count.limit`."
    "group.share.min.heartbeat.interval.ms": Int = Is("5000"), AtLeast(1), Medium, ReadOnly, Used;
        "Smallest group setting `share.heartbeat.interval.ms`."
    "group.share.min.partition.max.record.locks": Int = Is("100"), Between(100, 2_000), Medium, ReadOnly, Used;
        "Smallest group setting `share.partition.max.record.locks`."
    "group.share.min.record.lock.duration.ms": Int = Is("15000"), Between(1_000, 30_000), Medium, ReadOnly, Used;
        "Smallest group setting `share.record.lock.duration.ms`."
    "group.share.min.session.timeout.ms": Int = Is("45000"), AtLeast(1), Medium, ReadOnly, Used;
        "Smallest group setting `share.session.timeout.ms`."
    "group.share.partition.max.record.locks": Int = Is("2000"), Between(100, 10_000), Medium, ReadOnly, Used;
        "Records of one partition that may be out for delivery at once."
    "group.share.record.lock.duration.ms": Int = Is("30000"), Between(1_000, 3_600_000), Medium, ReadOnly, Used;
        "How long a record is reserved for the member that it was delivered to."
    "group.share.session.timeout.ms": Int = Is("45000"), AtLeast(1), Medium, ReadOnly, Used;
        "Silence after which a member is taken out of its group."
    "share.coordinator.append.linger.ms": Int = Is("-1"), AtLeast(-1), Medium, ReadOnly, NoEffect(reasons::SHARE);
        "How long the share coordinator gathers records before it writes them."
    "share.coordinator.cached.buffer.max.bytes": Int = Is("1048588"), AtLeast(524_288), Medium, ClusterWide, NoEffect(reasons::SHARE);
        "Largest write buffer that the share coordinator keeps for reuse."
    "share.coordinator.load.buffer.size": Int = Is("5242880"), AtLeast(1), High, ReadOnly, NoEffect(reasons::SHARE);
        "Bytes read at once when share state is loaded."
    "share.coordinator.snapshot.update.records.per.snapshot": Int = Is("500"), Between(0, 500), Medium, ReadOnly, Used;
        "State updates between two full snapshots."
    "share.coordinator.state.topic.compression.codec": Int = Is("0"), Any, High, ReadOnly, NoEffect(reasons::SHARE);
        "Codec of share state records, by its number."
    "share.coordinator.state.topic.min.isr": Short = Is("2"), AtLeast(1), High, ReadOnly, Used;
        "`min.insync.replicas` of the share state topic."
    "share.coordinator.state.topic.num.partitions": Int = Is("50"), AtLeast(1), High, ReadOnly, Used;
        "Partitions of the share state topic."
    "share.coordinator.state.topic.replication.factor": Short = Is("3"), AtLeast(1), High, ReadOnly, Used;
        "Replicas of the share state topic."
    "share.coordinator.state.topic.segment.bytes": Int = Is("104857600"), AtLeast(1), High, ReadOnly, Used;
        "Segment size of the share state topic."
    "share.coordinator.threads": Int = Is("1"), AtLeast(1), Medium, ReadOnly, NoEffect(reasons::SHARE);
        "Threads of the share coordinator."
    "share.coordinator.write.timeout.ms": Int = Is("5000"), AtLeast(1), High, ReadOnly, NoEffect(reasons::SHARE);
        "How long a write of share state waits for its replicas."
    "share.fetch.purgatory.purge.interval.requests": Int = Is("1000"), Any, Medium, ReadOnly, NoEffect(reasons::SHARE);
        "How often Kafka clears finished share fetches away."
};
