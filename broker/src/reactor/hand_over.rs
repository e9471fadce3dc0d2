//! Giving leadership away before this node stops, so that nobody has to find out by silence.

use std::rc::Rc;
use std::time::{Duration, Instant};

use thalweg_raft::raft_id;
use thalweg_storage::types::GroupId;

use super::core::Core;

/// How long the successors get; whoever has not taken over by then is elected after this node fell silent.
const HAND_OVER_TIME_MAX: Duration = Duration::from_secs(3);

/// How often it is looked whether they did.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// A transfer that came to nothing is asked for again.
const ASK_INTERVAL: Duration = Duration::from_millis(500);

impl Core {
    /// Asks the follower that is farthest of each group which this core leads to take over, and waits until they have.
    pub(super) async fn hand_over(self: &Rc<Self>) {
        let began = Instant::now();
        let mut asked: Option<Instant> = None;
        loop {
            let led = self.led_with_others();
            if led.is_empty() || began.elapsed() > HAND_OVER_TIME_MAX {
                return;
            }
            if asked.is_none_or(|at| at.elapsed() > ASK_INTERVAL) {
                asked = Some(Instant::now());
                led.iter().for_each(|group| self.hand_over_group(*group));
            }
            thalweg_reactor::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Groups that this core leads and that have somebody to lead them instead.
    fn led_with_others(&self) -> Vec<GroupId> {
        let partitions = self.partitions.borrow();
        let led = partitions.iter().filter(|(_, partition)| partition.borrow().leads()).map(|(group, _)| *group);
        led.filter(|group| self.successor(*group).is_some()).collect()
    }

    fn hand_over_group(&self, group: GroupId) {
        let Some(successor) = self.successor(group) else { return };
        if let Err(error) = self.raft.borrow_mut().transfer_leader(group, successor) {
            tracing::debug!(%group, %error, "leadership stays here");
        }
        self.turn.raise();
    }

    /// The voter whose log goes farthest, this node left out.
    fn successor(&self, group: GroupId) -> Option<u64> {
        let raft = self.raft.borrow();
        let voters = raft.membership(group)?.voters;
        let me = raft_id(self.shared.config.node_id);
        let others = raft.matched(group).into_iter().filter(|(id, _)| *id != me && voters.contains(id));
        others.max_by_key(|(_, matched)| *matched).map(|(id, _)| id)
    }
}
