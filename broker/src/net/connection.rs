//! One connection: a reader that takes frames apart and starts requests in order, and a writer that sends the answers in
//! the same order, whenever each is there.

use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use futures::channel::mpsc;
use futures::future::{LocalBoxFuture, abortable};
use futures::{SinkExt as _, StreamExt as _};
use thalweg_protocol::frame::{FrameLimits, frame_len};
use thalweg_reactor::Stream;

use super::placement::Placement;
use super::{Peer, Software};
use crate::dispatch::{self, Answer, Started, Starting};
use crate::limits::{
    CONNECTION_REQUESTS_IN_FLIGHT_MAX, FRAME_GROWTH_MAX_BYTES, FRAME_ROOM_BYTES, IDLE_READ_BYTES, LARGE_FRAME_BYTES,
    READ_BUFFER_BYTES,
};
use crate::reactor::{Core, CoreId, Permit};

/// A request on its way: its answer, and the memory it holds until that answer is sent.
struct InFlight {
    answer: LocalBoxFuture<'static, Answer>,
    permit: Permit,
    /// The reader waits for this before it starts the next request (all but Produce).
    done: Option<futures::channel::oneshot::Sender<()>>,
}

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("closed by the client")]
    ByClient,
    #[error("closed in the middle of a request")]
    InRequest,
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Frame(#[from] thalweg_protocol::frame::FrameError),
    #[error("{0}")]
    Request(String),
}

/// A connection that comes to a core: new, or from another core.
pub struct Arrival {
    stream: TcpStream,
    address: SocketAddr,
    listener: usize,
    /// How often it has moved.
    moves: u32,
    /// What was received behind its last request.
    received: BytesMut,
    software: Software,
}

impl Arrival {
    pub fn new(stream: TcpStream, address: SocketAddr, listener: usize) -> Self {
        // Without it, a small answer waits for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        Self { stream, address, listener, moves: 0, received: BytesMut::new(), software: Software::default() }
    }
}

/// Why a connection is no longer served here, without an error.
enum Left {
    Closed,
    /// All that was asked is answered; it goes on elsewhere.
    Moves {
        to: CoreId,
        stream: TcpStream,
        received: BytesMut,
    },
}

/// Serves a connection until either side ends it, or it moves to another core.
pub async fn serve(core: Rc<Core>, arrival: Arrival) {
    let Arrival { stream, address, listener, moves, received, software } = arrival;
    let stream = Stream::new(stream);
    let (abort, registration) = futures::future::AbortHandle::new_pair();
    let placement = Placement::new(core.id, moves);
    let peer = core.connections.open(address, listener, placement, abort);
    peer.introduce(software);
    let metrics = &core.shared.metrics;
    if moves == 0 { &metrics.connections_opened } else { &metrics.connections_moved }.add(1);
    let both = run(Rc::clone(&core), Rc::clone(&peer), Frames { stream, buffer: received });
    let ended = futures::future::Abortable::new(both, registration).await;
    core.connections.close(peer.id);
    match ended {
        Ok(Ok(Left::Moves { to, stream, received })) => {
            core.shared.admission.move_to(core.id.0, to.0);
            let moves = peer.placement.moves_after();
            let software = peer.software();
            let arrival = Arrival { stream, address, listener, moves, received, software };
            core.tell(to, move |core| thalweg_reactor::spawn(serve(core, arrival)).detach());
            return;
        }
        Ok(Err(ended @ (Ended::InRequest | Ended::Frame(_) | Ended::Request(_)))) => {
            tracing::warn!(client = %address, "closing the connection: {ended}");
        }
        _ => {}
    }
    core.shared.admission.release(core.id.0, address.ip());
}

async fn run(core: Rc<Core>, peer: Rc<Peer>, mut frames: Frames) -> Result<Left, Ended> {
    let (queue, queued) = mpsc::channel(CONNECTION_REQUESTS_IN_FLIGHT_MAX);
    // The writer is a task of its own: answers go out while the reader waits for bytes.
    let (writer, writer_abort) = abortable(write_answers(Rc::clone(&peer), frames.stream.clone(), queued));
    let writer = thalweg_reactor::spawn(writer);
    let to = match read_requests(&core, &peer, &mut frames, queue).await {
        Ok(core) => Some(core),
        Err(Ended::ByClient) => None,
        Err(ended) => {
            writer_abort.abort();
            return Err(ended);
        }
    };
    // What was asked before the client closed its side, or the connection moves, is still answered.
    match (writer.await, to) {
        (Ok(Err(error)), _) => Err(Ended::Io(error)),
        (Ok(Ok(())), Some(to)) => Ok(Left::Moves { to, stream: frames.stream.into_inner()?, received: frames.buffer }),
        _ => Ok(Left::Closed),
    }
}

/// Starts one request after the other, until the connection ends or is to move: then it says where to.
async fn read_requests(
    core: &Rc<Core>,
    peer: &Rc<Peer>,
    frames: &mut Frames,
    mut queue: mpsc::Sender<InFlight>,
) -> Result<CoreId, Ended> {
    let limits = FrameLimits { request_size_max_bytes: core.shared.config.socket_request_max_bytes };
    loop {
        let length = match frames.prefix(peer).await? {
            Some(prefix) => frame_len(prefix, &limits)?,
            None => return Err(Ended::ByClient),
        };
        frames.make_room(length);
        // A frame takes memory from the budget only when its beginning is there: a length alone claims nothing.
        frames.buffer_up_to(length.min(READ_BUFFER_BYTES)).await?;
        let permit = admit(core, peer, length).await;
        let frame = frames.body(length).await?;
        peer.frame_began.set(None);
        peer.touch();
        if core.shared.is_stopping() {
            // Not taken: the client asks again, elsewhere or later. What was taken before is still answered.
            return Err(Ended::ByClient);
        }
        core.shared.metrics.request_bytes.add(length as u64 + 4);
        let Started { starting, in_order } = dispatch::start(core, peer, frame).map_err(Ended::Request)?;
        let answer = match starting {
            Starting::Ordered(answer) => answer,
            Starting::Ordering(ordering) => ordering.await,
        };
        let (done, wait) = if in_order {
            let (done, wait) = futures::channel::oneshot::channel();
            (Some(done), Some(wait))
        } else {
            (None, None)
        };
        peer.requests_in_flight.set(peer.requests_in_flight.get() + 1);
        if queue.send(InFlight { answer, permit, done }).await.is_err() {
            return Err(Ended::Io(std::io::ErrorKind::BrokenPipe.into()));
        }
        if let Some(wait) = wait
            && wait.await.is_err()
        {
            return Err(Ended::Io(std::io::ErrorKind::BrokenPipe.into()));
        }
        if let Some(core) = peer.placement.destination() {
            return Ok(core);
        }
    }
}

/// Waits for a frame's memory; a spent budget leaves the rest of it in the socket. Large frames have a budget of their own,
/// so that a few of them cannot keep everybody else waiting. The wait is not counted against the client.
async fn admit(core: &Rc<Core>, peer: &Peer, length: usize) -> Permit {
    let began = peer.frame_began.take();
    let budget = if length > LARGE_FRAME_BYTES { &core.large_request_memory } else { &core.request_memory };
    let permit = budget.take(length).await;
    core.wait_for_room().await;
    peer.frame_began.set(began.map(|_| Instant::now()));
    permit
}

async fn write_answers(peer: Rc<Peer>, stream: Stream, mut queued: mpsc::Receiver<InFlight>) -> std::io::Result<()> {
    while let Some(InFlight { answer, permit, done }) = queued.next().await {
        match answer.await {
            Answer::Send(pieces) => stream.send(pieces).await?,
            Answer::Nothing => {}
            Answer::Close(why) => {
                tracing::warn!(client = %peer.address, "closing the connection: {why}");
                peer.abort.abort();
                return Ok(());
            }
        }
        drop(permit);
        peer.touch();
        peer.requests_in_flight.set(peer.requests_in_flight.get() - 1);
        if let Some(done) = done {
            // The reader may be gone; its answers are sent all the same.
            let _ = done.send(());
        }
    }
    Ok(())
}

/// Cuts a byte stream into frames. What small requests follow each other closely share one read; a large frame gets memory
/// of its own, exactly as large.
struct Frames {
    stream: Stream,
    buffer: BytesMut,
}

impl Frames {
    /// The four bytes before a frame; `None` where the client closed between frames.
    async fn prefix(&mut self, peer: &Peer) -> Result<Option<[u8; 4]>, Ended> {
        if !self.buffer.is_empty() && peer.frame_began.get().is_none() {
            peer.frame_began.set(Some(Instant::now()));
        }
        while self.buffer.len() < 4 {
            if self.buffer.is_empty() {
                // An idle connection holds little, and nothing of the frame before.
                self.buffer = BytesMut::with_capacity(IDLE_READ_BYTES);
            }
            if !self.receive(IDLE_READ_BYTES, false).await? {
                return if self.buffer.is_empty() { Ok(None) } else { Err(Ended::InRequest) };
            }
            peer.frame_began.set(Some(Instant::now()));
        }
        let prefix = self.buffer.split_to(4);
        Ok(prefix.as_ref().try_into().ok())
    }

    /// Room for a frame of usual size at once: what was received need not be copied as it grows.
    fn make_room(&mut self, length: usize) {
        self.buffer.reserve(length.min(FRAME_ROOM_BYTES).saturating_sub(self.buffer.len()));
    }

    async fn body(&mut self, length: usize) -> Result<Bytes, Ended> {
        self.buffer_up_to(length).await?;
        Ok(self.buffer.split_to(length).freeze())
    }

    /// Receives until at least `length` bytes are there.
    async fn buffer_up_to(&mut self, length: usize) -> Result<(), Ended> {
        while self.buffer.len() < length {
            let missing = (length - self.buffer.len()).min(FRAME_GROWTH_MAX_BYTES);
            if !self.receive(missing, true).await? {
                return Err(Ended::InRequest);
            }
        }
        Ok(())
    }

    /// Receives up to `room` bytes behind what is there, or exactly so many; false at the end of the stream.
    async fn receive(&mut self, room: usize, whole: bool) -> Result<bool, Ended> {
        self.buffer.reserve(room);
        let (received, buffer) = self.stream.receive(std::mem::take(&mut self.buffer), room, whole).await;
        self.buffer = buffer;
        Ok(received? > 0)
    }
}
