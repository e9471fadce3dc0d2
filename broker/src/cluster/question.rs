//! What one node asks another, beside Raft: as JSON, since none of it is frequent.

use std::rc::Rc;

use serde::{Deserialize, Serialize};
use thalweg_protocol::NodeId;
use thalweg_storage::types::GroupId;
use uuid::Uuid;

use super::forming::Hello;
use super::identity::ClusterIdentity;
use super::transactions::{Marking, Vouching};
use crate::controller::{Command, ControllerError, Outcome, Rejection};
use crate::limits::PEER_ANSWER_TIME_MAX;
use crate::reactor::{Core, CoreId};

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Who are you, and of which cluster?
    Hello,
    /// Take this node into the controller's group.
    Join(Joining),
    /// Have the controller apply these; asked of its leader.
    Propose(Vec<Command>),
    /// Who leads these partitions now.
    Leaders(Vec<LeaderNotice>),
    Vouch(Vouching),
    Mark(Marking),
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    Hello(Hello),
    Joined(ClusterIdentity),
    /// The outcomes, and the image's version that has them all.
    Proposed(Vec<Result<Outcome, Rejection>>, u64),
    /// Ask again later, or somebody else: nothing was done.
    NotController,
    /// Groups of which this node does not know yet.
    Unknown(Vec<u64>),
    /// Kafka's error code for each of what was asked about, in that order.
    Codes(Vec<i16>),
    /// Why not.
    Refused(String),
}

/// A node that wants in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Joining {
    pub node_id: i32,
    pub directory_id: Uuid,
    pub address: String,
}

/// What a leader tells of its partition.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LeaderNotice {
    pub group: u64,
    pub leader: i32,
    pub epoch: i32,
    pub in_sync: Vec<i32>,
}

impl LeaderNotice {
    pub fn group(&self) -> GroupId {
        GroupId(self.group)
    }
}

impl Core {
    /// Has the leader of the controller's group apply commands.
    pub(crate) async fn forward_commands(
        self: &Rc<Self>,
        leader: NodeId,
        commands: Vec<Command>,
    ) -> Result<(Vec<Result<Outcome, Rejection>>, u64), ControllerError> {
        match self.ask_question(leader, Question::Propose(commands), PEER_ANSWER_TIME_MAX).await {
            Ok(Reply::Proposed(outcomes, version)) => Ok((outcomes, version)),
            Ok(Reply::NotController) => Err(ControllerError::NotController),
            Ok(Reply::Refused(why)) => Err(ControllerError::Unwritable(why)),
            Ok(_) | Err(_) => Err(ControllerError::Unheard),
        }
    }

    /// Answers another node, on whichever core was asked.
    pub(crate) async fn answer_question(self: Rc<Self>, question: Question) -> Reply {
        match question {
            Question::Hello => Reply::Hello(self.shared.hello()),
            Question::Leaders(notices) => Reply::Unknown(self.learn_leaders(&notices)),
            Question::Vouch(vouching) => Reply::Codes(self.vouch(vouching).await),
            Question::Mark(marking) => Reply::Codes(self.mark(marking).await),
            Question::Join(joining) => {
                let joined = self.on(CoreId::FIRST, move |core| async move { core.take_in(joining).await }).await;
                joined.unwrap_or_else(|stopping| Reply::Refused(stopping.to_string()))
            }
            Question::Propose(commands) => {
                let proposed =
                    self.on(CoreId::FIRST, move |core| async move { core.propose_commands(commands).await }).await;
                match proposed.map_err(ControllerError::from).and_then(std::convert::identity) {
                    Ok((outcomes, version)) => Reply::Proposed(outcomes, version),
                    Err(ControllerError::NotController) => Reply::NotController,
                    Err(error) => Reply::Refused(error.to_string()),
                }
            }
        }
    }
}
