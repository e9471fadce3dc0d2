//! Keys that are not Kafka 4's but that its users' files carry: those of older versions, and those that Kafka hands
//! on to plug-ins. Kafka itself only logs a line about them; so do we, except where ignoring one would be a surprise.

use crate::config::schema::Use::{self, NoEffect, Refused};

const GONE: &str = "Kafka 4 does not have it any more";
const ZOOKEEPER: &str = "there is no ZooKeeper";
const PLUGIN: &str = "it is a plug-in's setting, and Java classes cannot be loaded";
const LISTENERS: &str = "Kafka 3 and later do not have it: name the address in listeners or advertised.listeners";
const NO_AUTHORIZER: &str = "there is no authorizer in this version";
const DOWNCONVERSION: &str = "messages of format 0 and 1 are neither stored nor served, as in Kafka 4";

/// Key, and what it does. A name that ends in `.` stands for every key that begins with it.
pub(in crate::config) const FOREIGN: &[(&str, Use)] = &[
    ("zookeeper.", NoEffect(ZOOKEEPER)),
    ("rsm.config.", NoEffect(PLUGIN)),
    ("rlmm.config.", NoEffect(PLUGIN)),
    ("config.providers.", NoEffect(PLUGIN)),
    ("confluent.", NoEffect("it is Confluent Server's, not Kafka's")),
    ("log4j.", NoEffect("the log is set up by the variable THALWEG_LOG")),
    ("super.users", NoEffect(NO_AUTHORIZER)),
    ("allow.everyone.if.no.acl.found", NoEffect(NO_AUTHORIZER)),
    ("advertised.host.name", Refused(LISTENERS)),
    ("advertised.port", Refused(LISTENERS)),
    ("host.name", Refused(LISTENERS)),
    ("port", Refused(LISTENERS)),
    ("auto.include.jmx.reporter", NoEffect(GONE)),
    ("broker.id.generation.enable", NoEffect(GONE)),
    ("control.plane.listener.name", NoEffect(GONE)),
    ("controlled.shutdown.max.retries", NoEffect(GONE)),
    ("controlled.shutdown.retry.backoff.ms", NoEffect(GONE)),
    ("delegation.token.master.key", NoEffect(GONE)),
    ("eligible.leader.replicas.enable", NoEffect("it is a feature in Kafka 4, not a setting")),
    ("group.coordinator.new.enable", NoEffect(GONE)),
    ("inter.broker.protocol.version", NoEffect(GONE)),
    ("leader.imbalance.per.broker.percentage", NoEffect(GONE)),
    ("log.message.downconversion.enable", NoEffect(DOWNCONVERSION)),
    ("log.message.format.version", NoEffect(GONE)),
    ("log.message.timestamp.difference.max.ms", NoEffect(GONE)),
    ("offsets.commit.required.acks", NoEffect(GONE)),
    ("password.encoder.", NoEffect(GONE)),
    ("quota.consumer.default", NoEffect(GONE)),
    ("quota.producer.default", NoEffect(GONE)),
    ("reserved.broker.max.id", NoEffect(GONE)),
    ("sasl.oauthbearer.header.urlencode", NoEffect("there is no SASL in this version")),
    ("unstable.metadata.versions.enable", NoEffect(GONE)),
];

/// What a key outside the tables does, if it is known at all.
pub(in crate::config) fn usage_of_foreign(key: &str) -> Option<Use> {
    let known = |name: &str| {
        if name.ends_with('.') { key.starts_with(name) } else { key == name }
    };
    FOREIGN.iter().find(|(name, _)| known(name)).map(|&(_, usage)| usage)
}
