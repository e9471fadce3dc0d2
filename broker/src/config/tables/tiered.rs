//! Tiered storage (KIP-405), which this version does not have.

use super::reasons;
use crate::config::schema::{
    Check::{Any, AtLeast, NonEmpty},
    ConfigKey,
    DefaultValue::{Is, Unset},
    Use::{NoEffect, Refused},
    keys,
};

pub(super) const KEYS: &[ConfigKey] = keys! {
    "remote.log.storage.system.enable": Boolean = Is("false"), Any, Medium, ReadOnly, Refused(reasons::TIER);
        "Whether old segments are moved to remote storage."
    "follower.fetch.last.tiered.offset.enable": Boolean = Is("false"), Any, Medium, ClusterWide, NoEffect(reasons::TIER);
        "Whether a new follower starts from the last tiered offset."
    "log.local.retention.bytes": Long = Is("-2"), AtLeast(-2), Medium, ClusterWide, NoEffect(reasons::TIER);
        "Size that stays on local drives; -2 is the whole of `log.retention.bytes`."
    "log.local.retention.ms": Long = Is("-2"), AtLeast(-2), Medium, ClusterWide, NoEffect(reasons::TIER);
        "Age that stays on local drives; -2 is the whole of `log.retention.ms`."
    "remote.fetch.max.wait.ms": Int = Is("500"), AtLeast(1), Medium, ClusterWide, NoEffect(reasons::TIER);
        "Longest wait of a fetch for remote storage."
    "remote.list.offsets.request.timeout.ms": Long = Is("30000"), AtLeast(1), Medium, ClusterWide, NoEffect(reasons::TIER);
        "Longest wait of ListOffsets for remote storage."
    "remote.log.index.file.cache.total.size.bytes": Long = Is("1073741824"), AtLeast(1), Low, ClusterWide, NoEffect(reasons::TIER);
        "Room for cached remote indexes."
    "remote.log.manager.copier.thread.pool.size": Int = Is("10"), AtLeast(1), Medium, ClusterWide, NoEffect(reasons::TIER);
        "Threads that copy segments to remote storage."
    "remote.log.manager.copy.max.bytes.per.second": Long = Is("9223372036854775807"), AtLeast(1), Medium, ClusterWide, NoEffect(reasons::TIER);
        "Most bytes per second copied to remote storage."
    "remote.log.manager.copy.quota.window.num": Int = Is("11"), AtLeast(1), Medium, ReadOnly, NoEffect(reasons::TIER);
        "Samples kept for that quota."
    "remote.log.manager.copy.quota.window.size.seconds": Int = Is("1"), AtLeast(1), Medium, ReadOnly, NoEffect(reasons::TIER);
        "Length of each of those samples."
    "remote.log.manager.expiration.thread.pool.size": Int = Is("10"), AtLeast(1), Medium, ClusterWide, NoEffect(reasons::TIER);
        "Threads that delete expired remote segments."
    "remote.log.manager.fetch.max.bytes.per.second": Long = Is("9223372036854775807"), AtLeast(1), Medium, ClusterWide, NoEffect(reasons::TIER);
        "Most bytes per second read from remote storage."
    "remote.log.manager.fetch.quota.window.num": Int = Is("11"), AtLeast(1), Medium, ReadOnly, NoEffect(reasons::TIER);
        "Samples kept for that quota."
    "remote.log.manager.fetch.quota.window.size.seconds": Int = Is("1"), AtLeast(1), Medium, ReadOnly, NoEffect(reasons::TIER);
        "Length of each of those samples."
    "remote.log.manager.follower.thread.pool.size": Int = Is("2"), AtLeast(1), Medium, ClusterWide, NoEffect(reasons::TIER);
        "Threads for partitions that follow."
    "remote.log.manager.task.interval.ms": Long = Is("30000"), AtLeast(1), Low, ReadOnly, NoEffect(reasons::TIER);
        "How often remote work is looked for."
    "remote.log.manager.thread.pool.size": Int = Is("2"), AtLeast(1), Medium, ReadOnly, NoEffect(reasons::TIER);
        "Threads that schedule remote work."
    "remote.log.metadata.custom.metadata.max.bytes": Int = Is("128"), AtLeast(0), Low, ReadOnly, NoEffect(reasons::TIER);
        "Most bytes of metadata that a storage plug-in may add."
    "remote.log.metadata.manager.class.name": String = Is("org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager"), NonEmpty, Medium, ReadOnly, NoEffect(reasons::TIER);
        "Class that keeps the metadata of remote segments."
    "remote.log.metadata.manager.class.path": String = Unset, Any, Medium, ReadOnly, NoEffect(reasons::TIER);
        "Where that class is found."
    "remote.log.metadata.manager.impl.prefix": String = Is("rlmm.config."), NonEmpty, Medium, ReadOnly, NoEffect(reasons::TIER);
        "Prefix of the keys handed to that class."
    "remote.log.metadata.manager.listener.name": String = Unset, NonEmpty, Medium, ReadOnly, NoEffect(reasons::TIER);
        "Listener over which that class connects to brokers."
    "remote.log.reader.max.pending.tasks": Int = Is("100"), AtLeast(1), Medium, ReadOnly, NoEffect(reasons::TIER);
        "Remote reads that may wait."
    "remote.log.reader.threads": Int = Is("10"), AtLeast(1), Medium, ClusterWide, NoEffect(reasons::TIER);
        "Threads that read from remote storage."
    "remote.log.storage.manager.class.name": String = Unset, NonEmpty, Medium, ReadOnly, NoEffect(reasons::TIER);
        "Class that reads and writes remote storage."
    "remote.log.storage.manager.class.path": String = Unset, Any, Medium, ReadOnly, NoEffect(reasons::TIER);
        "Where that class is found."
    "remote.log.storage.manager.impl.prefix": String = Is("rsm.config."), NonEmpty, Medium, ReadOnly, NoEffect(reasons::TIER);
        "Prefix of the keys handed to that class."
};
