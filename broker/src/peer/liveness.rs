//! Who is alive: one pulse per node pair, on the first core, which tells the others.
//!
//! A node that was silent too long is down; one at whose address nobody listens is down at once; one that speaks as another
//! process than before was started again, and has forgotten what it had only in memory.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Instant;

use thalweg_protocol::NodeId;

use super::Life;
use super::frame::{self, Kind};
use super::handshake::Facts;
use crate::limits::{PEER_PULSE_INTERVAL, PEER_SILENCE_MAX};
use crate::reactor::{Core, CoreId};

/// What became of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PeerState {
    Up(Life),
    /// It is up, as another process than before.
    Restarted(Life),
    Down,
}

/// Belongs to the first core.
#[derive(Default)]
pub(super) struct Liveness {
    heard: RefCell<HashMap<NodeId, (Instant, Life)>>,
    running: Cell<bool>,
}

impl Core {
    /// On the first core: a node spoke.
    pub(super) fn heard(self: &Rc<Self>, node: NodeId, facts: &Facts) {
        if facts.cluster.is_empty() || facts.cluster != self.shared.cluster_id() || node == self.shared.config.node_id {
            return;
        }
        if let Some(address) = &facts.address
            && self.shared.directory.get(node).as_ref() != Some(address)
        {
            self.shared.directory.tell(node, address);
        }
        let life = Life { directory: facts.directory, incarnation: facts.incarnation };
        let before = self.peers.liveness.heard.borrow_mut().insert(node, (Instant::now(), life));
        match before {
            Some((_, known)) if known == life => {}
            Some(_) => self.tell_all(node, PeerState::Restarted(life)),
            None => self.tell_all(node, PeerState::Up(life)),
        }
    }

    /// A lane met a node: it lives.
    pub(super) fn met(self: &Rc<Self>, node: NodeId, facts: &Facts) {
        self.peers.note_cores(node, facts.cores);
        let facts = facts.clone();
        self.tell(CoreId::FIRST, move |core| core.heard(node, &facts));
    }

    /// Nobody listens at a node's address.
    pub(super) fn node_gone(self: &Rc<Self>, node: NodeId) {
        self.tell(CoreId::FIRST, move |core| {
            if core.peers.liveness.heard.borrow_mut().remove(&node).is_some() {
                core.tell_all(node, PeerState::Down);
            }
        });
    }

    fn tell_all(self: &Rc<Self>, node: NodeId, state: PeerState) {
        match state {
            PeerState::Down => tracing::warn!(node = node.0, "another node is down"),
            PeerState::Up(_) => tracing::info!(node = node.0, "another node is up"),
            PeerState::Restarted(_) => tracing::info!(node = node.0, "another node was started again"),
        }
        for core in self.cores() {
            self.tell(core, move |core| core.peer_changed(node, state));
        }
    }

    /// On the first core: pulses out, and looks who fell silent.
    pub(crate) async fn run_pulses(self: Rc<Self>) {
        if self.peers.liveness.running.replace(true) {
            return;
        }
        loop {
            thalweg_reactor::sleep(PEER_PULSE_INTERVAL).await;
            if self.shared.cluster.get().is_none() {
                continue;
            }
            for node in self.shared.directory.nodes() {
                if node != self.shared.config.node_id {
                    self.lane(node, 0).pulse();
                }
            }
            let now = Instant::now();
            let silent: Vec<NodeId> = {
                let mut heard = self.peers.liveness.heard.borrow_mut();
                let silent = |(at, _): &(Instant, Life)| now.saturating_duration_since(*at) > PEER_SILENCE_MAX;
                let gone = heard.iter().filter(|(_, last)| silent(last)).map(|(node, _)| *node).collect();
                heard.retain(|_, last| !silent(last));
                gone
            };
            silent.into_iter().for_each(|node| self.tell_all(node, PeerState::Down));
        }
    }
}

impl super::lane::Lane {
    /// Sends a pulse, unless something else waits to be sent: anything that arrives says as much.
    fn pulse(&self) {
        if self.has_room_for_pulse() {
            self.post([frame::plain(Kind::Pulse, 0, &[])]);
        }
    }
}
