//! Where nodes listen for each other: shared by all cores, changed seldom.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use thalweg_protocol::NodeId;

/// The rpc addresses of the cluster's nodes.
#[derive(Default)]
pub struct Directory {
    /// As the cluster has it.
    addresses: RwLock<BTreeMap<NodeId, String>>,
    /// As nodes have said it themselves: for those that are about to join.
    told: RwLock<BTreeMap<NodeId, String>>,
}

/// Nodes that are not in the cluster, whose addresses are kept.
const TOLD_MAX: usize = 1000;

impl Directory {
    pub fn get(&self, node: NodeId) -> Option<String> {
        let known = read(&self.addresses, node);
        known.or_else(|| read(&self.told, node))
    }

    /// A node says where it listens.
    pub fn tell(&self, node: NodeId, address: &str) {
        let mut told = self.told.write().unwrap_or_else(PoisonError::into_inner);
        if told.len() < TOLD_MAX || told.contains_key(&node) {
            told.insert(node, address.to_owned());
        }
    }

    pub fn nodes(&self) -> Vec<NodeId> {
        self.addresses.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    /// Replaces all addresses.
    pub fn set(&self, addresses: BTreeMap<NodeId, String>) {
        *self.addresses.write().unwrap_or_else(PoisonError::into_inner) = addresses;
    }
}

fn read(of: &RwLock<BTreeMap<NodeId, String>>, node: NodeId) -> Option<String> {
    of.read().unwrap_or_else(PoisonError::into_inner).get(&node).cloned()
}
