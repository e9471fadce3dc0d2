//! What the broker does with what other nodes send: the three ways in.

use std::rc::Rc;

use thalweg_protocol::NodeId;
use thalweg_raft::{PeerMessage, RaftError};
use thalweg_storage::types::GroupId;

use super::liveness::{Life, PeerState};
use super::request::{PeerRequest, PeerResponse};
use crate::reactor::Core;

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asker {
    pub node: NodeId,
    pub life: Life,
    /// Whether it belongs to this node's cluster. Others ask [`PeerRequest::Hello`] and [`PeerRequest::Join`] only.
    pub is_member: bool,
}

impl Core {
    /// A Raft message of another node, for a group of this core.
    ///
    /// # Errors
    /// [`RaftError::BadMessage`] closes the connection that it came over; others are late or early messages.
    pub(crate) fn peer_message(self: &Rc<Self>, group: GroupId, message: PeerMessage) -> Result<(), RaftError> {
        self.receive_message(group, message)
    }

    /// What became of another node. Every core is told, and [`Peers::is_up`](super::Peers::is_up) says so already.
    pub(crate) fn peer_state(self: &Rc<Self>, node: NodeId, state: PeerState) {
        self.peer_changed(node, state);
    }

    /// Answers another node, on the core that was asked.
    pub(crate) async fn answer(self: &Rc<Self>, asker: Asker, request: PeerRequest) -> PeerResponse {
        match request {
            PeerRequest::Hello(_) | PeerRequest::Join(_) | PeerRequest::Question(_) => {
                self.answer_request(&request).await
            }
            PeerRequest::Kafka(_) | PeerRequest::Piece(_) => {
                tracing::debug!(?asker, "a node asks what no release asks yet");
                PeerResponse::Refused("this node does not answer that yet".to_owned())
            }
        }
    }
}
