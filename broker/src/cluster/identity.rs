//! What a node knows of its cluster from the first start on, kept in `meta.properties`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thalweg_protocol::NodeId;
use thalweg_raft::raft_id;
use thalweg_storage::types::RaftIndex;
use uuid::Uuid;

use crate::config::listeners::HostPort;

/// A cluster, and how this node came to be in it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ClusterIdentity {
    pub id: String,
    /// The first voters of the controller's group, in order of their node ids.
    pub founders: Vec<Founder>,
    /// Where the controller's log takes this node in; zero for a founder, who was always in.
    #[serde(default)]
    pub joined_at: u64,
}

/// One of the nodes that formed the cluster.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Founder {
    pub node_id: i32,
    /// Of the directory in which it founded: a node of the same id with another one has forgotten what it promised.
    pub directory_id: Uuid,
    /// `thalweg.rpc.listener`, as others reach it.
    pub address: String,
}

const CLUSTER_ID: &str = "cluster.id";
const FOUNDERS: &str = "thalweg.founders";
const JOINED_AT: &str = "thalweg.joined.at";

impl ClusterIdentity {
    /// Whether this node, with this directory, is one of the founders.
    pub fn is_founder(&self, node: NodeId, directory: Uuid) -> bool {
        self.founders.iter().any(|one| one.node_id == node.0 && one.directory_id == directory)
    }

    /// The controller's first voters, and learners: what its Raft group begins with on this node. A node that joined is a
    /// learner from the start, also where an earlier life of it was among the founders.
    pub fn first_members(&self, node: NodeId) -> (Vec<u64>, Vec<u64>) {
        let joined = self.joined_at > 0;
        let founders = self.founders.iter().map(|one| NodeId(one.node_id));
        let voters = founders.filter(|one| !joined || *one != node).map(raft_id).collect();
        (voters, if joined { vec![raft_id(node)] } else { Vec::new() })
    }

    /// The index in the controller's log up to which this node must not vote: before it, it has forgotten something.
    pub fn votes_from(&self) -> RaftIndex {
        RaftIndex(self.joined_at)
    }

    /// The lines of `meta.properties`.
    pub fn properties(&self) -> BTreeMap<&'static str, String> {
        let founders: Vec<String> = self.founders.iter().map(Founder::text).collect();
        let mut properties = BTreeMap::from([(CLUSTER_ID, self.id.clone())]);
        if self.founders.len() > 1 || self.joined_at > 0 {
            properties.insert(FOUNDERS, founders.join(","));
        }
        if self.joined_at > 0 {
            properties.insert(JOINED_AT, self.joined_at.to_string());
        }
        properties
    }

    /// From `meta.properties`; `None` where the node has formed no cluster yet. A file without founders is of a node
    /// that founded alone: `me`.
    pub fn from_properties(properties: &BTreeMap<String, String>, me: &Founder) -> Result<Option<Self>, String> {
        let Some(id) = properties.get(CLUSTER_ID) else { return Ok(None) };
        let founders = match properties.get(FOUNDERS) {
            None => vec![me.clone()],
            Some(list) => list.split(',').map(Founder::parse).collect::<Result<_, _>>()?,
        };
        let joined_at = match properties.get(JOINED_AT) {
            None => 0,
            Some(index) => index.parse().map_err(|_| format!("{JOINED_AT}={index} is not an index"))?,
        };
        Ok(Some(Self { id: id.clone(), founders, joined_at }))
    }
}

impl Founder {
    /// `node@host:port/directory id`
    fn text(&self) -> String {
        format!("{}@{}/{}", self.node_id, self.address, thalweg_protocol::uuid_text(self.directory_id.as_bytes()))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let parsed = || {
            let (node, rest) = text.trim().split_once('@')?;
            let (address, directory) = rest.rsplit_once('/')?;
            HostPort::parse(address).ok()?;
            Some(Self {
                node_id: node.parse().ok().filter(|id| *id >= 0)?,
                directory_id: Uuid::from_bytes(thalweg_protocol::parse_uuid(directory)?),
                address: address.to_owned(),
            })
        };
        parsed().ok_or_else(|| format!("{FOUNDERS}: {text} is not node@host:port/directory"))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn founder(node_id: i32) -> Founder {
        Founder {
            node_id,
            directory_id: Uuid::from_u128(0x1000 + node_id as u128),
            address: format!("10.0.0.{node_id}:9094"),
        }
    }

    fn written(identity: &ClusterIdentity) -> BTreeMap<String, String> {
        identity.properties().into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    #[test]
    fn what_is_written_is_read() {
        let mut identity =
            ClusterIdentity { id: "abc".into(), founders: vec![founder(1), founder(2), founder(3)], joined_at: 0 };
        let read = ClusterIdentity::from_properties(&written(&identity), &founder(9)).unwrap();
        assert_eq!(read, Some(identity.clone()));
        identity.joined_at = 77;
        let read = ClusterIdentity::from_properties(&written(&identity), &founder(9)).unwrap();
        assert_eq!(read, Some(identity));
    }

    #[test]
    fn a_node_that_founded_alone_says_only_its_cluster() {
        let alone = ClusterIdentity { id: "abc".into(), founders: vec![founder(0)], joined_at: 0 };
        assert_eq!(written(&alone), BTreeMap::from([("cluster.id".to_owned(), "abc".to_owned())]));
        assert_eq!(ClusterIdentity::from_properties(&written(&alone), &founder(0)).unwrap(), Some(alone));
        assert_eq!(ClusterIdentity::from_properties(&BTreeMap::new(), &founder(0)).unwrap(), None);
    }

    #[test]
    fn damaged_founders_are_an_error_that_names_them() {
        let properties = |founders: &str| {
            BTreeMap::from([
                ("cluster.id".to_owned(), "abc".to_owned()),
                ("thalweg.founders".to_owned(), founders.to_owned()),
            ])
        };
        for bad in
            ["", "1@h:1", "x@h:1/AAAAAAAAAAAAAAAAAAAAAA", "1@h/AAAAAAAAAAAAAAAAAAAAAA", "-1@h:1/AAAAAAAAAAAAAAAAAAAAAA"]
        {
            let error = ClusterIdentity::from_properties(&properties(bad), &founder(0)).unwrap_err();
            assert!(error.contains("thalweg.founders"), "{error}");
        }
    }

    #[test]
    fn who_joined_is_a_learner_even_if_an_earlier_life_of_it_founded() {
        let mut identity =
            ClusterIdentity { id: "abc".into(), founders: vec![founder(1), founder(2), founder(3)], joined_at: 0 };
        assert_eq!(identity.first_members(NodeId(2)), (vec![2, 3, 4], vec![]));
        identity.joined_at = 5;
        assert_eq!(identity.first_members(NodeId(2)), (vec![2, 4], vec![3]));
        assert_eq!(identity.first_members(NodeId(7)), (vec![2, 3, 4], vec![8]));
        assert!(identity.is_founder(NodeId(2), founder(2).directory_id));
        assert!(!identity.is_founder(NodeId(2), founder(3).directory_id));
    }
}
