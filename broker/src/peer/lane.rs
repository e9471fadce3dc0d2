//! One way to one core of another node: what waits to be sent, and the connection it goes over.
//!
//! The connection is made when there is something to send, and made again when it breaks. Raft messages that meet no
//! connection are not kept for long: Raft sends again, and what is old is of no use.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::{Either, select};
use thalweg_protocol::NodeId;
use thalweg_raft::PeerMessage;
use thalweg_reactor::{Stream, sleep, unblock, within};
use thalweg_storage::types::GroupId;

use super::frame::{self, Frame};
use super::handshake::{Answer, Call, Facts};
use super::questions::Questions;
use super::wire::{Ended, Wire};
use crate::limits::{PEER_CONNECT_TIME_MAX, PEER_LANE_MAX_BYTES, PEER_LANE_UNCONNECTED_MAX_BYTES};
use crate::reactor::{Core, Signal};

/// What is gathered before a frame is made of it although the turn goes on.
const FRAME_BYTES: usize = 4 << 20;

/// What a message counts for besides its entries.
const MESSAGE_BYTES: usize = 64;

/// Pauses between tries to connect.
const BACKOFF_MIN: Duration = Duration::from_millis(20);
const BACKOFF_MAX: Duration = Duration::from_millis(500);

pub(super) struct Lane {
    node: NodeId,
    /// Of the other node.
    core: usize,
    gathered: RefCell<Vec<(GroupId, PeerMessage)>>,
    gathered_bytes: Cell<usize>,
    /// Pieces of frames, to be sent in this order.
    outbox: RefCell<Vec<Bytes>>,
    outbox_bytes: Cell<usize>,
    connected: Cell<bool>,
    /// Raised when there is something to send.
    filled: Signal,
    pub(super) questions: Questions,
}

impl Lane {
    pub(super) fn new(node: NodeId, core: usize) -> Self {
        Self {
            node,
            core,
            gathered: RefCell::default(),
            gathered_bytes: Cell::new(0),
            outbox: RefCell::default(),
            outbox_bytes: Cell::new(0),
            connected: Cell::new(false),
            filled: Signal::default(),
            questions: Questions::default(),
        }
    }

    /// Takes a message; false if it was dropped, as too much waits already.
    pub(super) fn push(&self, group: GroupId, message: PeerMessage) -> bool {
        let room = if self.connected.get() { PEER_LANE_MAX_BYTES } else { PEER_LANE_UNCONNECTED_MAX_BYTES };
        if self.outbox_bytes.get() + self.gathered_bytes.get() > room {
            return false;
        }
        let bytes = MESSAGE_BYTES + message.entries.iter().map(|entry| entry.data.len()).sum::<usize>();
        self.gathered.borrow_mut().push((group, message));
        self.gathered_bytes.set(self.gathered_bytes.get() + bytes);
        if self.gathered_bytes.get() > FRAME_BYTES {
            self.seal();
        }
        true
    }

    /// Makes a frame of what was gathered.
    pub(super) fn seal(&self) {
        let gathered = std::mem::take(&mut *self.gathered.borrow_mut());
        if !gathered.is_empty() {
            self.gathered_bytes.set(0);
            self.post(frame::raft(&gathered));
        }
    }

    /// Sends a frame as it is.
    pub(super) fn post(&self, pieces: impl IntoIterator<Item = Bytes>) {
        let mut outbox = self.outbox.borrow_mut();
        let before = outbox.len();
        outbox.extend(pieces);
        let bytes: usize = outbox.iter().skip(before).map(Bytes::len).sum();
        self.outbox_bytes.set(self.outbox_bytes.get() + bytes);
        self.filled.raise();
    }

    fn take(&self) -> Vec<Bytes> {
        self.outbox_bytes.set(0);
        std::mem::take(&mut *self.outbox.borrow_mut())
    }

    /// Whether a pulse would say something that nothing else on its way does.
    pub(super) fn has_room_for_pulse(&self) -> bool {
        self.is_empty()
    }

    fn is_empty(&self) -> bool {
        self.outbox.borrow().is_empty()
    }
}

/// Runs a lane for as long as its core.
pub(super) async fn run(core: Rc<Core>, lane: Rc<Lane>) {
    let mut backoff = BACKOFF_MIN;
    let mut seen = 0;
    loop {
        if lane.is_empty() {
            seen = lane.filled.wait(seen).await;
        }
        match core.call(lane.node, lane.core).await {
            Ok((wire, facts)) => {
                backoff = BACKOFF_MIN;
                core.met(lane.node, &facts);
                lane.connected.set(true);
                let ended = carry(&core, &lane, wire).await;
                lane.connected.set(false);
                tracing::debug!(node = lane.node.0, %ended, "the connection to another node ended");
            }
            Err(error) => {
                if error.is_refused_by_kernel() {
                    core.node_gone(lane.node);
                }
                tracing::debug!(node = lane.node.0, %error, "another node is not reached");
                sleep(backoff).await;
                backoff = (backoff * 2).min(BACKOFF_MAX);
            }
        }
        // What was to be sent may be half sent, and is old by now.
        drop(lane.take());
        lane.questions.fail_all();
    }
}

/// Sends and receives until the connection ends.
async fn carry(core: &Rc<Core>, lane: &Lane, mut wire: Wire) -> Ended {
    let stream = wire.stream.clone();
    let sending = async {
        let mut seen = 0;
        loop {
            while !lane.is_empty() {
                if let Err(error) = stream.send(lane.take()).await {
                    return Ended::Io(error);
                }
            }
            seen = lane.filled.wait(seen).await;
        }
    };
    let receiving = async {
        let limits = core.shared.config.message_limits();
        loop {
            match wire.frame(&limits, core.shared.config.peer_frame_max_bytes()).await {
                Ok(Frame::Response(id, body)) => lane.questions.answered(id, body),
                // Nothing else comes back on a lane.
                Ok(_) => return Ended::Closed,
                Err(ended) => return ended,
            }
        }
    };
    match select(Box::pin(sending), Box::pin(receiving)).await {
        Either::Left((ended, _)) | Either::Right((ended, _)) => ended,
    }
}

/// Why a node was not reached.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error("its address is not known")]
    NoAddress,
    #[error("it did not answer within {PEER_CONNECT_TIME_MAX:?}")]
    TimedOut,
    #[error(transparent)]
    Connect(#[from] io::Error),
    #[error(transparent)]
    Ended(#[from] Ended),
    #[error("{0}")]
    Refused(String),
    #[error("node {found} answers at the address of node {expected}")]
    Other { expected: NodeId, found: i32 },
}

impl CallError {
    /// Nobody listens there: the process is gone, not merely slow.
    fn is_refused_by_kernel(&self) -> bool {
        matches!(self, Self::Connect(error) if error.kind() == io::ErrorKind::ConnectionRefused)
    }
}

impl Core {
    /// A connection to a core of a node, introduced.
    async fn call(&self, node: NodeId, core: usize) -> Result<(Wire, Facts), CallError> {
        let address = self.shared.directory.get(node).ok_or(CallError::NoAddress)?;
        let (wire, facts) = self.call_address(address, core).await?;
        if facts.node != node.0 {
            return Err(CallError::Other { expected: node, found: facts.node });
        }
        Ok((wire, facts))
    }

    pub(super) async fn call_address(&self, address: String, core: usize) -> Result<(Wire, Facts), CallError> {
        let call = Call { facts: self.shared.facts(), core };
        let introduced = async {
            let stream = unblock(move || connect(&address)).await?;
            let mut wire = Wire::new(Stream::new(stream), BytesMut::new());
            wire.introduce(&call).await?;
            match wire.introduction().await? {
                Answer::Welcome(facts) => Ok((wire, facts)),
                Answer::Refused(why) => {
                    self.say_refused(&why);
                    Err(CallError::Refused(why))
                }
            }
        };
        within(PEER_CONNECT_TIME_MAX, introduced).await.unwrap_or(Err(CallError::TimedOut))
    }

    /// Says in the log why others refuse this node, once for each reason.
    fn say_refused(&self, why: &str) {
        if self.peers.said_refused(why) {
            tracing::error!("refused by another node: {why}");
        }
    }
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in address.to_socket_addrs()? {
        let address: SocketAddr = address;
        match TcpStream::connect_timeout(&address, PEER_CONNECT_TIME_MAX) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
