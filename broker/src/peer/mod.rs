//! Nodes talking to each other: Raft messages, requests, and whether the others are alive.
//!
//! Each core that has something to say to a core of another node has a connection of its own to it, a *lane*; what that core
//! answers to Raft comes over its own lane. Answers to requests come back on the connection they were asked on.
//!
//! - `handshake`, `frame` and `request` are bytes, to and fro; `wire` reads them off a socket.
//! - `lane` with its `outbox` is the calling side, after `dial`; `questions` are what waits for answers.
//! - `accept` is the called side's door, `serve` what it does with what comes; `callers` are who is connected.
//! - `liveness` tells from pulses who is up, on the first core; `pulse` has the clock, and tells the other cores.
//! - `incoming` is what the rest of the broker does with all of this.
//!
//! **Invariant:** everything here that grows because of another node has a limit: frames, queues, handshakes, requests.

mod accept;
mod callers;
mod dial;
mod directory;
mod frame;
mod handshake;
mod incoming;
mod lane;
mod liveness;
mod outbox;
mod pulse;
mod questions;
mod request;
mod said;
mod serve;
#[cfg(test)]
mod tests;
mod traffic;
mod wire;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use futures::future::AbortHandle;
use thalweg_protocol::NodeId;
use thalweg_raft::{PeerMessage, node_id, raft_id};
use thalweg_storage::types::GroupId;

use self::callers::Callers;
use self::handshake::{Facts, VERSIONS};
use self::lane::Lane;
use self::liveness::Liveness;
use self::said::Said;
use crate::limits::{PEER_LANES_MAX, PEER_RECEIVE_MEMORY_BYTES};
use crate::reactor::{Budget, CoreId, Shared, Signal};

pub(crate) use self::accept::run_accept;
pub use self::directory::Directory;
pub use self::incoming::Asker;
pub use self::liveness::{Life, PeerState};
pub use self::questions::AskError;
pub use self::request::{PIECE_MAX_BYTES, PeerRequest, PeerResponse, PieceRequest};
pub use self::traffic::Traffic;

/// The other nodes, as one core sees them.
pub struct Peers {
    inner: Rc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    me: CoreId,
    lanes: RefCell<BTreeMap<(NodeId, usize), Running>>,
    /// How many cores the others have, where they have said it.
    cores: RefCell<HashMap<NodeId, usize>>,
    /// Who is up, as this core was told.
    up: RefCell<HashMap<NodeId, Life>>,
    /// Raft messages to these were dropped since that was last asked.
    unreachable: RefCell<HashSet<(GroupId, u64)>>,
    /// Connections to these broke: node, core there, and its cores.
    broken: RefCell<Vec<(NodeId, usize, usize)>>,
    events: RefCell<Vec<Event>>,
    /// Raised when something of the above is to be looked at.
    raised: Signal,
    callers: Callers,
    /// Of large frames that are being received.
    memory: Budget,
    said: Said,
    /// On the first core.
    liveness: RefCell<Liveness>,
    /// Introductions that are under way.
    greetings: accept::Greetings,
    stopped: Cell<bool>,
}

/// A lane, and what ends it.
struct Running {
    lane: Rc<Lane>,
    task: AbortHandle,
}

/// What lanes notice, for the core to act on.
enum Event {
    /// Nobody listens at its address.
    Gone(NodeId),
}

impl Peers {
    pub(crate) fn new(me: CoreId, shared: Arc<Shared>) -> Self {
        Self {
            inner: Rc::new(Inner {
                shared,
                me,
                lanes: RefCell::default(),
                cores: RefCell::default(),
                up: RefCell::default(),
                unreachable: RefCell::default(),
                broken: RefCell::default(),
                events: RefCell::default(),
                raised: Signal::default(),
                callers: Callers::default(),
                memory: Budget::new(PEER_RECEIVE_MEMORY_BYTES),
                said: Said::default(),
                liveness: RefCell::default(),
                greetings: accept::Greetings::default(),
                stopped: Cell::new(false),
            }),
        }
    }

    /// Queues a Raft message; it leaves at the end of the turn, in the frame of that node's core which owns the group.
    pub(crate) fn send(&self, group: GroupId, message: PeerMessage) {
        let Some(node) = node_id(message.to) else { return };
        // Before a node has said how many cores it has, it is told on its first, which hands on what is not its own.
        let cores = self.inner.cores.borrow().get(&node).copied().unwrap_or(1);
        let core = usize::try_from(group.0 % cores as u64).unwrap_or(0);
        let pushed = self.lane(node, core).map(|lane| lane.push(group, message));
        if !matches!(pushed, Some(Ok(()))) {
            self.inner.unreachable.borrow_mut().insert((group, raft_id(node)));
        }
    }

    /// The end of a turn: every lane that has something begins to write.
    pub(crate) fn flush(&self) {
        self.inner.lanes.borrow().values().for_each(|running| running.lane.seal());
    }

    /// Groups and Raft ids whose messages were dropped since this was last asked: Raft sends to those one at a time until
    /// they answer. `groups` are all of this core; connections that broke may have taken messages of any of them along.
    pub(crate) fn take_unreachable(&self, groups: impl Fn() -> Vec<GroupId>) -> Vec<(GroupId, u64)> {
        let mut unreachable = std::mem::take(&mut *self.inner.unreachable.borrow_mut());
        let broken = std::mem::take(&mut *self.inner.broken.borrow_mut());
        if !broken.is_empty() {
            let groups = groups();
            for (node, core, cores) in broken {
                let over_it = groups.iter().filter(|group| group.0 % cores as u64 == core as u64);
                unreachable.extend(over_it.map(|group| (*group, raft_id(node))));
            }
        }
        unreachable.into_iter().collect()
    }

    /// Whether a node is up, as this core was told. This node itself always is.
    pub fn is_up(&self, node: NodeId) -> bool {
        node == self.inner.shared.config.node_id || self.inner.up.borrow().contains_key(&node)
    }

    /// The process that a node is now, if it is up.
    pub fn life(&self, node: NodeId) -> Option<Life> {
        self.inner.up.borrow().get(&node).copied()
    }

    /// The lane to a core of a node, begun if it is not there; none where there are too many, and when the core stops.
    fn lane(&self, node: NodeId, core: usize) -> Option<Rc<Lane>> {
        if let Some(running) = self.inner.lanes.borrow().get(&(node, core)) {
            return Some(Rc::clone(&running.lane));
        }
        let full = self.inner.lanes.borrow().len() >= PEER_LANES_MAX;
        if full || self.inner.stopped.get() || node == self.inner.shared.config.node_id {
            return None;
        }
        let lane = Rc::new(Lane::new(node, core, self.inner.shared.metrics.peers.of(node)));
        let (running, task) = futures::future::abortable(lane::run(Rc::downgrade(&self.inner), Rc::clone(&lane)));
        self.inner.lanes.borrow_mut().insert((node, core), Running { lane: Rc::clone(&lane), task });
        // With nothing borrowed: its first step runs at once.
        thalweg_reactor::spawn(running).detach();
        Some(lane)
    }

    /// Keeps what became of a node, and ends what no longer leads anywhere.
    fn note_state(&self, node: NodeId, state: PeerState) {
        let lanes: Vec<Rc<Lane>> = self.lanes_to(node);
        match state {
            PeerState::Up(life) | PeerState::Restarted(life) => {
                self.inner.up.borrow_mut().insert(node, life);
                self.inner.note_cores(node, life.cores);
                self.inner.callers.drop_earlier(node, life.incarnation);
                lanes.iter().for_each(|lane| lane.node_is_up(life.incarnation));
            }
            PeerState::Down => {
                self.inner.up.borrow_mut().remove(&node);
                lanes.iter().for_each(|lane| lane.cut());
            }
        }
    }

    fn lanes_to(&self, node: NodeId) -> Vec<Rc<Lane>> {
        let lanes = self.inner.lanes.borrow();
        lanes.range((node, 0)..=(node, usize::MAX)).map(|(_, running)| Rc::clone(&running.lane)).collect()
    }

    /// Periodic chores: what got stuck is ended, and lanes to nodes that are gone for good.
    pub(crate) fn reap(&self, now: Instant) {
        self.inner.callers.reap(now);
        let directory = &self.inner.shared.directory;
        let mut given_up = Vec::new();
        self.inner.lanes.borrow_mut().retain(|(node, _), running| {
            running.lane.cut_if_stuck(now);
            let stays = directory.get(*node).is_some();
            if !stays {
                given_up.push(running.task.clone());
            }
            stays
        });
        given_up.iter().for_each(AbortHandle::abort);
    }

    /// Ends everything: the core stops.
    pub(crate) fn stop(&self) {
        self.inner.stopped.set(true);
        let lanes = std::mem::take(&mut *self.inner.lanes.borrow_mut());
        for running in lanes.into_values() {
            running.task.abort();
            running.lane.questions.fail_all();
        }
        self.inner.callers.close_all();
    }
}

impl Inner {
    fn note(&self, event: Event) {
        self.events.borrow_mut().push(event);
        self.raised.raise();
    }

    fn note_cores(&self, node: NodeId, cores: usize) {
        self.cores.borrow_mut().insert(node, cores.max(1));
    }

    fn note_unreachable(&self, node: NodeId, groups: Vec<GroupId>) {
        if !groups.is_empty() {
            self.unreachable.borrow_mut().extend(groups.into_iter().map(|group| (group, raft_id(node))));
            self.raised.raise();
        }
    }

    fn note_broken(&self, node: NodeId, core: usize) {
        let cores = self.cores.borrow().get(&node).copied().unwrap_or(1);
        self.broken.borrow_mut().push((node, core, cores));
        self.raised.raise();
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
