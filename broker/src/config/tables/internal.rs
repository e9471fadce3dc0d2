//! Keys that Kafka keeps undocumented. A file that carries them is not refused.

use super::reasons;
use crate::config::schema::{
    Check::{Any, AtLeast, Fraction},
    ConfigKey,
    DefaultValue::{Is, Unset},
    Use::{NoEffect, Used},
    keys,
};

pub(super) const KEYS: &[ConfigKey] = keys! {
    internal = true;
    "server.max.startup.time.ms": Long = Is("9223372036854775807"), AtLeast(0), Medium, ReadOnly, NoEffect(reasons::KRAFT);
        "Longest time that Kafka takes to start before it gives up."
    "controller.performance.always.log.threshold.ms": Long = Is("2000"), AtLeast(0), Medium, ReadOnly, NoEffect(reasons::KRAFT);
        "Controller events slower than this are always logged."
    "controller.performance.sample.period.ms": Long = Is("60000"), AtLeast(100), Medium, ReadOnly, NoEffect(reasons::KRAFT);
        "How often controller performance is logged."
    "group.consumer.regex.refresh.interval.ms": Int = Is("600000"), AtLeast(10_000), Medium, ReadOnly, Used;
        "How often subscriptions by pattern are matched again."
    "group.share.initialize.retry.interval.ms": Int = Is("30000"), AtLeast(1), Low, ReadOnly, NoEffect(reasons::SHARE);
        "Pause between tries to initialise share state."
    "group.share.persister.class.name": String = Is("org.apache.kafka.server.share.persister.DefaultStatePersister"), Any, Medium, ReadOnly, NoEffect(reasons::SHARE);
        "Class that keeps share state."
    "internal.metadata.delete.delay.millis": Long = Is("60000"), Any, Low, ReadOnly, NoEffect(reasons::METADATA_LOG);
        "Delay before files of the metadata log are deleted."
    "internal.metadata.log.segment.bytes": Int = Unset, Any, Low, ReadOnly, NoEffect(reasons::METADATA_LOG);
        "Segment size of the metadata log."
    "internal.metadata.max.batch.size.in.bytes": Int = Is("8388608"), Any, Low, ReadOnly, NoEffect(reasons::METADATA_LOG);
        "Largest batch of the metadata log."
    "log.initial.task.delay.ms": Long = Is("30000"), AtLeast(0), Low, ReadOnly, Used;
        "Delay after the start before retention first runs."
    "producer.id.expiration.check.interval.ms": Int = Is("600000"), AtLeast(1), Low, ReadOnly, Used;
        "How often expired idempotent producers are looked for."
    "remote.log.index.file.cache.ttl.ms": Long = Is("900000"), AtLeast(-1), Low, ReadOnly, NoEffect(reasons::TIER);
        "Life of cached remote indexes."
    "remote.log.manager.task.retry.backoff.max.ms": Long = Is("30000"), AtLeast(1), Low, ReadOnly, NoEffect(reasons::TIER);
        "Longest pause between tries of remote work."
    "remote.log.manager.task.retry.backoff.ms": Long = Is("500"), AtLeast(1), Low, ReadOnly, NoEffect(reasons::TIER);
        "First pause between tries of remote work."
    "remote.log.manager.task.retry.jitter": Double = Is("0.2"), Fraction(0.0, 0.5), Low, ReadOnly, NoEffect(reasons::TIER);
        "Random share of those pauses."
    "share.coordinator.cold.partition.snapshot.interval.ms": Int = Is("300000"), AtLeast(1), Low, ReadOnly, NoEffect(reasons::SHARE);
        "How often idle share partitions are snapshotted."
    "share.coordinator.state.topic.prune.interval.ms": Int = Is("300000"), AtLeast(1), Low, ReadOnly, NoEffect(reasons::SHARE);
        "How often the share state topic is pruned."
    "unclean.leader.election.interval.ms": Long = Is("300000"), AtLeast(1), Medium, ReadOnly, NoEffect(reasons::UNCLEAN);
        "How often partitions without a leader are looked at."
    "unstable.api.versions.enable": Boolean = Is("false"), Any, High, ReadOnly, NoEffect(reasons::UNSTABLE);
        "Whether unfinished API versions are offered."
    "unstable.feature.versions.enable": Boolean = Is("false"), Any, High, ReadOnly, NoEffect(reasons::UNSTABLE);
        "Whether unfinished feature versions are offered."
};
