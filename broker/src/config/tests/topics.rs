//! What a topic's settings come to.

use super::{config, layers, overrides};
use crate::config::{CompressionType, Overrides, TopicConfig};

#[test]
fn defaults_are_kafkas_except_for_the_flush() {
    let topic = config("").topic_config_default();
    assert_eq!(topic.compression_type, CompressionType::Producer);
    assert_eq!(topic.compression_level, None);
    assert!(!topic.timestamp_of_append && topic.deleted && !topic.compacted);
    assert_eq!((topic.timestamp_before_max_ms, topic.timestamp_after_max_ms), (i64::MAX, 3_600_000));
    assert_eq!((topic.retention_ms, topic.retention_bytes), (604_800_000, -1));
    assert_eq!((topic.segment_bytes, topic.segment_ms, topic.segment_jitter_ms), (1 << 30, 604_800_000, 0));
    assert_eq!((topic.max_message_bytes, topic.min_insync_replicas), (1_048_588, 1));
    assert_eq!((topic.index_interval_bytes, topic.segment_index_bytes), (4096, 10 << 20));
    assert_eq!((topic.file_delete_delay_ms, topic.delete_retention_ms), (60_000, 86_400_000));
    assert_eq!((topic.flush_messages, topic.flush_ms), (1, i64::MAX));
}

/// Broker settings (fixed, dynamic default, dynamic), the topic's own, and the retention.ms that they come to.
const RETENTION: &[(&str, &str, &str, &str, i64)] = &[
    ("log.retention.hours=2", "", "", "", 7_200_000),
    ("log.retention.hours=2 log.retention.minutes=3", "", "", "", 180_000),
    ("log.retention.hours=2 log.retention.minutes=3 log.retention.ms=4", "", "", "", 4),
    ("log.retention.hours=-1", "", "", "", -1),
    ("log.retention.ms=-5", "", "", "", -1),
    ("log.retention.hours=2147483647", "", "", "", 7_730_941_129_200_000),
    ("log.retention.ms=4", "log.retention.ms=5", "", "", 5),
    ("log.retention.ms=4", "log.retention.ms=5", "log.retention.ms=6", "", 6),
    ("log.retention.hours=2", "log.retention.ms=5", "", "", 5),
    ("log.retention.ms=4", "log.retention.ms=5", "log.retention.ms=6", "retention.ms=7", 7),
    ("log.retention.ms=4", "", "", "retention.ms=-1", -1),
];

#[test]
fn the_nearest_setting_counts() {
    for (fixed, default, broker, own, expected) in RETENTION {
        let topic = TopicConfig::resolve(&overrides(own), &layers(fixed, default, broker)).unwrap();
        assert_eq!(topic.retention_ms, *expected, "{fixed} | {default} | {broker} | {own}");
    }
}

#[test]
fn flush_ms_falls_back_to_the_scheduler_interval() {
    let flush = |fixed: &str| TopicConfig::resolve(&Overrides::new(), &layers(fixed, "", "")).unwrap().flush_ms;
    assert_eq!(flush("log.flush.scheduler.interval.ms=7"), 7);
    assert_eq!(flush("log.flush.scheduler.interval.ms=7 log.flush.interval.ms=8"), 8);
}

#[test]
fn levels_belong_to_the_codec_in_use() {
    let level = |own: &str| TopicConfig::resolve(&overrides(own), &layers("", "", "")).unwrap().compression_level;
    assert_eq!(level("compression.type=zstd"), Some(3));
    assert_eq!(level("compression.type=zstd compression.zstd.level=-7"), Some(-7));
    assert_eq!(level("compression.type=lz4 compression.lz4.level=12"), Some(12));
    assert_eq!(level("compression.type=gzip"), Some(-1));
    assert_eq!(level("compression.type=snappy"), None);
    assert_eq!(level("compression.lz4.level=12"), None);
}

#[test]
fn tiny_segments_are_possible_through_kafkas_internal_setting() {
    let topic = config("").topic_config(&overrides("internal.segment.bytes=1024 segment.bytes=2097152"));
    assert_eq!(topic.segment_bytes, 1024);
}

#[test]
fn a_stored_override_that_is_not_valid_counts_as_not_set() {
    let topic = config("").topic_config(&overrides("segment.bytes=5 some.later.setting=1 retention.ms=8"));
    assert_eq!((topic.segment_bytes, topic.retention_ms), (1 << 30, 8));
    let error = TopicConfig::resolve(&overrides("segment.bytes=5"), &layers("", "", "")).unwrap_err().to_string();
    assert_eq!(error, "Invalid value 5 for configuration segment.bytes: Value must be at least 1048576");
}

#[test]
fn the_offsets_topic_is_compacted() {
    let config = config("offsets.topic.segment.bytes=2097152");
    let topic = config.topic_config(&config.offsets_topic_configs());
    assert!(topic.compacted && !topic.deleted);
    assert_eq!(topic.segment_bytes, 2_097_152);
}

#[test]
fn dynamic_broker_settings_make_a_new_config() {
    let config = config("message.max.bytes=1000");
    let dynamic = |text: &str| std::sync::Arc::new(overrides(text));
    let after = config.with_dynamic(dynamic("max.connections=5"), dynamic("message.max.bytes=2000")).unwrap();
    assert_eq!((after.max_connections, after.topic_defaults.max_message_bytes), (5, 2000));
    assert_eq!(after.with_dynamic(dynamic(""), dynamic("")).unwrap(), config);
}
