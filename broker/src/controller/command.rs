//! What the controller's log says: one command per record, as JSON, so that any tool that reads a Kafka log can show it.
//!
//! The format is documented in `docs/formats/controller-log.md`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A change to the cluster's metadata. What it does is decided when it is applied, in log order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// A broker came up (again) and says where it listens.
    RegisterBroker {
        node_id: i32,
        endpoints: Vec<Endpoint>,
        rack: Option<String>,
        /// Where other nodes reach it; nowhere if it does not listen for them.
        #[serde(default)]
        rpc: Option<String>,
        /// Of its first data directory: another one has another node's memory, or none.
        #[serde(default)]
        directory_id: Uuid,
    },
    /// `assignments` lists the replicas of each partition, by partition index.
    CreateTopic {
        name: String,
        id: Uuid,
        internal: bool,
        assignments: Vec<Vec<i32>>,
        configs: BTreeMap<String, String>,
    },
    DeleteTopic {
        id: Uuid,
    },
    /// New partitions behind the existing ones.
    AddPartitions {
        id: Uuid,
        existing: usize,
        assignments: Vec<Vec<i32>>,
    },
    SetTopicConfigs {
        id: Uuid,
        set: BTreeMap<String, String>,
        unset: Vec<String>,
    },
    /// `node_id` is absent for the default of all brokers.
    SetBrokerConfigs {
        node_id: Option<i32>,
        set: BTreeMap<String, String>,
        unset: Vec<String>,
    },
    /// Levels of features that everybody goes by from now on; 0 disables one.
    SetFeatures {
        levels: BTreeMap<String, i16>,
    },
    SetGroupConfigs {
        group: String,
        set: BTreeMap<String, String>,
        unset: Vec<String>,
    },
    /// A subscription to clients' metrics; one of which nothing is set is gone.
    SetClientMetrics {
        name: String,
        set: BTreeMap<String, String>,
        unset: Vec<String>,
    },
    /// Hands out the next block of producer ids.
    AllocateProducerIds {
        node_id: i32,
        count: i64,
    },
}

/// One advertised listener.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Endpoint {
    pub name: String,
    pub host: String,
    pub port: u16,
}

/// What applying a command gave.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Outcome {
    Done,
    /// The first producer id of the block.
    ProducerIds(i64),
}

/// Why a command changed nothing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
pub enum Rejection {
    #[error("Topic '{0}' already exists.")]
    TopicExists(String),
    #[error("This server does not host this topic-partition.")]
    UnknownTopic,
    #[error("Topic currently has {0} partitions, which changed while the request was under way.")]
    PartitionsChanged(usize),
}
