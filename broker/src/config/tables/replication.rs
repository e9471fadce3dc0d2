//! Copies of partitions. Kafka's followers fetch from leaders; here each partition is a Raft group.

use super::reasons;
use crate::config::schema::{
    Check::{Any, AtLeast},
    ConfigKey,
    DefaultValue::{Is, Unset},
    Use::{NoEffect, Used},
    keys,
};

pub(super) const KEYS: &[ConfigKey] = keys! {
    "auto.leader.rebalance.enable": Boolean = Is("true"), Any, High, ReadOnly, NoEffect(reasons::BALANCE);
        "Whether leadership goes back to the preferred replicas by itself."
    "leader.imbalance.check.interval.seconds": Long = Is("300"), AtLeast(1), High, ReadOnly, NoEffect(reasons::BALANCE);
        "How often that is looked at."
    "unclean.leader.election.enable": Boolean = Is("false"), Any, High, ClusterWide, NoEffect(reasons::UNCLEAN);
        "Whether a replica that lacks acknowledged records may become leader."
    "num.replica.fetchers": Int = Is("1"), AtLeast(1), High, ClusterWide, NoEffect(reasons::REPLICA);
        "Threads that copy from each other broker."
    "num.replica.alter.log.dirs.threads": Int = Unset, Any, High, ReadOnly, NoEffect(reasons::THREADS);
        "Threads that move replicas between directories."
    "replica.fetch.backoff.ms": Int = Is("1000"), AtLeast(0), Medium, ReadOnly, NoEffect(reasons::REPLICA);
        "Pause of a follower after a failed fetch."
    "replica.fetch.max.bytes": Int = Is("1048576"), AtLeast(0), Medium, ReadOnly, NoEffect(reasons::REPLICA);
        "Bytes per partition that a follower fetches at once."
    "replica.fetch.min.bytes": Int = Is("1"), Any, High, ReadOnly, NoEffect(reasons::REPLICA);
        "Least bytes that a follower's fetch waits for."
    "replica.fetch.response.max.bytes": Int = Is("10485760"), AtLeast(0), Medium, ReadOnly, NoEffect(reasons::REPLICA);
        "Most bytes of a follower's whole fetch."
    "replica.fetch.wait.max.ms": Int = Is("500"), Any, High, ReadOnly, NoEffect(reasons::REPLICA);
        "Longest wait of a follower's fetch."
    "replica.high.watermark.checkpoint.interval.ms": Long = Is("5000"), Any, High, ReadOnly, NoEffect(reasons::CHECKPOINT);
        "How often Kafka writes high watermarks to disk."
    "replica.lag.time.max.ms": Long = Is("30000"), Any, High, ReadOnly, Used;
        "Time after which a follower that lags leaves the in-sync replicas."
    "replica.selector.class": String = Unset, Any, Medium, ReadOnly, NoEffect(reasons::PLUGIN);
        "Class that picks the replica a consumer reads from."
    "replica.socket.receive.buffer.bytes": Int = Is("65536"), Any, High, ReadOnly, NoEffect(reasons::REPLICA);
        "Receive buffer of replication sockets."
    "replica.socket.timeout.ms": Int = Is("30000"), Any, High, ReadOnly, NoEffect(reasons::REPLICA);
        "Timeout of replication requests."
    "follower.replication.throttled.rate": Long = Is("9223372036854775807"), AtLeast(0), Medium, ClusterWide, NoEffect(reasons::REPLICA);
        "Most bytes per second that followers of throttled replicas take in."
    "leader.replication.throttled.rate": Long = Is("9223372036854775807"), AtLeast(0), Medium, ClusterWide, NoEffect(reasons::REPLICA);
        "Most bytes per second that leaders of throttled replicas give out."
    "replica.alter.log.dirs.io.max.bytes.per.second": Long = Is("9223372036854775807"), AtLeast(0), Medium, ClusterWide, Used;
        "Most bytes per second that moving replicas between directories takes."
    "replication.quota.window.num": Int = Is("11"), AtLeast(1), Low, ReadOnly, NoEffect(reasons::QUOTA);
        "Samples kept for replication quotas."
    "replication.quota.window.size.seconds": Int = Is("1"), AtLeast(1), Low, ReadOnly, NoEffect(reasons::QUOTA);
        "Length of each of those samples."
    "alter.log.dirs.replication.quota.window.num": Int = Is("11"), AtLeast(1), Low, ReadOnly, NoEffect(reasons::QUOTA);
        "Samples kept for the quota on moves between directories."
    "alter.log.dirs.replication.quota.window.size.seconds": Int = Is("1"), AtLeast(1), Low, ReadOnly, NoEffect(reasons::QUOTA);
        "Length of each of those samples."
    "fetch.purgatory.purge.interval.requests": Int = Is("1000"), Any, Medium, ReadOnly, NoEffect(reasons::PURGATORY);
        "How often Kafka clears finished fetches away."
    "producer.purgatory.purge.interval.requests": Int = Is("1000"), Any, Medium, ReadOnly, NoEffect(reasons::PURGATORY);
        "How often Kafka clears finished produce requests away."
    "delete.records.purgatory.purge.interval.requests": Int = Is("1"), Any, Medium, ReadOnly, NoEffect(reasons::PURGATORY);
        "How often Kafka clears finished DeleteRecords requests away."
};
