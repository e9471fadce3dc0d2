//! The clock of [`liveness`](super::liveness): pulses out, and what comes of those that come in. On the first core.

use std::rc::Rc;
use std::time::Instant;

use thalweg_protocol::NodeId;

use super::handshake::Facts;
use super::{Event, PeerState};
use crate::limits::PEER_PULSE_INTERVAL;
use crate::reactor::{Core, CoreId};

impl Core {
    /// A pulse to every node of the directory, and a look at who fell silent. For as long as the core runs.
    pub(crate) async fn run_pulses(self: Rc<Self>) {
        loop {
            thalweg_reactor::sleep(PEER_PULSE_INTERVAL).await;
            let members = self.shared.directory.nodes();
            for node in members.iter().filter(|node| **node != self.shared.config.node_id) {
                if let Some(lane) = self.peers.lane(*node, CoreId::FIRST.0) {
                    lane.pulse();
                }
            }
            self.look_who_lives(&members);
        }
    }

    fn look_who_lives(self: &Rc<Self>, members: &[NodeId]) {
        let now = Instant::now();
        let me = self.shared.config.node_id;
        let others: Vec<NodeId> = members.iter().copied().filter(|node| *node != me).collect();
        let (mut news, silent) = {
            let mut liveness = self.peers.inner.liveness.borrow_mut();
            let signs = self.peers.inner.callers.signs_of_life(now);
            let news = signs.into_iter().filter_map(|(node, life, at)| Some((node, liveness.heard(node, life, at)?)));
            let news: Vec<(NodeId, PeerState)> = news.collect();
            (news, liveness.tick(&others, now))
        };
        news.extend(silent.into_iter().map(|node| (node, PeerState::Down)));
        news.into_iter().for_each(|(node, state)| self.tell_all(node, state));
    }

    /// A node introduced itself.
    pub(super) fn met(self: &Rc<Self>, facts: &Facts) {
        if let Some(address) = &facts.address {
            self.shared.directory.tell(facts.id(), address);
        }
        let state = self.peers.inner.liveness.borrow_mut().met(facts.id(), facts.life(), Instant::now());
        if let Some(state) = state {
            self.tell_all(facts.id(), state);
        }
    }

    /// Something came over a lane.
    pub(super) fn heard(self: &Rc<Self>, facts: &Facts) {
        let state = self.peers.inner.liveness.borrow_mut().heard(facts.id(), facts.incarnation, Instant::now());
        if let Some(state) = state {
            self.tell_all(facts.id(), state);
        }
    }

    fn gone(self: &Rc<Self>, node: NodeId) {
        let state = self.peers.inner.liveness.borrow_mut().gone(node);
        if let Some(state) = state {
            self.tell_all(node, state);
        }
    }

    fn tell_all(self: &Rc<Self>, node: NodeId, state: PeerState) {
        match state {
            PeerState::Down => tracing::warn!(node = node.0, "a node is down"),
            PeerState::Up(_) => tracing::info!(node = node.0, "a node is up"),
            PeerState::Restarted(_) => tracing::info!(node = node.0, "a node is up, started again"),
        }
        for core in self.cores() {
            self.tell(core, move |core| {
                core.peers.note_state(node, state);
                core.peer_state(node, state);
            });
        }
    }

    /// On every core: acts on what its lanes notice.
    pub(crate) async fn run_peer_events(self: Rc<Self>) {
        let mut seen = 0;
        loop {
            seen = self.peers.inner.raised.wait(seen).await;
            let events = std::mem::take(&mut *self.peers.inner.events.borrow_mut());
            for event in events {
                match event {
                    Event::Gone(node) => self.tell(CoreId::FIRST, move |core| core.gone(node)),
                }
            }
            // A turn tells the groups what did not arrive.
            self.turn.raise();
        }
    }
}
