//! Nodes talking to each other: Raft messages, questions, and whether the others are alive.
//!
//! Each core that has something to say to a core of another node has a connection of its own to it, a *lane*; what that core
//! answers to Raft comes over its own lane. Answers to questions come back on the connection they were asked on.
//!
//! - `handshake` and `frame` are bytes, to and fro; `wire` reads them off a socket.
//! - `lane` is the calling side, `accept` the called one; `questions` are what a lane waits for answers to.
//! - `liveness` tells from pulses who is up, on the first core, which tells the others.
//!
//! **Invariant:** everything here that grows because of another node has a limit: frames, queues, handshakes, questions.

mod accept;
mod directory;
mod frame;
mod handshake;
mod lane;
mod liveness;
mod questions;
mod wire;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use thalweg_protocol::NodeId;
use thalweg_raft::{PeerMessage, node_id};
use thalweg_storage::types::GroupId;
use uuid::Uuid;

use self::handshake::{Facts, VERSIONS};
use self::lane::Lane;
use crate::reactor::{Core, Shared};

pub(crate) use self::accept::run_rpc;
pub use self::directory::Directory;
pub(crate) use self::liveness::PeerState;

/// The other nodes, as one core sees them.
#[derive(Default)]
pub(crate) struct Peers {
    lanes: RefCell<BTreeMap<(NodeId, usize), Rc<Lane>>>,
    /// How many cores the others have, where they have said it.
    cores: RefCell<HashMap<NodeId, usize>>,
    /// Who is up, and in which life.
    up: RefCell<HashMap<NodeId, Life>>,
    /// Groups whose messages to a node were dropped since this was last asked.
    dropped: RefCell<Vec<(GroupId, u64)>>,
    /// On the first core.
    liveness: liveness::Liveness,
    handshakes: Cell<usize>,
    /// Questions of others that are being answered.
    answering: Cell<usize>,
    /// Why nodes were refused, as the log has said already.
    refusals: RefCell<BTreeSet<String>>,
}

/// Reasons that are remembered, so that each is said once.
const REFUSALS_MAX: usize = 100;

/// A process, from its start to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Life {
    pub(crate) directory: Uuid,
    pub(crate) incarnation: u64,
}

impl Peers {
    /// Messages that were dropped since this was last asked: Raft sends to those members one at a time until they answer.
    pub(crate) fn take_dropped(&self) -> Vec<(GroupId, u64)> {
        std::mem::take(&mut *self.dropped.borrow_mut())
    }

    fn note_dropped(&self, group: GroupId, peer: u64) {
        let mut dropped = self.dropped.borrow_mut();
        if !dropped.contains(&(group, peer)) {
            dropped.push((group, peer));
        }
    }

    /// Whether this reason for a refusal is new, and so worth a line in the log.
    fn said_refused(&self, why: &str) -> bool {
        let mut refusals = self.refusals.borrow_mut();
        refusals.len() < REFUSALS_MAX && refusals.insert(why.to_owned())
    }

    /// Whether a node is up from now on, and in which life.
    pub(crate) fn set_up(&self, node: NodeId, life: Option<Life>) {
        let mut up = self.up.borrow_mut();
        match life {
            Some(life) => drop(up.insert(node, life)),
            None => drop(up.remove(&node)),
        }
    }

    fn note_cores(&self, node: NodeId, cores: usize) {
        self.cores.borrow_mut().insert(node, cores.max(1));
    }
}

impl Core {
    /// Queues a Raft message for the core that has this group on the node it is for.
    pub(crate) fn send_to_peer(self: &Rc<Self>, group: GroupId, message: PeerMessage) {
        let Some(node) = node_id(message.to) else { return };
        // Before a node has said how many cores it has, it is asked on its first, which hands on what is not its own.
        let cores = self.peers.cores.borrow().get(&node).copied().unwrap_or(1);
        let core = usize::try_from(group.0 % cores as u64).unwrap_or(0);
        let to = message.to;
        if !self.lane(node, core).push(group, message) {
            self.peers.note_dropped(group, to);
        }
    }

    /// The end of a turn: what was queued becomes one frame for each lane.
    pub(crate) fn flush_peers(&self) {
        for lane in self.peers.lanes.borrow().values() {
            lane.seal();
        }
    }

    /// The lane to a core of a node; begun if it is not there.
    fn lane(self: &Rc<Self>, node: NodeId, core: usize) -> Rc<Lane> {
        if let Some(lane) = self.peers.lanes.borrow().get(&(node, core)) {
            return Rc::clone(lane);
        }
        let lane = Rc::new(Lane::new(node, core));
        self.peers.lanes.borrow_mut().insert((node, core), Rc::clone(&lane));
        self.in_background(lane::run(Rc::clone(self), Rc::clone(&lane)));
        lane
    }

    /// Whether a node is up, as this core was told; this node always is.
    pub(crate) fn is_up(&self, node: NodeId) -> bool {
        node == self.shared.config.node_id || self.peers.up.borrow().contains_key(&node)
    }
}

impl Shared {
    /// Who this node is, to others.
    fn facts(&self) -> Facts {
        Facts {
            versions: VERSIONS,
            cluster: self.cluster_id().to_owned(),
            node: self.config.node_id.0,
            directory: self.directory_id,
            incarnation: self.incarnation,
            cores: self.cores,
            address: self.config.rpc_address(),
        }
    }
}
