//! Topic settings: all of Kafka's `TopicConfig`.

use super::reasons;
use crate::config::schema::{
    Check::{Any, AtLeast, Between, BetweenOr, Fraction, OneOf, ThrottledReplicas},
    ConfigKey,
    DefaultValue::{Differs, Is},
    Use::{NoEffect, Refused, Used},
    keys,
};

pub(super) const KEYS: &[ConfigKey] = keys! {
    "cleanup.policy": List = Is("delete"), OneOf(&["compact", "delete"]), Medium, ClusterWide, Used;
        "`delete` drops old segments, `compact` keeps the last record of each key; both may be given."
    "compression.type": String = Is("producer"), OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]), Medium, ClusterWide, Used;
        "Codec of stored batches; `producer` keeps the one that they came with."
    "compression.gzip.level": Int = Is("-1"), BetweenOr(1, 9, -1), Medium, ClusterWide, Used;
        "Effort of gzip where `compression.type` is `gzip`; -1 is gzip's own default."
    "compression.lz4.level": Int = Is("9"), Between(1, 17), Medium, ClusterWide, Used;
        "Effort of LZ4 where `compression.type` is `lz4`. The default is LZ4's fast mode, all others its high-compression mode."
    "compression.zstd.level": Int = Is("3"), Between(-131_072, 22), Medium, ClusterWide, Used;
        "Effort of Zstandard where `compression.type` is `zstd`."
    "delete.retention.ms": Long = Is("86400000"), AtLeast(0), Medium, ClusterWide, Used;
        "How long tombstones of a compacted topic stay readable."
    "file.delete.delay.ms": Long = Is("60000"), AtLeast(0), Medium, ClusterWide, Used;
        "Time between taking a segment out of the log and deleting its file."
    "flush.messages": Long = Differs { ours: Some("1"), kafka: Some("9223372036854775807"), why: reasons::WHY_DURABLE }, AtLeast(1), Medium, ClusterWide, NoEffect(reasons::FLUSH);
        "Records after which a partition is flushed. With 1, an answer means that the device has it; more lets a majority in memory answer."
    "flush.ms": Long = Is("9223372036854775807"), AtLeast(0), Medium, ClusterWide, NoEffect(reasons::FLUSH);
        "Longest time that a record which was answered from memory may stay unflushed."
    "follower.replication.throttled.replicas": List = Is(""), ThrottledReplicas, Medium, ClusterWide, NoEffect(reasons::REPLICA);
        "Replicas whose followers are throttled."
    "leader.replication.throttled.replicas": List = Is(""), ThrottledReplicas, Medium, ClusterWide, NoEffect(reasons::REPLICA);
        "Replicas whose leaders are throttled."
    "index.interval.bytes": Int = Is("4096"), AtLeast(0), Medium, ClusterWide, Used;
        "Bytes of log between two entries of the offset index."
    "local.retention.bytes": Long = Is("-2"), AtLeast(-2), Medium, ClusterWide, NoEffect(reasons::TIER);
        "Size that stays on local drives; -2 is the whole of `retention.bytes`."
    "local.retention.ms": Long = Is("-2"), AtLeast(-2), Medium, ClusterWide, NoEffect(reasons::TIER);
        "Age that stays on local drives; -2 is the whole of `retention.ms`."
    "max.compaction.lag.ms": Long = Is("9223372036854775807"), AtLeast(1), Medium, ClusterWide, Used;
        "Age at which a record becomes due for compaction whatever the ratio."
    "max.message.bytes": Int = Is("1048588"), AtLeast(0), Medium, ClusterWide, Used;
        "Largest record batch accepted, after compression."
    "message.timestamp.type": String = Is("CreateTime"), OneOf(&["CreateTime", "LogAppendTime"]), Medium, ClusterWide, Used;
        "Whether records keep the time that the producer gave, or get that of their append."
    "message.timestamp.before.max.ms": Long = Is("9223372036854775807"), AtLeast(0), Medium, ClusterWide, Used;
        "How far a record's timestamp may lie in the past."
    "message.timestamp.after.max.ms": Long = Is("3600000"), AtLeast(0), Medium, ClusterWide, Used;
        "How far a record's timestamp may lie in the future."
    "min.cleanable.dirty.ratio": Double = Is("0.5"), Fraction(0.0, 1.0), Medium, ClusterWide, Used;
        "Share of a compacted log that must be dirty before it is compacted."
    "min.compaction.lag.ms": Long = Is("0"), AtLeast(0), Medium, ClusterWide, Used;
        "Age below which a record is not compacted away."
    "min.insync.replicas": Int = Is("1"), AtLeast(1), Medium, ClusterWide, Used;
        "Replicas that must hold a batch on their device before acks=all is answered."
    "preallocate": Boolean = Is("false"), Any, Medium, ClusterWide, NoEffect(reasons::PREALLOCATE);
        "Whether segment files get their full size at once."
    "remote.log.copy.disable": Boolean = Is("false"), Any, Medium, ClusterWide, NoEffect(reasons::TIER);
        "Whether a tiered topic stops copying to remote storage."
    "remote.log.delete.on.disable": Boolean = Is("false"), Any, Medium, ClusterWide, NoEffect(reasons::TIER);
        "Whether turning tiering off deletes what is remote."
    "remote.storage.enable": Boolean = Is("false"), Any, Medium, ClusterWide, Refused(reasons::TIER);
        "Whether old segments of this topic are moved to remote storage."
    "retention.bytes": Long = Is("-1"), Any, Medium, ClusterWide, Used;
        "Size of a partition beyond which its oldest segments are deleted; -1 is no limit."
    "retention.ms": Long = Is("604800000"), AtLeast(-1), Medium, ClusterWide, Used;
        "Age beyond which records may be deleted; -1 keeps them forever."
    "segment.bytes": Int = Is("1073741824"), AtLeast(1_048_576), Medium, ClusterWide, Used;
        "Size at which a segment file is closed and the next begun."
    "segment.index.bytes": Int = Is("10485760"), AtLeast(4), Medium, ClusterWide, Used;
        "Size of an index at which its segment is closed."
    "segment.jitter.ms": Long = Is("0"), AtLeast(0), Medium, ClusterWide, Used;
        "Up to so much is taken off `segment.ms`, so that segments of many partitions do not close at once."
    "segment.ms": Long = Is("604800000"), AtLeast(1), Medium, ClusterWide, Used;
        "Age at which a segment is closed even if it is not full."
    "unclean.leader.election.enable": Boolean = Is("false"), Any, Medium, ClusterWide, NoEffect(reasons::UNCLEAN);
        "Whether a replica that lacks acknowledged records may become leader."
};
