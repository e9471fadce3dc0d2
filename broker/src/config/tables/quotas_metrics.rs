//! Quotas, metrics and telemetry.

use super::reasons;
use crate::config::schema::{
    Check::{Any, AtLeast},
    ConfigKey,
    DefaultValue::{Is, Unset},
    Use::{NoEffect, Used},
    keys,
};

pub(super) const KEYS: &[ConfigKey] = keys! {
    "quota.window.num": Int = Is("11"), AtLeast(1), Low, ReadOnly, NoEffect(reasons::QUOTA);
        "Samples kept for client quotas."
    "quota.window.size.seconds": Int = Is("1"), AtLeast(1), Low, ReadOnly, NoEffect(reasons::QUOTA);
        "Length of each of those samples."
    "client.quota.callback.class": Class = Unset, Any, Low, ReadOnly, NoEffect(reasons::QUOTA);
        "Class that computes client quotas."
    "metric.reporters": List = Is("org.apache.kafka.common.metrics.JmxReporter"), Any, Low, ClusterWide, NoEffect(reasons::METRICS);
        "Classes that metrics are reported to."
    "metrics.num.samples": Int = Is("2"), AtLeast(1), Low, ReadOnly, NoEffect(reasons::METRICS);
        "Samples kept for each metric."
    "metrics.recording.level": String = Is("INFO"), Any, Low, ReadOnly, NoEffect(reasons::METRICS);
        "How much is measured."
    "metrics.sample.window.ms": Long = Is("30000"), AtLeast(1), Low, ReadOnly, NoEffect(reasons::METRICS);
        "Length of each sample."
    "kafka.metrics.polling.interval.secs": Int = Is("10"), AtLeast(1), Low, ReadOnly, NoEffect(reasons::METRICS);
        "How often Kafka's own metrics reporters are polled."
    "kafka.metrics.reporters": List = Is(""), Any, Low, ReadOnly, NoEffect(reasons::METRICS);
        "Classes of Kafka's older metrics reporters."
    "telemetry.max.bytes": Int = Is("1048576"), AtLeast(1), Low, ReadOnly, Used;
        "Most bytes of client telemetry that are accepted at once (KIP-714)."
};
