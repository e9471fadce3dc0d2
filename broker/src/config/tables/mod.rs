//! The tables, by area; and finding a row in them.

mod cluster;
mod group;
mod groups;
mod groups_modern;
mod internal;
mod log;
mod network;
mod quotas_metrics;
mod reasons;
mod replication;
mod retired;
mod sasl;
mod share;
mod synonyms;
mod thalweg;
mod tiered;
mod tls;
mod topic;
mod topic_internal;
mod topics;
mod transactions;

use std::collections::HashMap;
use std::sync::LazyLock;

use super::schema::ConfigKey;
pub use group::{GROUP_KEYS, GroupSynonyms, group_key, group_synonyms};
pub(super) use retired::{FOREIGN, usage_of_foreign};
pub use synonyms::{Synonym, TOPIC_SYNONYMS, broker_synonyms, topic_synonyms};

/// The keys of one area of the reference page.
#[derive(Debug)]
pub struct Area {
    /// Its heading.
    pub title: &'static str,
    /// Its rows.
    pub keys: &'static [ConfigKey],
}

/// Everything a `server.properties` may carry.
pub const BROKER_AREAS: &[Area] = &[
    Area { title: "Thalweg's own", keys: thalweg::KEYS },
    Area { title: "Node and cluster", keys: cluster::KEYS },
    Area { title: "Listeners, connections, requests", keys: network::KEYS },
    Area { title: "Topics", keys: topics::KEYS },
    Area { title: "Log", keys: log::KEYS },
    Area { title: "Replication", keys: replication::KEYS },
    Area { title: "Classic consumer groups", keys: groups::KEYS },
    Area { title: "Consumer and streams groups", keys: groups_modern::KEYS },
    Area { title: "Share groups", keys: share::KEYS },
    Area { title: "Producers and transactions", keys: transactions::KEYS },
    Area { title: "Quotas, metrics, telemetry", keys: quotas_metrics::KEYS },
    Area { title: "Tiered storage", keys: tiered::KEYS },
    Area { title: "SASL and delegation tokens", keys: sasl::KEYS },
    Area { title: "TLS", keys: tls::KEYS },
    Area { title: "Internal", keys: internal::KEYS },
];

/// Everything a group may carry.
pub const GROUP_AREAS: &[Area] = &[Area { title: "Group settings", keys: GROUP_KEYS }];

/// Everything a topic may carry.
pub const TOPIC_AREAS: &[Area] = &[
    Area { title: "Topic settings", keys: topic::KEYS },
    Area { title: "Internal topic settings", keys: topic_internal::KEYS },
];

type Index = HashMap<&'static str, &'static ConfigKey>;

static BROKER_INDEX: LazyLock<Index> = LazyLock::new(|| broker_keys().map(|key| (key.name, key)).collect());
static TOPIC_INDEX: LazyLock<Index> = LazyLock::new(|| topic_keys().map(|key| (key.name, key)).collect());

/// All broker rows.
pub fn broker_keys() -> impl Iterator<Item = &'static ConfigKey> {
    BROKER_AREAS.iter().flat_map(|area| area.keys)
}

/// All topic rows.
pub fn topic_keys() -> impl Iterator<Item = &'static ConfigKey> {
    TOPIC_AREAS.iter().flat_map(|area| area.keys)
}

/// The row of a broker key.
pub fn broker_key(name: &str) -> Option<&'static ConfigKey> {
    BROKER_INDEX.get(name).copied()
}

/// The row of a topic key.
pub fn topic_key(name: &str) -> Option<&'static ConfigKey> {
    TOPIC_INDEX.get(name).copied()
}
