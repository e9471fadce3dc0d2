//! Who leads a partition, and which replicas are in sync, as this node knows it. The one thing in an image that changes, so
//! that Metadata is answered from any core without asking anybody.
//!
//! Not part of what the controller decided: Raft elects, and leaders tell it to all nodes. A larger epoch is newer.

use std::sync::atomic::{AtomicU64, Ordering};

use thalweg_protocol::{LeaderEpoch, NodeId};

/// Who leads, and since which epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leader {
    /// `None` while nobody is known to lead in this epoch.
    pub node: Option<NodeId>,
    pub epoch: LeaderEpoch,
}

/// Shared by all cores of a node and all images.
#[derive(Debug)]
pub struct Leadership {
    /// The epoch, and the leader's node id; each as the bits of an `i32`.
    leader: AtomicU64,
    /// Replicas that are in sync: a bit for each place in the list of replicas.
    in_sync: AtomicU64,
}

impl Default for Leadership {
    fn default() -> Self {
        Self {
            leader: AtomicU64::new(pack(Leader { node: None, epoch: LeaderEpoch::NONE })),
            in_sync: AtomicU64::new(0),
        }
    }
}

impl Leadership {
    pub fn leader(&self) -> Leader {
        unpack(self.leader.load(Ordering::Relaxed))
    }

    pub fn epoch(&self) -> LeaderEpoch {
        self.leader().epoch
    }

    /// Takes over what is newer: a larger epoch, or the leader of one that had none yet. Says whether that changed anything.
    pub fn learn(&self, told: Leader) -> bool {
        let newer = |known: Leader| told.epoch > known.epoch || told.epoch == known.epoch && known.node.is_none();
        let update = |bits: u64| (newer(unpack(bits)) && bits != pack(told)).then(|| pack(told));
        self.leader.fetch_update(Ordering::Relaxed, Ordering::Relaxed, update).is_ok()
    }

    /// The leader of this epoch went away; who comes next is not known.
    pub fn lose(&self, lost: NodeId) -> bool {
        let update = |bits: u64| {
            let known = unpack(bits);
            (known.node == Some(lost)).then(|| pack(Leader { node: None, ..known }))
        };
        self.leader.fetch_update(Ordering::Relaxed, Ordering::Relaxed, update).is_ok()
    }

    /// Those of `replicas` that are in sync.
    pub fn in_sync(&self, replicas: &[i32]) -> Vec<i32> {
        let bits = self.in_sync.load(Ordering::Relaxed);
        replicas.iter().enumerate().filter(|(at, _)| bits & bit(*at) != 0).map(|(_, replica)| *replica).collect()
    }

    pub fn set_in_sync(&self, replicas: &[i32], in_sync: &[i32]) {
        let places = replicas.iter().enumerate().filter(|(_, replica)| in_sync.contains(replica));
        self.in_sync.store(places.fold(0, |bits, (at, _)| bits | bit(at)), Ordering::Relaxed);
    }
}

/// A partition has fewer replicas than this has bits; a further one would not be counted as in sync.
fn bit(place: usize) -> u64 {
    u32::try_from(place).ok().and_then(|place| 1_u64.checked_shl(place)).unwrap_or(0)
}

fn pack(leader: Leader) -> u64 {
    let node = leader.node.map_or(-1, |node| node.0);
    u64::from(leader.epoch.0.cast_unsigned()) << 32 | u64::from(node.cast_unsigned())
}

#[expect(clippy::cast_possible_truncation, reason = "the halves are taken apart")]
fn unpack(bits: u64) -> Leader {
    let node = (bits as u32).cast_signed();
    Leader { node: (node >= 0).then_some(NodeId(node)), epoch: LeaderEpoch(((bits >> 32) as u32).cast_signed()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leader(node: i32, epoch: i32) -> Leader {
        Leader { node: (node >= 0).then_some(NodeId(node)), epoch: LeaderEpoch(epoch) }
    }

    #[test]
    fn a_larger_epoch_wins_in_any_order() {
        let known = Leadership::default();
        assert_eq!(known.leader(), leader(-1, -1));
        assert!(known.learn(leader(2, 5)));
        assert!(!known.learn(leader(2, 5)), "nothing new");
        assert!(!known.learn(leader(3, 4)), "an old message");
        assert!(known.learn(leader(-1, 6)), "an election began");
        assert!(known.learn(leader(1, 6)));
        assert_eq!(known.leader(), leader(1, 6));
    }

    #[test]
    fn a_leader_that_went_away_is_forgotten_with_its_epoch_kept() {
        let known = Leadership::default();
        known.learn(leader(0, 0));
        assert!(!known.lose(NodeId(1)));
        assert!(known.lose(NodeId(0)));
        assert_eq!(known.leader(), leader(-1, 0));
        assert!(!known.lose(NodeId(0)));
    }

    #[test]
    fn who_is_in_sync_keeps_the_replicas_order() {
        let known = Leadership::default();
        known.set_in_sync(&[5, 1, 3], &[3, 5, 9]);
        assert_eq!(known.in_sync(&[5, 1, 3]), [5, 3]);
        known.set_in_sync(&[5, 1, 3], &[]);
        assert!(known.in_sync(&[5, 1, 3]).is_empty());
    }
}
