//! The called side: taking calls on `thalweg.rpc.listener`, and acting on what comes.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use thalweg_protocol::NodeId;
use thalweg_raft::{PeerMessage, RaftError, raft_id};
use thalweg_reactor::{Listener, Stream, sleep, spawn, within};
use thalweg_storage::types::GroupId;

use super::frame::{self, Frame, Kind};
use super::handshake::{Answer, Call, Facts, check};
use super::wire::{Ended, Wire};
use super::{Life, Peers};
use crate::cluster::question::Reply;
use crate::limits::{PEER_CONNECT_TIME_MAX, PEER_HANDSHAKES_MAX, PEER_QUESTIONS_MAX};
use crate::reactor::{Core, CoreId};

/// After a failed accept: out of descriptors, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A connection whose other side has introduced itself.
struct Caller {
    stream: TcpStream,
    address: SocketAddr,
    /// What was received behind the introduction.
    received: BytesMut,
    facts: Facts,
}

#[derive(Debug, thiserror::Error)]
enum Closed {
    #[error(transparent)]
    Ended(#[from] Ended),
    #[error("a message for another node, or of another one than the caller")]
    Misdirected,
    #[error("a Raft message that no node in order would send: {0}")]
    Raft(#[from] RaftError),
    #[error("a question that is not understood: {0}")]
    Question(#[from] serde_json::Error),
    #[error("more than {PEER_QUESTIONS_MAX} questions at once")]
    TooMany,
    #[error("it has not joined the cluster")]
    Stranger,
}

/// Takes calls for as long as the core runs. Others than nodes may call: they get a limited time and a limited number.
pub(crate) async fn run_rpc(core: Rc<Core>, listener: TcpListener) {
    let listener = match Listener::new(listener) {
        Ok(listener) => listener,
        Err(error) => crate::reactor::fatal(&format!("the listener for other nodes cannot be used: {error}")),
    };
    loop {
        let accepted = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "accepting a connection of another node failed");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let under_way = core.peers.handshakes.get();
        let Ok(address) = accepted.peer_addr() else { continue };
        if under_way >= PEER_HANDSHAKES_MAX {
            core.shared.metrics.peer_refused.add(1);
            continue;
        }
        core.peers.handshakes.set(under_way + 1);
        let this = Rc::clone(&core);
        spawn(async move {
            let greeted = within(PEER_CONNECT_TIME_MAX, greet(&this, accepted, address)).await;
            this.peers.handshakes.set(this.peers.handshakes.get() - 1);
            match greeted {
                Some(Ok(Some((caller, to)))) => this.tell(to, move |core| spawn(serve(core, caller)).detach()),
                Some(Ok(None)) => this.shared.metrics.peer_refused.add(1),
                Some(Err(error)) => {
                    this.shared.metrics.peer_refused.add(1);
                    tracing::warn!(%address, "closing a connection to thalweg.rpc.listener: {error}");
                }
                None => this.shared.metrics.peer_refused.add(1),
            }
        })
        .detach();
    }
}

/// Hears who calls, and answers. `None` if the caller was refused.
async fn greet(core: &Rc<Core>, stream: TcpStream, address: SocketAddr) -> Result<Option<(Caller, CoreId)>, Ended> {
    stream.set_nodelay(true)?;
    let mut wire = Wire::new(Stream::new(stream), BytesMut::new());
    let Call { facts, core: wanted } = wire.introduction().await?;
    let known = core.peers.life_of(NodeId(facts.node));
    if let Err(why) = check(&core.shared.facts(), &facts, known.map(|life| (life.directory, life.incarnation))) {
        if core.peers.said_refused(&why) {
            tracing::error!(%address, "refusing a node: {why}");
        }
        wire.introduce(&Answer::Refused(why)).await?;
        return Ok(None);
    }
    wire.introduce(&Answer::Welcome(core.shared.facts())).await?;
    core.heard(NodeId(facts.node), &facts);
    let to = CoreId(wanted % core.shared.cores);
    let Wire { stream, buffer } = wire;
    Ok(Some((Caller { stream: stream.into_inner()?, address, received: buffer, facts }, to)))
}

/// Acts on what a node sends, until it stops.
async fn serve(core: Rc<Core>, caller: Caller) {
    let Caller { stream, address, received, facts } = caller;
    core.peers.note_cores(NodeId(facts.node), facts.cores);
    let mut wire = Wire::new(Stream::new(stream), received);
    let closed = loop {
        if let Err(closed) = take_frame(&core, &mut wire, &facts).await {
            break closed;
        }
    };
    match closed {
        Closed::Ended(Ended::Closed | Ended::Io(_)) => {}
        closed => tracing::warn!(node = facts.node, %address, "closing the connection of another node: {closed}"),
    }
}

async fn take_frame(core: &Rc<Core>, wire: &mut Wire, facts: &Facts) -> Result<(), Closed> {
    let config = &core.shared.config;
    let node = NodeId(facts.node);
    match wire.frame(&config.message_limits(), config.peer_frame_max_bytes()).await? {
        Frame::Pulse => {
            let facts = facts.clone();
            core.tell(CoreId::FIRST, move |core| core.heard(node, &facts));
        }
        Frame::Raft(messages) => {
            if facts.cluster.is_empty() || facts.cluster != core.shared.cluster_id() {
                return Err(Closed::Stranger);
            }
            core.shared.metrics.peer_frames_received.add(1);
            for (group, message) in messages {
                take_message(core, node, group, message)?;
            }
        }
        Frame::Request(id, body) => answer(core, wire.stream.clone(), id, &body)?,
        // Answers come to whoever asked, on a lane of its own.
        Frame::Response(..) => return Err(Closed::Misdirected),
    }
    Ok(())
}

fn take_message(core: &Rc<Core>, node: NodeId, group: GroupId, message: PeerMessage) -> Result<(), Closed> {
    if message.from != raft_id(node) || message.to != raft_id(core.shared.config.node_id) {
        return Err(Closed::Misdirected);
    }
    let owner = core.owner(group);
    if owner == core.id {
        return Ok(core.receive_message(group, message)?);
    }
    // The other node did not know yet how many cores this one has.
    core.tell(owner, move |core| {
        if let Err(error) = core.receive_message(group, message) {
            tracing::warn!(%group, %error, "a message makes no sense");
        }
    });
    Ok(())
}

/// Answers on the connection of the question, in whatever order the answers are there.
fn answer(core: &Rc<Core>, stream: Stream, id: u64, body: &[u8]) -> Result<(), Closed> {
    let question = serde_json::from_slice(body)?;
    let under_way = core.peers.answering.get();
    if under_way >= PEER_QUESTIONS_MAX {
        return Err(Closed::TooMany);
    }
    core.peers.answering.set(under_way + 1);
    let core = Rc::clone(core);
    spawn(async move {
        let reply = Rc::clone(&core).answer_question(question).await;
        core.peers.answering.set(core.peers.answering.get() - 1);
        let body = serde_json::to_vec(&reply).or_else(|error| serde_json::to_vec(&Reply::Refused(error.to_string())));
        if let Ok(body) = body {
            // The asker may be gone.
            let _ = stream.send(vec![frame::plain(Kind::Response, id, &body)]).await;
        }
    })
    .detach();
    Ok(())
}

impl Peers {
    fn life_of(&self, node: NodeId) -> Option<Life> {
        self.up.borrow().get(&node).copied()
    }
}
