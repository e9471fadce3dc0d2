//! Requests to other nodes, and what waits for their answers.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures::channel::oneshot;
use thalweg_protocol::NodeId;
use thalweg_raft::MessageLimits;
use thalweg_reactor::within;

use super::dial::{CallError, call};
use super::frame::{self, Frame, FrameError, Kind};
use super::handshake::Purpose;
use super::request::{PeerRequest, PeerResponse};
use super::wire::{Ended, Progress, Wire};
use crate::limits::{PEER_ANSWER_MAX_BYTES, PEER_QUESTIONS_MAX};
use crate::reactor::{Core, CoreId};

/// Why there is no answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AskError {
    /// Nothing was done.
    #[error("too much is asked of this node at once")]
    Busy,
    /// Nothing was done.
    #[error("{0}")]
    Unreached(String),
    /// Nothing was done, and nothing will be until somebody changes something. The line says what.
    #[error("{0}")]
    Refused(String),
    /// Whether it was done is not known.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// Whether it was done is not known.
    #[error("the connection ended before the answer came")]
    Broken,
    /// Whether it was done is not known.
    #[error("{0}")]
    Malformed(String),
}

/// Requests of a lane that wait for their answers.
#[derive(Default)]
pub(super) struct Questions {
    waiting: RefCell<HashMap<u64, oneshot::Sender<Bytes>>>,
    next: Cell<u64>,
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

/// The next frame on a connection over which only answers come.
pub(super) async fn receive(wire: &mut Wire, progress: &Progress) -> Result<Frame, Ended> {
    let none = MessageLimits { entries_max: 0, entry_size_max_bytes: 0, snapshot_size_max_bytes: 0 };
    let head = wire.head(PEER_ANSWER_MAX_BYTES, progress).await?;
    wire.frame(&head, &none, progress).await
}

impl Core {
    /// Asks the first core of another node.
    pub async fn ask(
        self: &Rc<Self>,
        to: NodeId,
        request: PeerRequest,
        time_max: Duration,
    ) -> Result<PeerResponse, AskError> {
        self.ask_core(to, CoreId::FIRST, request, time_max).await
    }

    /// Asks one core of another node; a node that has fewer gives it to one that it has.
    pub async fn ask_core(
        self: &Rc<Self>,
        to: NodeId,
        core: CoreId,
        request: PeerRequest,
        time_max: Duration,
    ) -> Result<PeerResponse, AskError> {
        let lane = self.peers.lane(to, core.0).ok_or(AskError::Busy)?;
        let (id, answer) = lane.questions.expect().ok_or(AskError::Busy)?;
        if lane.post(frame::plain(Kind::Request, id, request.encode())).is_err() {
            lane.questions.forget(id);
            return Err(AskError::Unreached(lane.complaint()));
        }
        let answer = within(time_max, answer).await;
        lane.questions.forget(id);
        let body = answer.ok_or(AskError::TimedOut(time_max))?.map_err(|_| AskError::Broken)?;
        understood(body)
    }

    /// Asks the first core of a node whose id is not known yet, on a connection for this alone.
    pub async fn ask_address(
        self: &Rc<Self>,
        address: String,
        request: PeerRequest,
        time_max: Duration,
    ) -> Result<PeerResponse, AskError> {
        let asked = async {
            let between = (self.id.0, CoreId::FIRST.0);
            let called = call(&self.shared, address.clone(), Purpose::Question, between).await;
            let (mut wire, _) = called.map_err(|error| self.peers.unreached(&address, &error))?;
            let sent = wire.stream.send(frame::plain(Kind::Request, 0, request.encode())).await;
            sent.map_err(|_| AskError::Broken)?;
            match receive(&mut wire, &Progress::default()).await {
                Ok(Frame::Response(0, body)) => understood(body),
                Ok(_) => Err(AskError::Malformed("something else than an answer came".to_owned())),
                Err(Ended::Frame(error)) => Err(AskError::Malformed(error.to_string())),
                Err(_) => Err(AskError::Broken),
            }
        };
        within(time_max, asked).await.unwrap_or(Err(AskError::TimedOut(time_max)))
    }
}

fn understood(body: Bytes) -> Result<PeerResponse, AskError> {
    match PeerResponse::decode(body) {
        Ok(PeerResponse::Busy) => Err(AskError::Busy),
        Ok(response) => Ok(response),
        Err(error) => Err(AskError::Malformed(FrameError::to_string(&error))),
    }
}

impl super::Peers {
    /// What became of a call, said in the log where somebody has to do something about it.
    fn unreached(&self, address: &str, error: &CallError) -> AskError {
        let line = format!("{address} does not take this node's call: {error}");
        if !error.is_lasting() {
            return AskError::Unreached(error.to_string());
        }
        if self.inner.said.is_news(&line, std::time::Instant::now()) {
            tracing::error!("{line}");
        }
        AskError::Refused(error.to_string())
    }
}
