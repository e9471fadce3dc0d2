//! What goes between this node and each other one, counted for `GET /metrics`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, PoisonError, RwLock};

use thalweg_protocol::NodeId;

use crate::metrics::Counter;

/// Nodes that are counted apart; what comes of more is not counted.
const NODES_MAX: usize = 1000;

/// Of one other node, all cores together.
#[derive(Default)]
pub struct NodeTraffic {
    pub sent_bytes: Counter,
    pub sent_frames: Counter,
    pub received_bytes: Counter,
    pub received_frames: Counter,
    /// Connections made to it.
    pub connects: Counter,
    /// Tries that failed.
    pub connect_failures: Counter,
    /// Raft messages that were not sent: too much waited, or it was not reached.
    pub dropped_messages: Counter,
}

/// By node.
#[derive(Default)]
pub struct Traffic {
    nodes: RwLock<BTreeMap<NodeId, Arc<NodeTraffic>>>,
}

type Read = fn(&NodeTraffic) -> &Counter;

const ROWS: [(&str, &str, Read); 7] = [
    ("peer_sent_bytes_total", "Bytes sent to another node", |node| &node.sent_bytes),
    ("peer_sent_frames_total", "Frames sent to another node", |node| &node.sent_frames),
    ("peer_received_bytes_total", "Bytes received from another node", |node| &node.received_bytes),
    ("peer_received_frames_total", "Frames received from another node", |node| &node.received_frames),
    ("peer_connects_total", "Connections made to another node", |node| &node.connects),
    ("peer_connect_failures_total", "Tries to reach another node that failed", |node| &node.connect_failures),
    ("peer_dropped_messages_total", "Raft messages to another node that were not sent", |node| &node.dropped_messages),
];

impl Traffic {
    /// The counters of a node.
    pub fn of(&self, node: NodeId) -> Arc<NodeTraffic> {
        if let Some(counters) = self.nodes.read().unwrap_or_else(PoisonError::into_inner).get(&node) {
            return Arc::clone(counters);
        }
        let mut nodes = self.nodes.write().unwrap_or_else(PoisonError::into_inner);
        if nodes.len() >= NODES_MAX {
            return Arc::default();
        }
        Arc::clone(nodes.entry(node).or_default())
    }

    /// Prometheus text format.
    pub fn render(&self, text: &mut String) {
        let nodes = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        if nodes.is_empty() {
            return;
        }
        for (name, help, read) in ROWS {
            let _ = writeln!(text, "# HELP thalweg_{name} {help}.\n# TYPE thalweg_{name} counter");
            for (node, counters) in &*nodes {
                let _ = writeln!(text, "thalweg_{name}{{node=\"{node}\"}} {}", read(counters).get());
            }
        }
    }
}
