//! The called side: acting on what another node sends, until it stops.

use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use futures::future::{AbortHandle, Abortable, Either, select};
use thalweg_raft::{PeerMessage, RaftError, raft_id};
use thalweg_reactor::{Stream, spawn, yield_now};
use thalweg_storage::types::GroupId;

use super::callers::{Caller, LaneEnds, Opening, size_of_reply};
use super::frame::{self, Frame, FrameError, Head, Kind};
use super::handshake::Facts;
use super::incoming::Asker;
use super::request::{PeerRequest, PeerResponse};
use super::wire::{Ended, Wire};
use crate::limits::{LARGE_FRAME_BYTES, PEER_ANSWERING_MAX, PEER_QUESTION_MAX_BYTES, READ_BUFFER_BYTES};
use crate::reactor::{Core, CoreId, Permit};

/// Messages of one frame that are acted on before others get their turn.
const MESSAGES_BEFORE_YIELD: usize = 256;

/// A connection whose other side has introduced itself, on its way to the core that it is for.
pub(super) struct Arrival {
    pub(super) stream: TcpStream,
    pub(super) address: SocketAddr,
    /// What was received behind the introduction.
    pub(super) received: BytesMut,
    pub(super) facts: Facts,
    pub(super) lane: Option<LaneEnds>,
    pub(super) is_kin: bool,
}

/// Why a connection is closed.
#[derive(Debug, thiserror::Error)]
enum Closed {
    #[error(transparent)]
    Ended(#[from] Ended),
    #[error("a Raft message for another node, or of another one than the caller")]
    Misdirected,
    #[error("a Raft message that no node in order would send: {0}")]
    Raft(RaftError),
    #[error("a Raft message or a pulse on a connection for requests")]
    NotALane,
    #[error("a request that only members of the cluster may send")]
    Stranger,
    #[error("an answer to nothing")]
    Answer,
}

impl From<FrameError> for Closed {
    fn from(error: FrameError) -> Self {
        Self::Ended(Ended::Frame(error))
    }
}

pub(super) async fn serve(core: Rc<Core>, arrival: Arrival) {
    let Arrival { stream, address, received, facts, lane, is_kin } = arrival;
    if core.shared.is_stopping() {
        return;
    }
    let (abort, registration) = AbortHandle::new_pair();
    let traffic = core.shared.metrics.peers.of(facts.id());
    let opening = Opening { facts, lane, is_kin, address, traffic, abort };
    let caller = core.peers.inner.callers.open(opening);
    let wire = Wire::new(Stream::new(stream), received);
    let writing = write_answers(&caller, wire.stream.clone());
    let both = select(Box::pin(read_frames(&core, &caller, wire)), Box::pin(writing));
    let ended = Abortable::new(both, registration).await;
    core.peers.inner.callers.close(&caller);
    // Answers that come later meet a closed connection.
    caller.cut();
    let closed = match ended {
        Ok(Either::Left((closed, _)) | Either::Right((closed, _))) => closed,
        Err(_) => return,
    };
    if !matches!(closed, Closed::Ended(Ended::Closed | Ended::Midway | Ended::Io(_))) {
        let line = format!("closing a connection of node {} at {}: {closed}", caller.facts.node, address.ip());
        if core.peers.inner.said.is_news(&line, Instant::now()) {
            tracing::warn!("{line}");
        }
    }
}

async fn write_answers(caller: &Caller, stream: Stream) -> Closed {
    let mut seen = 0;
    loop {
        while let Some(pieces) = caller.next_reply() {
            let (bytes, counted) = (pieces.iter().map(Bytes::len).sum(), size_of_reply(&pieces));
            caller.writing_since.set(Some(Instant::now()));
            if let Err(error) = stream.send(pieces).await {
                return Closed::Ended(Ended::Io(error));
            }
            caller.writing_since.set(None);
            caller.sent(bytes, counted);
        }
        seen = caller.replied.wait(seen).await;
    }
}

async fn read_frames(core: &Rc<Core>, caller: &Rc<Caller>, mut wire: Wire) -> Closed {
    loop {
        if let Err(closed) = take_frame(core, caller, &mut wire).await {
            return closed;
        }
    }
}

async fn take_frame(core: &Rc<Core>, caller: &Rc<Caller>, wire: &mut Wire) -> Result<(), Closed> {
    let config = &core.shared.config;
    let frame_max_bytes = if caller.lane.is_some() { config.peer_frame_max_bytes() } else { PEER_QUESTION_MAX_BYTES };
    let head = wire.head(frame_max_bytes, &caller.progress).await?;
    if caller.lane.is_none() && matches!(head.kind, Kind::Raft | Kind::Pulse) {
        return Err(Closed::NotALane);
    }
    let _permit = admit(core, caller, wire, &head).await?;
    let frame = wire.frame(&head, &config.message_limits(), &caller.progress).await?;
    caller.traffic.received_bytes.add(caller.progress.bytes.take());
    caller.traffic.received_frames.add(1);
    if core.id == CoreId::FIRST && caller.lane.is_some() {
        core.heard(&caller.facts);
    }
    match frame {
        Frame::Pulse => Ok(()),
        Frame::Raft(messages) => take_messages(core, caller, messages).await,
        Frame::Request(id, body) => answer(core, caller, id, PeerRequest::decode(body)?),
        Frame::Response(..) => Err(Closed::Answer),
    }
}

/// Waits for a large frame's memory, once its beginning is there: a length alone claims nothing.
async fn admit(core: &Core, caller: &Caller, wire: &mut Wire, head: &Head) -> Result<Option<Permit>, Closed> {
    if head.rest <= LARGE_FRAME_BYTES {
        return Ok(None);
    }
    wire.buffer_up_to(READ_BUFFER_BYTES, &caller.progress).await?;
    caller.progress.held_up.set(true);
    let permit = core.peers.inner.memory.take(head.rest).await;
    caller.progress.held_up.set(false);
    caller.progress.began.set(Some(Instant::now()));
    Ok(Some(permit))
}

async fn take_messages(core: &Rc<Core>, caller: &Caller, messages: Vec<(GroupId, PeerMessage)>) -> Result<(), Closed> {
    let (from, to) = (raft_id(caller.facts.id()), raft_id(core.shared.config.node_id));
    for (number, (group, message)) in messages.into_iter().enumerate() {
        if message.from != from || message.to != to {
            return Err(Closed::Misdirected);
        }
        take_message(core, group, message)?;
        if number % MESSAGES_BEFORE_YIELD == MESSAGES_BEFORE_YIELD - 1 {
            yield_now().await;
        }
    }
    Ok(())
}

fn take_message(core: &Rc<Core>, group: GroupId, message: PeerMessage) -> Result<(), Closed> {
    let owner = core.owner(group);
    if owner == core.id {
        return is_in_order(core.peer_message(group, message)).map_err(Closed::Raft);
    }
    // The other node did not know how many cores this one has.
    let (here, node) = (core.id, message.from);
    core.tell(owner, move |core| {
        if let Err(error) = is_in_order(core.peer_message(group, message)) {
            tracing::warn!(%group, %error, "closing the connections of a node: a Raft message makes no sense");
            core.tell(here, move |core| core.peers.inner.callers.cut_node(node));
        }
    });
    Ok(())
}

/// What is late, or early, is no fault of the sender.
fn is_in_order(stepped: Result<(), RaftError>) -> Result<(), RaftError> {
    match stepped {
        Err(error @ RaftError::BadMessage { .. }) => Err(error),
        Err(error) => {
            tracing::debug!(%error, "a Raft message is of no use");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// Answers on the connection of the request, in whatever order the answers are there.
fn answer(core: &Rc<Core>, caller: &Rc<Caller>, id: u64, request: PeerRequest) -> Result<(), Closed> {
    if request.is_for_members() && !caller.is_kin {
        return Err(Closed::Stranger);
    }
    if caller.answering.get() >= PEER_ANSWERING_MAX {
        caller.reply(frame::plain(Kind::Response, id, PeerResponse::Busy.encode()));
        return Ok(());
    }
    caller.answering.set(caller.answering.get() + 1);
    let (core, caller) = (Rc::clone(core), Rc::clone(caller));
    spawn(async move {
        let asker = Asker { node: caller.facts.id(), life: caller.facts.life(), is_member: caller.is_kin };
        let response = core.answer(asker, request).await;
        caller.answering.set(caller.answering.get() - 1);
        caller.reply(frame::plain(Kind::Response, id, response.encode()));
    })
    .detach();
    Ok(())
}
