//! Election timeouts from our own seed.
//!
//! The library draws them from the thread's random source, so that no two runs are alike. Whatever it drew is replaced
//! by a pure function of seed, node, group, term and attempt: no stream of numbers whose order could depend on anything
//! else, and no need to guess when the library drew.

use thalweg_storage::types::GroupId;

/// Of three members that lost a fourth, two seldom draw the same.
const TICKS_WITHOUT_LEADER: u64 = 4;

#[derive(Clone, Copy, Debug)]
pub(crate) struct ElectionTimeouts {
    seed: u64,
    ticks: usize,
}

impl ElectionTimeouts {
    pub(crate) fn new(seed: u64, raft_id: u64, election_ticks: usize) -> Self {
        Self { seed: mix(seed ^ mix(raft_id)), ticks: election_ticks }
    }

    /// In `ticks..2 * ticks`, which is the range that the library accepts.
    pub(crate) fn ticks(&self, group: GroupId, term: u64, attempt: u64) -> usize {
        let drawn = mix(self.seed ^ mix(group.0 ^ mix(term ^ mix(attempt))));
        self.ticks + usize::try_from(drawn % self.ticks as u64).unwrap_or(0)
    }

    /// How long a follower waits that was told of its leader's end: not the silence, only so long that not all stand at once.
    pub(crate) fn ticks_without_leader(&self, group: GroupId, term: u64) -> usize {
        let drawn = mix(self.seed ^ mix(group.0 ^ mix(term ^ mix(u64::MAX))));
        1 + usize::try_from(drawn % TICKS_WITHOUT_LEADER).unwrap_or(0)
    }
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood 2014).
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_fill_their_range_and_repeat() {
        let timeouts = ElectionTimeouts::new(7, 1, 10);
        let drawn: Vec<_> = (0..1000).map(|group| timeouts.ticks(GroupId(group), 3, 0)).collect();
        assert!(drawn.iter().all(|ticks| (10..20).contains(ticks)));
        assert!((10..20).all(|ticks| drawn.contains(&ticks)));
        let again: Vec<_> =
            (0..1000).map(|group| ElectionTimeouts::new(7, 1, 10).ticks(GroupId(group), 3, 0)).collect();
        assert_eq!(drawn, again);
    }

    #[test]
    fn nodes_groups_and_attempts_differ() {
        let of = |node, group, attempt| ElectionTimeouts::new(7, node, 1000).ticks(GroupId(group), 3, attempt);
        assert_ne!(of(1, 1, 0), of(2, 1, 0));
        assert_ne!(of(1, 1, 0), of(1, 2, 0));
        assert_ne!(of(1, 1, 0), of(1, 1, 1));
    }
}
