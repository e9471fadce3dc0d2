//! Questions that one node asks another, and their answers, over a lane.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures::channel::oneshot;
use thalweg_protocol::NodeId;
use thalweg_reactor::within;

use super::frame::{self, Frame, Kind};
use super::lane::CallError;
use super::wire::Ended;
use crate::cluster::question::{Question, Reply};
use crate::config::listeners::HostPort;
use crate::limits::PEER_QUESTIONS_MAX;
use crate::reactor::Core;

/// Questions of a lane that wait for their answers.
#[derive(Default)]
pub(super) struct Questions {
    waiting: RefCell<HashMap<u64, oneshot::Sender<Bytes>>>,
    next: Cell<u64>,
}

/// Why there is no answer. Whether the other node did what it was asked is then not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error("too many questions wait for an answer")]
    TooMany,
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    #[error("the connection ended before the answer came")]
    Broken,
    #[error("what is said is not understood: {0}")]
    Text(#[from] serde_json::Error),
    #[error("{0}")]
    Unreached(String),
}

impl Questions {
    fn expect(&self) -> Option<(u64, oneshot::Receiver<Bytes>)> {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() >= PEER_QUESTIONS_MAX {
            return None;
        }
        let id = self.next.get();
        self.next.set(id + 1);
        let (sender, receiver) = oneshot::channel();
        waiting.insert(id, sender);
        Some((id, receiver))
    }

    pub(super) fn answered(&self, id: u64, body: Bytes) {
        if let Some(sender) = self.waiting.borrow_mut().remove(&id) {
            // Whoever asked may have lost patience.
            let _ = sender.send(body);
        }
    }

    fn forget(&self, id: u64) {
        self.waiting.borrow_mut().remove(&id);
    }

    pub(super) fn fail_all(&self) {
        self.waiting.borrow_mut().clear();
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
        let body = serde_json::to_vec(&question)?;
        let lane = self.lane(node, 0);
        let (id, answer) = lane.questions.expect().ok_or(AskError::TooMany)?;
        lane.post([frame::plain(Kind::Request, id, &body)]);
        let answer = within(time_max, answer).await;
        lane.questions.forget(id);
        let answer = answer.ok_or(AskError::TimedOut(time_max))?.map_err(|_| AskError::Broken)?;
        Ok(serde_json::from_slice(&answer)?)
    }

    /// Asks a node whose id is not known yet, on a connection for this question alone.
    pub(crate) async fn ask_question_at(
        self: &Rc<Self>,
        address: HostPort,
        question: Question,
        time_max: Duration,
    ) -> Result<Reply, AskError> {
        let body = serde_json::to_vec(&question)?;
        let asked = async {
            let (mut wire, _) = self.call_address(address.to_string(), 0).await?;
            wire.stream.send(vec![frame::plain(Kind::Request, 0, &body)]).await?;
            let config = &self.shared.config;
            match wire.frame(&config.message_limits(), config.peer_frame_max_bytes()).await? {
                Frame::Response(0, body) => Ok(body),
                _ => Err(CallError::Ended(Ended::Closed)),
            }
        };
        let answer = within(time_max, asked).await.ok_or(AskError::TimedOut(time_max))?;
        let answer = answer.map_err(|error: CallError| AskError::Unreached(error.to_string()))?;
        Ok(serde_json::from_slice(&answer)?)
    }
}
