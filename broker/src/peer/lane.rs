//! One way from a core to one core of another node: what waits to be sent, and the connection it goes over.
//!
//! The connection is made when there is something to send, and made again when it breaks.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures::future::{AbortHandle, Either, select};
use thalweg_protocol::NodeId;
use thalweg_raft::PeerMessage;
use thalweg_storage::types::GroupId;

use super::dial::{CallError, call};
use super::frame::{self, Frame, Kind};
use super::handshake::{Facts, Purpose};
use super::outbox::{Dropped, Outbox};
use super::questions::Questions;
use super::traffic::NodeTraffic;
use super::wire::{Ended, Progress, Wire};
use super::{Event, Inner};
use crate::limits::PEER_WRITE_TIME_MAX;
use crate::reactor::Signal;

/// Owned by one core.
pub(super) struct Lane {
    pub(super) node: NodeId,
    /// Of the other node.
    pub(super) core: usize,
    outbox: RefCell<Outbox>,
    /// Raised when there is something to send.
    filled: Signal,
    pub(super) questions: Questions,
    traffic: Arc<NodeTraffic>,
    /// Ends the connection, if there is one.
    connection: RefCell<Option<AbortHandle>>,
    /// Which process it leads to.
    incarnation: Cell<u64>,
    /// When the kernel was given what it has not taken yet.
    writing_since: Cell<Option<Instant>>,
    /// Why the node was not reached last, as the log says it.
    complaint: RefCell<Option<String>>,
}

impl Lane {
    pub(super) fn new(node: NodeId, core: usize, traffic: Arc<NodeTraffic>) -> Self {
        Self {
            node,
            core,
            outbox: RefCell::new(Outbox::new()),
            filled: Signal::default(),
            questions: Questions::default(),
            traffic,
            connection: RefCell::default(),
            incarnation: Cell::default(),
            writing_since: Cell::default(),
            complaint: RefCell::default(),
        }
    }

    /// Takes a Raft message; it leaves at the end of the turn.
    pub(super) fn push(&self, group: GroupId, message: PeerMessage) -> Result<(), Dropped> {
        let pushed = self.outbox.borrow_mut().push(group, message, Instant::now());
        if pushed.is_err() {
            self.traffic.dropped_messages.add(1);
        }
        pushed
    }

    /// The end of a turn.
    pub(super) fn seal(&self) {
        if self.outbox.borrow_mut().seal() {
            self.filled.raise();
        }
    }

    /// Sends a frame at once.
    pub(super) fn post(&self, pieces: Vec<Bytes>) -> Result<(), Dropped> {
        self.outbox.borrow_mut().post(pieces, Instant::now())?;
        self.filled.raise();
        Ok(())
    }

    /// Sends a pulse, unless something else is on its way: whatever arrives says as much.
    pub(super) fn pulse(&self) {
        if self.outbox.borrow().is_quiet() {
            // In a pause between two tries it is not sent, which says as much.
            let _ = self.post(frame::plain(Kind::Pulse, 0, Vec::new()));
        }
    }

    /// Ends the connection. It is made again when something is to be sent.
    pub(super) fn cut(&self) {
        if let Some(connection) = self.connection.borrow_mut().take() {
            connection.abort();
        }
    }

    /// A new process is there, or the old one again: connections to another one are of no use.
    pub(super) fn node_is_up(&self, incarnation: u64) {
        if self.incarnation.get() != incarnation {
            self.cut();
        }
        self.outbox.borrow_mut().hurry();
    }

    /// Ends a connection whose other side takes nothing more.
    pub(super) fn cut_if_stuck(&self, now: Instant) {
        let stuck = |since| now.saturating_duration_since(since) > PEER_WRITE_TIME_MAX;
        if self.writing_since.get().is_some_and(stuck) {
            tracing::warn!(
                node = self.node.0,
                "closing a connection to a node that takes nothing for {PEER_WRITE_TIME_MAX:?}"
            );
            self.cut();
        }
    }

    fn is_empty(&self) -> bool {
        self.outbox.borrow().is_empty()
    }

    pub(super) fn complaint(&self) -> String {
        let complaint = self.complaint.borrow();
        complaint.clone().unwrap_or_else(|| "too much waits to be sent to it".to_owned())
    }
}

/// Runs a lane until it, or all of them, are given up.
pub(super) async fn run(peers: Weak<Inner>, lane: Rc<Lane>) {
    let mut seen = 0;
    loop {
        while lane.is_empty() {
            seen = lane.filled.wait(seen).await;
        }
        let Some(peers) = peers.upgrade() else { return };
        lane.outbox.borrow_mut().connecting();
        match reach(&peers, &lane).await {
            Ok((wire, facts)) => {
                lane.traffic.connects.add(1);
                lane.reached(&peers, &facts);
                let ended = connection(&lane, wire).await;
                tracing::debug!(node = lane.node.0, core = lane.core, %ended, "the connection to a node ended");
                lane.broke(&peers);
            }
            Err(error) => {
                lane.traffic.connect_failures.add(1);
                lane.failed(&peers, &error);
            }
        }
    }
}

async fn reach(peers: &Inner, lane: &Lane) -> Result<(Wire, Facts), CallError> {
    let address = peers.shared.directory.get(lane.node).ok_or(CallError::NoAddress)?;
    let (wire, facts) = call(&peers.shared, address, Purpose::Lane, (peers.me.0, lane.core)).await?;
    if facts.id() == lane.node { Ok((wire, facts)) } else { Err(CallError::Other(facts.node)) }
}

impl Lane {
    fn reached(&self, peers: &Inner, facts: &Facts) {
        if let Some(complaint) = self.complaint.borrow_mut().take() {
            peers.said.forget(&complaint);
        }
        self.incarnation.set(facts.incarnation);
        peers.note_cores(self.node, facts.cores);
        self.outbox.borrow_mut().connected();
    }

    fn broke(&self, peers: &Inner) {
        self.writing_since.set(None);
        self.questions.fail_all();
        let dropped = self.outbox.borrow_mut().broke();
        // What was sent may not have arrived.
        peers.note_broken(self.node, self.core);
        peers.note_unreachable(self.node, dropped);
    }

    fn failed(&self, peers: &Inner, error: &CallError) {
        self.questions.fail_all();
        let dropped = self.outbox.borrow_mut().failed(Instant::now());
        self.traffic.dropped_messages.add(dropped.len() as u64);
        peers.note_unreachable(self.node, dropped);
        if error.is_refused_by_kernel() {
            peers.note(Event::Gone(self.node));
        }
        let complaint = format!("node {} is not reached: {error}", self.node);
        if error.is_lasting() && peers.said.is_news(&complaint, Instant::now()) {
            tracing::error!("{complaint}");
        }
        self.complaint.replace(Some(complaint));
    }
}

/// Sends and receives until the connection ends, or is ended.
async fn connection(lane: &Lane, mut wire: Wire) -> Ended {
    let (abort, registration) = AbortHandle::new_pair();
    lane.connection.replace(Some(abort));
    let stream = wire.stream.clone();
    let sending = async {
        let mut seen = 0;
        loop {
            while let Some(pieces) = lane.next_pieces() {
                lane.writing_since.set(Some(Instant::now()));
                if let Err(error) = stream.send(pieces).await {
                    return Ended::Io(error);
                }
                lane.writing_since.set(None);
                lane.written();
            }
            seen = lane.filled.wait(seen).await;
        }
    };
    let both = select(Box::pin(sending), Box::pin(receive_answers(lane, &mut wire)));
    let ended = futures::future::Abortable::new(both, registration).await;
    lane.connection.replace(None);
    match ended {
        Ok(Either::Left((ended, _)) | Either::Right((ended, _))) => ended,
        Err(_) => Ended::Closed,
    }
}

/// Nothing but answers comes back on a lane.
async fn receive_answers(lane: &Lane, wire: &mut Wire) -> Ended {
    let progress = Progress::default();
    loop {
        match super::questions::receive(wire, &progress).await {
            Ok(Frame::Response(id, body)) => {
                lane.traffic.received_bytes.add(progress.bytes.take());
                lane.traffic.received_frames.add(1);
                lane.questions.answered(id, body);
            }
            Ok(_) => return Ended::Frame(frame::FrameError::Body("something else than an answer")),
            Err(ended) => return ended,
        }
    }
}

impl Lane {
    fn next_pieces(&self) -> Option<Vec<Bytes>> {
        let pieces = self.outbox.borrow_mut().take();
        (!pieces.is_empty()).then_some(pieces)
    }

    fn written(&self) {
        let (bytes, frames) = {
            let mut outbox = self.outbox.borrow_mut();
            (outbox.written(), outbox.take_frames())
        };
        self.traffic.sent_bytes.add(bytes as u64);
        self.traffic.sent_frames.add(frames);
    }
}
