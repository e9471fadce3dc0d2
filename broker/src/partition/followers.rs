//! Which followers are in sync, by Kafka's rule: those that had all that the leader had, not longer ago than
//! `replica.lag.time.max.ms`, on nodes that are alive.
//!
//! Raft decides what is committed without it. It says how much a client with acks=all can count on, and is shown to everybody.

use std::time::{Duration, Instant};

use thalweg_protocol::NodeId;
use thalweg_raft::node_id;
use thalweg_storage::types::RaftIndex;

/// As of the last look. Of a leader.
#[derive(Default)]
pub(super) struct Followers {
    known: Vec<Follower>,
    /// The end of the leader's log at the last look.
    end: RaftIndex,
}

struct Follower {
    id: u64,
    /// When it last had what the leader had one look before.
    caught_up: Instant,
}

impl Followers {
    /// Those in sync now, the leader among them. `matched` is how far each member's log is known to go.
    pub(super) fn look(
        &mut self,
        leader: NodeId,
        matched: &[(u64, RaftIndex)],
        end: RaftIndex,
        moment: Moment<impl Fn(NodeId) -> bool>,
    ) -> Vec<i32> {
        let Moment { now, lag_max, is_up } = moment;
        self.known.retain(|follower| matched.iter().any(|(id, _)| *id == follower.id));
        let mut in_sync = vec![leader.0];
        for (id, matched) in matched {
            let Some(node) = node_id(*id).filter(|node| *node != leader) else { continue };
            let has_all = *matched >= self.end;
            let follower = match self.known.iter_mut().find(|follower| follower.id == *id) {
                Some(follower) => follower,
                None => {
                    // A new leader gives everybody the time to be heard of; who has nothing yet must first catch up.
                    let caught_up = if *matched > RaftIndex::default() || has_all { now } else { now - lag_max };
                    self.known.push(Follower { id: *id, caught_up });
                    match self.known.last_mut() {
                        Some(follower) => follower,
                        None => continue,
                    }
                }
            };
            if has_all {
                follower.caught_up = now;
            }
            if is_up(node) && now.saturating_duration_since(follower.caught_up) < lag_max {
                in_sync.push(node.0);
            }
        }
        self.end = end;
        in_sync
    }
}

/// When it is looked, and by which measure.
pub(crate) struct Moment<Up> {
    pub(crate) now: Instant,
    pub(crate) lag_max: Duration,
    pub(crate) is_up: Up,
}

/// The last index that `count` members have.
pub(super) fn held_by(count: usize, matched: &[(u64, RaftIndex)]) -> RaftIndex {
    let mut held: Vec<RaftIndex> = matched.iter().map(|(_, index)| *index).collect();
    held.sort_unstable_by(|a, b| b.cmp(a));
    count.checked_sub(1).and_then(|at| held.get(at).copied()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAG_MAX: Duration = Duration::from_secs(30);

    fn matched(of: [u64; 3]) -> Vec<(u64, RaftIndex)> {
        (1..).zip(of).map(|(id, index)| (id, RaftIndex(index))).collect()
    }

    fn look(followers: &mut Followers, now: Instant, of: [u64; 3], end: u64) -> Vec<i32> {
        followers.look(NodeId(0), &matched(of), RaftIndex(end), Moment { now, lag_max: LAG_MAX, is_up: |_| true })
    }

    #[test]
    fn who_keeps_up_with_the_last_look_is_in_sync_although_the_end_runs_ahead() {
        let (mut followers, mut now) = (Followers::default(), Instant::now());
        for round in 1..200 {
            now += Duration::from_secs(1);
            let end = round * 100;
            assert_eq!(look(&mut followers, now, [end, end - 40, end - 99], end), [0, 1, 2]);
        }
    }

    #[test]
    fn who_falls_behind_is_out_when_its_time_is_over_and_in_again_when_it_caught_up() {
        let (mut followers, start) = (Followers::default(), Instant::now());
        assert_eq!(look(&mut followers, start, [10, 10, 10], 10), [0, 1, 2]);
        let mut seen = Vec::new();
        for second in 1..40 {
            let end = 10 + second * 10;
            seen.push(look(&mut followers, start + Duration::from_secs(second), [end, end, 10], end).len());
        }
        // The first look after the pause still finds what the last one before it had.
        let out = seen.iter().position(|count| *count == 2);
        assert_eq!(out, Some(30), "{seen:?}");
        assert_eq!(look(&mut followers, start + Duration::from_secs(40), [410, 410, 400], 410), [0, 1, 2]);
    }

    #[test]
    fn a_node_that_is_down_is_out_at_once() {
        let mut followers = Followers::default();
        let moment = Moment { now: Instant::now(), lag_max: LAG_MAX, is_up: |node: NodeId| node != NodeId(2) };
        assert_eq!(followers.look(NodeId(0), &matched([5, 5, 5]), RaftIndex(5), moment), [0, 1]);
    }

    #[test]
    fn what_so_many_members_hold() {
        let of = matched([9, 4, 7]);
        assert_eq!([0, 1, 2, 3, 4].map(|count| held_by(count, &of).0), [0, 9, 7, 4, 0]);
    }
}
