//! Which broker keys a topic setting's default comes from, first the one that counts most
//! (Kafka's `ServerTopicConfigSynonyms`), and the broker keys that stand in for each other.

const MINUTE_MS: i64 = 60 * 1000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// A broker key and how many of the topic setting's units one of its units is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Synonym {
    /// The broker key.
    pub name: &'static str,
    /// 1 where the units are the same.
    pub factor: i64,
    /// Kafka reads every negative retention as -1, "no limit".
    pub negative_is_unlimited: bool,
}

const fn same(name: &'static str) -> Synonym {
    Synonym { name, factor: 1, negative_is_unlimited: false }
}

const fn minutes(name: &'static str) -> Synonym {
    Synonym { name, factor: MINUTE_MS, negative_is_unlimited: false }
}

const fn hours(name: &'static str) -> Synonym {
    Synonym { name, factor: HOUR_MS, negative_is_unlimited: false }
}

const fn retention(of: Synonym) -> Synonym {
    Synonym { negative_is_unlimited: true, ..of }
}

const RETENTION: &[Synonym] = &[
    retention(same("log.retention.ms")),
    retention(minutes("log.retention.minutes")),
    retention(hours("log.retention.hours")),
];

/// Topic setting, and where its default comes from.
pub const TOPIC_SYNONYMS: &[(&str, &[Synonym])] = &[
    ("cleanup.policy", &[same("log.cleanup.policy")]),
    ("compression.gzip.level", &[same("compression.gzip.level")]),
    ("compression.lz4.level", &[same("compression.lz4.level")]),
    ("compression.type", &[same("compression.type")]),
    ("compression.zstd.level", &[same("compression.zstd.level")]),
    ("delete.retention.ms", &[same("log.cleaner.delete.retention.ms")]),
    ("file.delete.delay.ms", &[same("log.segment.delete.delay.ms")]),
    ("flush.messages", &[same("log.flush.interval.messages")]),
    ("flush.ms", &[same("log.flush.interval.ms"), same("log.flush.scheduler.interval.ms")]),
    ("index.interval.bytes", &[same("log.index.interval.bytes")]),
    ("local.retention.bytes", &[same("log.local.retention.bytes")]),
    ("local.retention.ms", &[same("log.local.retention.ms")]),
    ("max.compaction.lag.ms", &[same("log.cleaner.max.compaction.lag.ms")]),
    ("max.message.bytes", &[same("message.max.bytes")]),
    ("message.timestamp.after.max.ms", &[same("log.message.timestamp.after.max.ms")]),
    ("message.timestamp.before.max.ms", &[same("log.message.timestamp.before.max.ms")]),
    ("message.timestamp.type", &[same("log.message.timestamp.type")]),
    ("min.cleanable.dirty.ratio", &[same("log.cleaner.min.cleanable.ratio")]),
    ("min.compaction.lag.ms", &[same("log.cleaner.min.compaction.lag.ms")]),
    ("min.insync.replicas", &[same("min.insync.replicas")]),
    ("preallocate", &[same("log.preallocate")]),
    ("retention.bytes", &[same("log.retention.bytes")]),
    ("retention.ms", RETENTION),
    ("segment.bytes", &[same("log.segment.bytes")]),
    ("segment.index.bytes", &[same("log.index.size.max.bytes")]),
    ("segment.jitter.ms", &[same("log.roll.jitter.ms"), hours("log.roll.jitter.hours")]),
    ("segment.ms", &[same("log.roll.ms"), hours("log.roll.hours")]),
    ("unclean.leader.election.enable", &[same("unclean.leader.election.enable")]),
];

/// Where a topic setting's default comes from; empty if only from its own row.
pub fn topic_synonyms(name: &str) -> &'static [Synonym] {
    TOPIC_SYNONYMS.iter().find(|(topic, _)| *topic == name).map_or(&[], |(_, synonyms)| synonyms)
}

/// The broker keys that a description of the broker key `name` lists after it
/// (`DynamicBrokerConfig.brokerConfigSynonyms`, less those that stand before it).
pub fn broker_synonyms(name: &str) -> impl Iterator<Item = &'static str> {
    let chain = TOPIC_SYNONYMS.iter().map(|(_, chain)| *chain).find(|chain| chain.iter().any(|it| it.name == name));
    chain.unwrap_or_default().iter().map(|synonym| synonym.name).skip_while(move |it| *it != name).skip(1)
}
