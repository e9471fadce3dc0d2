//! Taking a node in: what the leader of the controller's group does for one that asks.
//!
//! A node that lost its data may have been a voter. It has forgotten what it promised, so its vote goes first, and only then
//! it comes back, as a learner that reads the whole log.

use std::rc::Rc;

use thalweg_protocol::NodeId;
use thalweg_raft::{Member, MemberChange, MembershipChange, ProposeError, raft_id};
use thalweg_storage::types::RaftIndex;

use super::identity::ClusterIdentity;
use super::question::{Joining, Question, Reply};
use crate::controller::GROUP;
use crate::limits::{CONTROLLER_SEARCH_INTERVAL, PEER_ANSWER_TIME_MAX};
use crate::reactor::{Core, within};

impl Core {
    /// On the first core. A node that does not lead the controller's group asks the one that does.
    pub(super) async fn take_in(self: Rc<Self>, joining: Joining) -> Reply {
        let Some(cluster) = self.shared.cluster.get() else { return Reply::NotController };
        let leader = self.with_partition(GROUP, |partition| partition.leader().node).flatten();
        match leader {
            Some(node) if node == self.shared.config.node_id => {
                let taken = within(PEER_ANSWER_TIME_MAX, self.add_learner(NodeId(joining.node_id))).await;
                match taken {
                    Some(Ok(index)) => Reply::Joined(ClusterIdentity { joined_at: index.0, ..cluster.clone() }),
                    Some(Err(ProposeError::NotLeader { .. })) | None => Reply::NotController,
                    Some(Err(error)) => Reply::Refused(error.to_string()),
                }
            }
            Some(node) => {
                let asked = self.ask_question(node, Question::Join(joining), PEER_ANSWER_TIME_MAX).await;
                asked.unwrap_or(Reply::NotController)
            }
            None => Reply::NotController,
        }
    }

    /// Where the log takes the node in.
    async fn add_learner(&self, node: NodeId) -> Result<RaftIndex, ProposeError> {
        let id = raft_id(node);
        let members = || self.raft.borrow().membership(GROUP).unwrap_or_default();
        if members().voters.contains(&id) || members().learners.contains(&id) {
            self.change_members(id, Member::Remove).await?;
        }
        let index = self.change_members(id, Member::Learner).await?;
        tracing::info!(node = node.0, %index, "a node joins the cluster");
        Ok(index)
    }

    /// Proposes one change of the controller's members and waits until it holds.
    pub(crate) async fn change_members(&self, id: u64, to: Member) -> Result<RaftIndex, ProposeError> {
        let change = MembershipChange { changes: vec![MemberChange { id, to }] };
        let index = loop {
            let proposed = self.raft.borrow_mut().propose_membership(GROUP, &change);
            match proposed {
                Ok((index, _)) => break index,
                // One at a time: the other ends by itself.
                Err(ProposeError::ChangePending(_)) => crate::reactor::sleep(CONTROLLER_SEARCH_INTERVAL).await,
                Err(error) => return Err(error),
            }
        };
        self.turn.raise();
        let mut seen = self.progress.count();
        loop {
            let status = self.raft.borrow().status(GROUP);
            let status = status.ok_or(ProposeError::UnknownGroup(GROUP))?;
            if status.leader != Some(raft_id(self.shared.config.node_id)) {
                return Err(ProposeError::NotLeader { leader: status.leader, term: status.term });
            }
            if status.applied >= index {
                return Ok(index);
            }
            seen = self.progress.wait(seen).await;
        }
    }
}
