//! Who is alive, as pulses tell. Sans-IO: belongs to the first core, which tells the others.
//!
//! A node that was silent too long is down; one at whose address nobody listens is down at once; one that introduces itself
//! as another process than before was started again, and has forgotten what it had only in memory.

use std::collections::BTreeMap;
use std::time::Instant;

use thalweg_protocol::NodeId;
use uuid::Uuid;

use crate::limits::{PEER_PULSE_INTERVAL, PEER_SILENCE_MAX};

/// A process of a node, from its start to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Life {
    /// Whose data it has.
    pub directory: Uuid,
    /// Another at each start.
    pub incarnation: u64,
    pub cores: usize,
}

/// What became of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PeerState {
    /// It is there (again), and is what it was before if it was there before.
    Up(Life),
    /// It is up, as another process than before.
    Restarted(Life),
    Down,
}

/// What is known of one node.
struct Known {
    life: Option<Life>,
    heard: Instant,
    /// What the cores were told last; nothing yet where it is `None`.
    told_up: Option<bool>,
}

/// All nodes that were heard of.
#[derive(Default)]
pub(super) struct Liveness {
    nodes: BTreeMap<NodeId, Known>,
    ticked: Option<Instant>,
}

impl Liveness {
    /// A node introduced itself.
    pub(super) fn met(&mut self, node: NodeId, life: Life, now: Instant) -> Option<PeerState> {
        let known = self.nodes.entry(node).or_insert(Known { life: None, heard: now, told_up: None });
        let before = known.life.replace(life);
        let was_up = known.told_up.replace(true) == Some(true);
        known.heard = now;
        match before {
            Some(before) if before.incarnation != life.incarnation => Some(PeerState::Restarted(life)),
            _ if was_up => None,
            _ => Some(PeerState::Up(life)),
        }
    }

    /// Something came from a process that had introduced itself.
    pub(super) fn heard(&mut self, node: NodeId, incarnation: u64, now: Instant) -> Option<PeerState> {
        let known = self.nodes.get_mut(&node)?;
        // The last words of an earlier process are no sign of life.
        let life = known.life.filter(|life| life.incarnation == incarnation)?;
        known.heard = known.heard.max(now);
        (known.told_up.replace(true) != Some(true)).then_some(PeerState::Up(life))
    }

    /// Nobody listens at the node's address.
    pub(super) fn gone(&mut self, node: NodeId) -> Option<PeerState> {
        let known = self.nodes.get_mut(&node)?;
        (known.told_up.replace(false) == Some(true)).then_some(PeerState::Down)
    }

    /// The live process of a node.
    pub(super) fn life(&self, node: NodeId) -> Option<Life> {
        self.nodes.get(&node).filter(|known| known.told_up == Some(true)).and_then(|known| known.life)
    }

    /// To be called once per pulse, with the nodes of the cluster: who fell silent.
    pub(super) fn tick(&mut self, members: &[NodeId], now: Instant) -> Vec<NodeId> {
        self.forgive(now);
        for node in members {
            self.nodes.entry(*node).or_insert(Known { life: None, heard: now, told_up: None });
        }
        let mut silent = Vec::new();
        self.nodes.retain(|node, known| {
            let is_silent = now.saturating_duration_since(known.heard) > PEER_SILENCE_MAX;
            if is_silent && known.told_up.replace(false) != Some(false) {
                silent.push(*node);
            }
            !is_silent || members.contains(node)
        });
        silent
    }

    /// Where this node itself did not run for a while, the others' pulses of that time wait to be read.
    fn forgive(&mut self, now: Instant) {
        let slept =
            self.ticked.replace(now).map_or(PEER_PULSE_INTERVAL, |ticked| now.saturating_duration_since(ticked));
        if slept > PEER_PULSE_INTERVAL * 2 {
            self.nodes.values_mut().for_each(|known| known.heard = (known.heard + slept).min(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NODE: NodeId = NodeId(2);

    fn life(incarnation: u64) -> Life {
        Life { directory: Uuid::from_u128(2), incarnation, cores: 2 }
    }

    /// Ticks every pulse up to so many milliseconds from the start; who fell silent, and when.
    fn run(liveness: &mut Liveness, began: Instant, from: u64, to: u64) -> Vec<(u64, NodeId)> {
        let ticks = (from..=to).step_by(100);
        ticks.flat_map(|ms| at(liveness, began, ms).into_iter().map(move |node| (ms, node))).collect()
    }

    fn at(liveness: &mut Liveness, began: Instant, ms: u64) -> Vec<NodeId> {
        liveness.tick(&[NODE], began + Duration::from_millis(ms))
    }

    #[test]
    fn silence_is_told_once_and_so_is_the_return() {
        let (mut liveness, began) = (Liveness::default(), Instant::now());
        assert_eq!(liveness.met(NODE, life(7), began), Some(PeerState::Up(life(7))));
        assert_eq!(liveness.met(NODE, life(7), began), None, "another connection of it");
        let silent = run(&mut liveness, began, 0, 2000);
        assert_eq!(silent, [(PEER_SILENCE_MAX.as_millis() as u64 + 100, NODE)]);
        assert_eq!(liveness.life(NODE), None);
        let now = began + Duration::from_secs(2);
        assert_eq!(liveness.heard(NODE, 7, now), Some(PeerState::Up(life(7))));
        assert_eq!(liveness.heard(NODE, 7, now), None);
        assert_eq!(liveness.life(NODE), Some(life(7)));
    }

    #[test]
    fn a_member_that_never_comes_is_down_and_a_stranger_is_forgotten() {
        let (mut liveness, began) = (Liveness::default(), Instant::now());
        assert_eq!(run(&mut liveness, began, 0, 2000).len(), 1);
        liveness.met(NodeId(9), life(1), began + Duration::from_secs(2));
        assert_eq!(run(&mut liveness, began, 2000, 4000).len(), 1, "it is told of, as it was up");
        assert!(!liveness.nodes.contains_key(&NodeId(9)));
    }

    #[test]
    fn another_process_is_a_restart_and_the_last_words_of_the_first_count_for_nothing() {
        let (mut liveness, began) = (Liveness::default(), Instant::now());
        liveness.met(NODE, life(7), began);
        assert_eq!(liveness.met(NODE, life(8), began), Some(PeerState::Restarted(life(8))));
        assert_eq!(liveness.gone(NODE), Some(PeerState::Down));
        assert_eq!(liveness.gone(NODE), None);
        assert_eq!(liveness.heard(NODE, 7, began), None);
        assert_eq!(liveness.met(NODE, life(9), began), Some(PeerState::Restarted(life(9))));
        assert_eq!(liveness.heard(NODE, 9, began), None);
        assert_eq!(liveness.gone(NodeId(3)), None);
    }

    #[test]
    fn a_node_that_slept_itself_does_not_take_the_others_for_dead() {
        let (mut liveness, began) = (Liveness::default(), Instant::now());
        liveness.met(NODE, life(7), began);
        assert!(run(&mut liveness, began, 0, 200).is_empty());
        // Stopped for a minute, and then the first thing that runs is this.
        assert!(run(&mut liveness, began, 60_000, 60_300).is_empty());
        assert_eq!(run(&mut liveness, began, 60_400, 61_500).len(), 1, "silent since");
    }
}
