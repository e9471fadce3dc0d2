//! The immutable image of the cluster that every core holds: topics, partitions, brokers, their configuration.
//!
//! The controller makes a new one from each command; cores replace the one they have. Big maps are persistent, so a new
//! image shares all that did not change with the old one.

mod apply;
pub mod features;
mod leadership;

use std::collections::BTreeMap;
use std::sync::Arc;

use imbl::{HashMap, OrdMap};
use thalweg_protocol::PartitionIndex;
use thalweg_storage::types::GroupId;
use uuid::Uuid;

use crate::config::client_metrics::Subscriptions;
use crate::controller::Endpoint;

pub use leadership::{Leader, Leadership};

/// What the cluster is, as of one point of the controller's log.
#[derive(Clone, Default)]
pub struct ClusterImage {
    /// Counts the commands applied: a larger version is newer.
    pub version: u64,
    /// By name, in order.
    pub topics: OrdMap<Arc<str>, Arc<Topic>>,
    pub names: HashMap<Uuid, Arc<str>>,
    pub brokers: OrdMap<i32, Arc<Broker>>,
    /// Dynamic broker configuration; the key is absent for the default of all brokers.
    pub broker_configs: OrdMap<Option<i32>, Arc<BTreeMap<String, String>>>,
    /// Levels of features that were set; others are as in a new cluster.
    features: BTreeMap<String, i16>,
    /// Subscriptions to clients' metrics, by name.
    pub client_metrics: Subscriptions,
    /// What was set for groups (KIP-848), by group id.
    pub group_configs: OrdMap<Arc<str>, Arc<BTreeMap<String, String>>>,
    /// The topic and the index of each partition's group.
    pub groups: HashMap<GroupId, (Arc<str>, PartitionIndex)>,
    /// The version at which a topic last came, grew or went.
    pub topics_version: u64,
    next_group: u64,
    next_producer_id: i64,
}

/// A topic; replaced as a whole when anything of it changes.
#[derive(Clone, PartialEq, Debug)]
pub struct Topic {
    pub id: Uuid,
    pub name: Arc<str>,
    pub internal: bool,
    pub partitions: Vec<PartitionInfo>,
    /// What was set for this topic; all else follows the broker's defaults.
    pub configs: BTreeMap<String, String>,
}

/// Where a partition is.
#[derive(Clone, Debug)]
pub struct PartitionInfo {
    pub group: GroupId,
    pub replicas: Vec<i32>,
    /// The data directory that each replica was given to: one that came later has forgotten what the first promised.
    pub homes: Vec<Uuid>,
    pub leadership: Arc<Leadership>,
}

impl PartitionInfo {
    /// Whether the node, with this directory, may open its replica as one that remembers all that it promised.
    pub fn is_home(&self, node: i32, directory: Uuid) -> bool {
        let mut seats = self.replicas.iter().zip(&self.homes);
        seats.any(|(replica, home)| *replica == node && *home == directory)
    }
}

impl PartialEq for PartitionInfo {
    /// Who leads is not part of what the controller decided.
    fn eq(&self, other: &Self) -> bool {
        self.group == other.group && self.replicas == other.replicas && self.homes == other.homes
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broker {
    pub node_id: i32,
    pub endpoints: Vec<Endpoint>,
    pub rack: Option<String>,
    /// Where other nodes reach it.
    pub rpc: Option<String>,
    pub directory_id: Uuid,
}

impl ClusterImage {
    pub fn topic(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics.get(name)
    }

    pub fn topic_by_id(&self, id: Uuid) -> Option<&Arc<Topic>> {
        self.topics.get(self.names.get(&id)?)
    }

    /// The level of a feature that everybody goes by; 0 for one that is disabled or unknown.
    pub fn feature(&self, name: &str) -> i16 {
        let set = self.features.get(name).copied();
        set.or_else(|| features::find(name).map(|feature| feature.initial)).unwrap_or(0)
    }

    /// The partition of a group.
    pub fn partition_of_group(&self, group: GroupId) -> Option<&PartitionInfo> {
        let (topic, index) = self.groups.get(&group)?;
        self.topics.get(topic)?.partition(*index)
    }

    pub fn partition_count(&self) -> usize {
        self.topics.values().map(|topic| topic.partitions.len()).sum()
    }
}

impl Topic {
    pub fn partition(&self, index: PartitionIndex) -> Option<&PartitionInfo> {
        self.partitions.get(usize::try_from(index.0).ok()?)
    }
}
