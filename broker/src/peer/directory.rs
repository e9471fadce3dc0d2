//! Where nodes listen for each other: shared by all cores, changed seldom.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use thalweg_protocol::NodeId;

/// The rpc addresses of the cluster's nodes.
#[derive(Default)]
pub struct Directory {
    addresses: RwLock<Addresses>,
}

#[derive(Default)]
struct Addresses {
    /// As the cluster has them.
    known: BTreeMap<NodeId, String>,
    /// As live nodes said themselves: those that are about to join, or have moved.
    told: BTreeMap<NodeId, String>,
}

/// Nodes whose own word is kept.
const TOLD_MAX: usize = 1000;

impl Directory {
    /// Where a node listens. What it said itself is newer than what the cluster has, until that changes.
    pub fn get(&self, node: NodeId) -> Option<String> {
        let addresses = self.addresses.read().unwrap_or_else(PoisonError::into_inner);
        addresses.told.get(&node).or_else(|| addresses.known.get(&node)).cloned()
    }

    /// A live node says where it listens.
    pub fn tell(&self, node: NodeId, address: &str) {
        if self.get(node).as_deref() == Some(address) {
            return;
        }
        let told = &mut self.addresses.write().unwrap_or_else(PoisonError::into_inner).told;
        if told.len() < TOLD_MAX || told.contains_key(&node) {
            told.insert(node, address.to_owned());
        }
    }

    /// The nodes of the cluster.
    pub fn nodes(&self) -> Vec<NodeId> {
        self.addresses.read().unwrap_or_else(PoisonError::into_inner).known.keys().copied().collect()
    }

    /// The image of the cluster, or the founding record, says something new: replaces all addresses.
    pub fn set(&self, addresses: BTreeMap<NodeId, String>) {
        let mut held = self.addresses.write().unwrap_or_else(PoisonError::into_inner);
        let Addresses { known, told } = &mut *held;
        told.retain(|node, _| known.get(node) == addresses.get(node));
        *known = addresses;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(of: &[(i32, &str)]) -> BTreeMap<NodeId, String> {
        of.iter().map(|(node, address)| (NodeId(*node), (*address).to_owned())).collect()
    }

    #[test]
    fn what_a_node_says_itself_holds_until_the_cluster_says_something_new() {
        let (directory, node) = (Directory::default(), NodeId(2));
        assert_eq!(directory.get(node), None);
        directory.tell(node, "joining:1");
        assert_eq!(directory.get(node).as_deref(), Some("joining:1"));
        assert!(directory.nodes().is_empty(), "it is no member");
        directory.set(addresses(&[(1, "a:1"), (2, "b:1")]));
        assert_eq!(directory.get(node).as_deref(), Some("b:1"));
        directory.tell(node, "moved:1");
        directory.set(addresses(&[(1, "c:1"), (2, "b:1")]));
        assert_eq!(directory.get(node).as_deref(), Some("moved:1"), "nothing new about this one");
        directory.set(addresses(&[(2, "moved:2")]));
        assert_eq!(directory.get(node).as_deref(), Some("moved:2"));
        assert_eq!(directory.get(NodeId(1)), None);
        assert_eq!(directory.nodes(), [node]);
    }

    #[test]
    fn few_strangers_are_remembered() {
        let directory = Directory::default();
        for node in 0..5000 {
            directory.tell(NodeId(node), "a:1");
        }
        assert!(directory.get(NodeId(10)).is_some() && directory.get(NodeId(4999)).is_none());
    }
}
