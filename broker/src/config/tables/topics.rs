//! Creating and deleting topics.

use crate::config::schema::{
    Check::{Any, AtLeast, Between, BetweenOr, OneOf},
    ConfigKey,
    DefaultValue::Is,
    Use::Used,
    keys,
};

pub(super) const KEYS: &[ConfigKey] = keys! {
    "auto.create.topics.enable": Boolean = Is("true"), Any, High, ReadOnly, Used;
        "Whether a topic comes into being when a client asks for its metadata or produces to it."
    "num.partitions": Int = Is("1"), AtLeast(1), Medium, ReadOnly, Used;
        "Partitions of a topic that is created without a count."
    "default.replication.factor": Int = Is("1"), Any, Medium, ReadOnly, Used;
        "Replicas of a topic that is created without a count."
    "delete.topic.enable": Boolean = Is("true"), Any, High, ReadOnly, Used;
        "Whether topics can be deleted."
    "min.insync.replicas": Int = Is("1"), AtLeast(1), High, ClusterWide, Used;
        "Replicas that must hold a batch on their device before acks=all is answered. Default of the topic setting of the same name."
    "compression.type": String = Is("producer"), OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]), High, ClusterWide, Used;
        "Codec of stored batches; `producer` keeps the one that they came with. Default of the topic setting of the same name."
    "compression.gzip.level": Int = Is("-1"), BetweenOr(1, 9, -1), Medium, ClusterWide, Used;
        "Effort of gzip where batches are compressed here; -1 is gzip's own default."
    "compression.lz4.level": Int = Is("9"), Between(1, 17), Medium, ClusterWide, Used;
        "Effort of LZ4 where batches are compressed here. The default is LZ4's fast mode, all others its high-compression mode."
    "compression.zstd.level": Int = Is("3"), Between(-131_072, 22), Medium, ClusterWide, Used;
        "Effort of Zstandard where batches are compressed here."
    "message.max.bytes": Int = Is("1048588"), AtLeast(0), High, ClusterWide, Used;
        "Largest record batch accepted, after compression. Default of the topic setting `max.message.bytes`."
    "fetch.max.bytes": Int = Is("57671680"), AtLeast(1_024), Medium, ReadOnly, Used;
        "Most bytes that one Fetch answers with, whatever the consumer asks for."
    "max.incremental.fetch.session.cache.slots": Int = Is("1000"), AtLeast(0), Medium, ReadOnly, Used;
        "Fetch sessions (KIP-227) that are kept; 0 turns sessions off."
};
