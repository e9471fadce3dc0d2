//! Where records are kept, and for how long. Most rows are the defaults of a topic setting.

use super::reasons;
use crate::config::schema::{
    Check::{Any, AtLeast, Fraction, OneOf},
    ConfigKey,
    DefaultValue::{Differs, Is, Unset},
    Use::{NoEffect, Used},
    keys,
};

pub(super) const KEYS: &[ConfigKey] = keys! {
    "log.dirs": List = Differs { ours: Some("./thalweg-data"), kafka: None, why: reasons::WHY_DATA }, Any, High, ReadOnly, Used;
        "Directories for data, one per drive, between commas."
    "log.dir": List = Differs { ours: None, kafka: Some("/tmp/kafka-logs"), why: reasons::WHY_DATA }, Any, High, ReadOnly, Used;
        "A single data directory; used where `log.dirs` is not given."
    "cordoned.log.dirs": List = Is(""), Any, Medium, PerBroker, NoEffect(reasons::CORDON);
        "Log directories that take no new partitions."
    "log.dir.failure.timeout.ms": Long = Is("30000"), AtLeast(1), Low, ReadOnly, NoEffect(reasons::DIR_FAILURE);
        "How long Kafka goes on with failed directories that it cannot report."
    "log.segment.bytes": Int = Is("1073741824"), AtLeast(1_048_576), High, ClusterWide, Used;
        "Size at which a partition's segment file is closed and the next begun."
    "log.roll.ms": Long = Unset, Any, High, ClusterWide, Used;
        "Age at which a segment is closed even if it is not full."
    "log.roll.hours": Int = Is("168"), AtLeast(1), High, ReadOnly, Used;
        "The same in hours; used where `log.roll.ms` is not given."
    "log.roll.jitter.ms": Long = Unset, Any, High, ClusterWide, Used;
        "Up to so much is taken off that age, so that segments of many partitions do not close at once."
    "log.roll.jitter.hours": Int = Is("0"), AtLeast(0), High, ReadOnly, Used;
        "The same in hours; used where `log.roll.jitter.ms` is not given."
    "log.segment.delete.delay.ms": Long = Is("60000"), AtLeast(0), High, ClusterWide, Used;
        "Time between taking a segment out of the log and deleting its file."
    "log.retention.ms": Long = Unset, Any, High, ClusterWide, Used;
        "Age beyond which records may be deleted; -1 keeps them forever."
    "log.retention.minutes": Int = Unset, Any, High, ReadOnly, Used;
        "The same in minutes; used where `log.retention.ms` is not given."
    "log.retention.hours": Int = Is("168"), Any, High, ReadOnly, Used;
        "The same in hours; used where neither of the others is given."
    "log.retention.bytes": Long = Is("-1"), Any, High, ClusterWide, Used;
        "Size of a partition beyond which its oldest segments are deleted; -1 is no limit."
    "log.retention.check.interval.ms": Long = Is("300000"), AtLeast(1), Medium, ReadOnly, Used;
        "How often partitions are searched for what may be deleted."
    "log.cleanup.policy": List = Is("delete"), OneOf(&["compact", "delete"]), Medium, ClusterWide, Used;
        "`delete` drops old segments, `compact` keeps the last record of each key; both may be given."
    "log.cleaner.enable": Boolean = Is("true"), Any, Medium, ReadOnly, Used;
        "Whether compacted topics are compacted."
    "log.cleaner.threads": Int = Is("1"), AtLeast(0), Medium, ClusterWide, NoEffect(reasons::CLEANER);
        "Threads of the log cleaner."
    "log.cleaner.backoff.ms": Long = Is("15000"), AtLeast(0), Medium, ClusterWide, Used;
        "Pause of each core between two looks for what needs compaction."
    "log.cleaner.dedupe.buffer.size": Long = Is("134217728"), Any, Medium, ClusterWide, Used;
        "Memory for maps of keys, over all cores; a partition with more keys than a core's share holds takes several passes."
    "log.cleaner.io.buffer.size": Int = Is("524288"), AtLeast(0), Medium, ClusterWide, Used;
        "Memory in which compacted records are gathered before they are written, over all cores."
    "log.cleaner.io.buffer.load.factor": Double = Is("0.9"), Any, Medium, ClusterWide, Used;
        "How full a map of keys may become."
    "log.cleaner.io.max.bytes.per.second": Double = Is("1.7976931348623157E308"), Any, Medium, ClusterWide, Used;
        "Most bytes per second that compaction reads and writes, over all cores."
    "log.cleaner.delete.retention.ms": Long = Is("86400000"), AtLeast(0), Medium, ClusterWide, Used;
        "How long tombstones of compacted topics stay readable."
    "log.cleaner.min.cleanable.ratio": Double = Is("0.5"), Fraction(0.0, 1.0), Medium, ClusterWide, Used;
        "Share of a compacted log that must be dirty before it is compacted."
    "log.cleaner.min.compaction.lag.ms": Long = Is("0"), AtLeast(0), Medium, ClusterWide, Used;
        "Age below which a record is not compacted away."
    "log.cleaner.max.compaction.lag.ms": Long = Is("9223372036854775807"), AtLeast(1), Medium, ClusterWide, Used;
        "Age at which a record becomes due for compaction whatever the ratio."
    "log.index.interval.bytes": Int = Is("4096"), AtLeast(0), Medium, ClusterWide, Used;
        "Bytes of log between two entries of the offset index."
    "log.index.size.max.bytes": Int = Is("10485760"), AtLeast(4), Medium, ClusterWide, Used;
        "Size of an index at which its segment is closed."
    "log.preallocate": Boolean = Is("false"), Any, Medium, ClusterWide, NoEffect(reasons::PREALLOCATE);
        "Whether segment files get their full size at once."
    "log.flush.interval.messages": Long = Differs { ours: Some("1"), kafka: Some("9223372036854775807"), why: reasons::WHY_DURABLE }, AtLeast(1), High, ClusterWide, NoEffect(reasons::FLUSH);
        "Records after which a partition is flushed. With 1, an answer means that the device has it; more lets a majority in memory answer."
    "log.flush.interval.ms": Long = Unset, Any, High, ClusterWide, NoEffect(reasons::FLUSH);
        "Longest time that a record which was answered from memory may stay unflushed."
    "log.flush.scheduler.interval.ms": Long = Is("9223372036854775807"), Any, High, ReadOnly, NoEffect(reasons::FLUSH);
        "Used for `log.flush.interval.ms` where that is not given."
    "log.flush.offset.checkpoint.interval.ms": Int = Is("60000"), AtLeast(0), High, ReadOnly, NoEffect(reasons::CHECKPOINT);
        "How often Kafka writes its recovery points."
    "log.flush.start.offset.checkpoint.interval.ms": Int = Is("60000"), AtLeast(0), High, ReadOnly, NoEffect(reasons::CHECKPOINT);
        "How often Kafka writes its log start offsets."
    "log.message.timestamp.type": String = Is("CreateTime"), OneOf(&["CreateTime", "LogAppendTime"]), Medium, ClusterWide, Used;
        "Whether records keep the time that the producer gave, or get that of their append."
    "log.message.timestamp.before.max.ms": Long = Is("9223372036854775807"), AtLeast(0), Medium, ClusterWide, Used;
        "How far a record's timestamp may lie in the past."
    "log.message.timestamp.after.max.ms": Long = Is("3600000"), AtLeast(0), Medium, ClusterWide, Used;
        "How far a record's timestamp may lie in the future."
    "num.recovery.threads.per.data.dir": Int = Is("2"), AtLeast(1), High, ClusterWide, NoEffect(reasons::RECOVERY);
        "Threads per directory that recover logs at start and flush them at stop."
};
