//! Consumer groups of KIP-848 and streams groups of KIP-1071.

use super::reasons;
use crate::config::schema::{
    Check::{Any, AtLeast, OneOfAnyCase},
    ConfigKey,
    DefaultValue::Is,
    Use::{NoEffect, Used},
    keys,
};

pub(super) const KEYS: &[ConfigKey] = keys! {
    "group.consumer.assignment.interval.ms": Int = Is("1000"), AtLeast(0), Medium, ClusterWide, Used;
        "Least time between two target assignments of a consumer group."
    "group.consumer.assignors": List = Is("uniform,range"), Any, Medium, ReadOnly, Used;
        "Assignors that a consumer group may use, the first being the default."
    "group.consumer.heartbeat.interval.ms": Int = Is("5000"), AtLeast(1), Medium, ReadOnly, Used;
        "Time between heartbeats that members are told to keep."
    "group.consumer.max.assignment.interval.ms": Int = Is("15000"), AtLeast(0), Medium, ReadOnly, Used;
        "Largest group setting `consumer.assignment.interval.ms`."
    "group.consumer.max.heartbeat.interval.ms": Int = Is("15000"), AtLeast(1), Medium, ReadOnly, Used;
        "Largest group setting `consumer.heartbeat.interval.ms`."
    "group.consumer.max.session.timeout.ms": Int = Is("60000"), AtLeast(1), Medium, ReadOnly, Used;
        "Largest group setting `consumer.session.timeout.ms`."
    "group.consumer.max.size": Int = Is("2147483647"), AtLeast(1), Medium, ReadOnly, Used;
        "Most members of one consumer group."
    "group.consumer.migration.policy": String = Is("bidirectional"), OneOfAnyCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"]), Medium, ReadOnly, Used;
        "Which way groups may change between the classic and the consumer protocol."
    "group.consumer.min.assignment.interval.ms": Int = Is("0"), AtLeast(0), Medium, ReadOnly, Used;
        "Smallest group setting `consumer.assignment.interval.ms`."
    "group.consumer.min.heartbeat.interval.ms": Int = Is("5000"), AtLeast(1), Medium, ReadOnly, Used;
        "Smallest group setting `consumer.heartbeat.interval.ms`."
    "group.consumer.min.session.timeout.ms": Int = Is("45000"), AtLeast(1), Medium, ReadOnly, Used;
        "Smallest group setting `consumer.session.timeout.ms`."
    "group.consumer.session.timeout.ms": Int = Is("45000"), AtLeast(1), Medium, ReadOnly, Used;
        "Silence after which a member is taken out of its group."
    "group.streams.assignment.interval.ms": Int = Is("1000"), AtLeast(0), Medium, ClusterWide, NoEffect(reasons::STREAMS);
        "Least time between two target assignments of a streams group."
    "group.streams.heartbeat.interval.ms": Int = Is("5000"), AtLeast(1), Medium, ReadOnly, NoEffect(reasons::STREAMS);
        "Time between heartbeats that members are told to keep."
    "group.streams.initial.rebalance.delay.ms": Int = Is("3000"), AtLeast(0), Medium, ReadOnly, NoEffect(reasons::STREAMS);
        "How long a new streams group waits for more members."
    "group.streams.max.assignment.interval.ms": Int = Is("15000"), AtLeast(0), Medium, ReadOnly, NoEffect(reasons::STREAMS);
        "Largest group setting `streams.assignment.interval.ms`."
    "group.streams.max.heartbeat.interval.ms": Int = Is("15000"), AtLeast(1), Medium, ReadOnly, NoEffect(reasons::STREAMS);
        "Largest group setting `streams.heartbeat.interval.ms`."
    "group.streams.max.session.timeout.ms": Int = Is("60000"), AtLeast(1), Medium, ReadOnly, NoEffect(reasons::STREAMS);
        "Largest group setting `streams.session.timeout.ms`."
    "group.streams.max.size": Int = Is("2147483647"), AtLeast(1), Medium, ReadOnly, NoEffect(reasons::STREAMS);
        "Most members of one streams group."
    "group.streams.max.standby.replicas": Int = Is("2"), AtLeast(0), Medium, ReadOnly, NoEffect(reasons::STREAMS);
        "Largest group setting `streams.num.standby.replicas`."
    "group.streams.min.assignment.interval.ms": Int = Is("0"), AtLeast(0), Medium, ReadOnly, NoEffect(reasons::STREAMS);
        "Smallest group setting `streams.assignment.interval.ms`."
    "group.streams.min.heartbeat.interval.ms": Int = Is("5000"), AtLeast(1), Medium, ReadOnly, NoEffect(reasons::STREAMS);
        "Smallest group setting `streams.heartbeat.interval.ms`."
    "group.streams.min.session.timeout.ms": Int = Is("45000"), AtLeast(1), Medium, ReadOnly, NoEffect(reasons::STREAMS);
        "Smallest group setting `streams.session.timeout.ms`."
    "group.streams.num.standby.replicas": Int = Is("0"), AtLeast(0), Medium, ReadOnly, NoEffect(reasons::STREAMS);
        "Standby tasks per task."
    "group.streams.session.timeout.ms": Int = Is("45000"), AtLeast(1), Medium, ReadOnly, NoEffect(reasons::STREAMS);
        "Silence after which a member is taken out of its group."
};
