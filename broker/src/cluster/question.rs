//! What one node asks another, beside Raft: as JSON, since none of it is frequent.

use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thalweg_protocol::NodeId;
use thalweg_storage::types::GroupId;
use uuid::Uuid;

use super::forming::Hello;
use super::identity::ClusterIdentity;
use super::transactions::{Marking, Vouching};
use crate::config::listeners::HostPort;
use crate::controller::{Command, ControllerError, Outcome, Rejection};
use crate::limits::PEER_ANSWER_TIME_MAX;
use crate::peer::{AskError, PeerRequest, PeerResponse};
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

impl Question {
    /// Strangers may ask who this node is, and to be taken in; that is said outside of the text.
    fn into_request(self) -> Result<PeerRequest, AskError> {
        let text = serde_json::to_vec(&self).map_err(|error| AskError::Malformed(error.to_string()))?.into();
        Ok(match self {
            Self::Hello => PeerRequest::Hello(text),
            Self::Join(_) => PeerRequest::Join(text),
            _ => PeerRequest::Question(text),
        })
    }

    /// A text that is not of the kind that was said is a lie.
    fn from_request(request: &PeerRequest) -> Option<Self> {
        let (PeerRequest::Hello(text) | PeerRequest::Join(text) | PeerRequest::Question(text)) = request else {
            return None;
        };
        let question = serde_json::from_slice(text).ok()?;
        let fits = match &question {
            Self::Hello => matches!(request, PeerRequest::Hello(_)),
            Self::Join(_) => matches!(request, PeerRequest::Join(_)),
            _ => matches!(request, PeerRequest::Question(_)),
        };
        fits.then_some(question)
    }
}

impl Reply {
    fn from_response(response: PeerResponse) -> Result<Self, AskError> {
        match response {
            PeerResponse::Answer(text) => {
                serde_json::from_slice(&text).map_err(|error| AskError::Malformed(error.to_string()))
            }
            PeerResponse::Refused(why) => Ok(Self::Refused(why)),
            PeerResponse::Busy => Err(AskError::Busy),
        }
    }
}

impl Core {
    /// Asks the first core of another node.
    pub(crate) async fn ask_question(
        self: &Rc<Self>,
        node: NodeId,
        question: Question,
        time_max: Duration,
    ) -> Result<Reply, AskError> {
        Reply::from_response(self.ask(node, question.into_request()?, time_max).await?)
    }

    /// Asks a node whose id is not known yet.
    pub(crate) async fn ask_question_at(
        self: &Rc<Self>,
        address: HostPort,
        question: Question,
        time_max: Duration,
    ) -> Result<Reply, AskError> {
        Reply::from_response(self.ask_address(address.to_string(), question.into_request()?, time_max).await?)
    }

    /// Answers what other nodes ask in this way.
    pub(crate) async fn answer_request(self: &Rc<Self>, request: &PeerRequest) -> PeerResponse {
        let Some(question) = Question::from_request(request) else {
            return PeerResponse::Refused("this is not understood".to_owned());
        };
        let reply = Rc::clone(self).answer_question(question).await;
        match serde_json::to_vec(&reply) {
            Ok(text) => PeerResponse::Answer(text.into()),
            Err(error) => PeerResponse::Refused(error.to_string()),
        }
    }

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
            // Nothing was done: whoever leads by then may be asked again.
            Err(AskError::Unreached(_) | AskError::Refused(_) | AskError::Busy) => Err(ControllerError::NotController),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_of_the_kind_that_it_is_said_to_be() {
        let joining = Joining { node_id: 1, directory_id: Uuid::nil(), address: "a:1".into() };
        for question in [Question::Hello, Question::Join(joining), Question::Propose(Vec::new())] {
            let request = question.clone().into_request();
            assert_eq!(request.as_ref().ok().and_then(Question::from_request), Some(question.clone()));
            let Ok(PeerRequest::Hello(text) | PeerRequest::Join(text) | PeerRequest::Question(text)) = request else {
                panic!("{question:?}");
            };
            // A stranger may say hello; what is more must not come under that name.
            let disguised = Question::from_request(&PeerRequest::Hello(text.clone()));
            assert_eq!(disguised.is_some(), question == Question::Hello);
            assert_eq!(Question::from_request(&PeerRequest::Kafka(text)), None);
        }
        assert_eq!(Question::from_request(&PeerRequest::Question(bytes::Bytes::from_static(b"{"))), None);
    }
}
