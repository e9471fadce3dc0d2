//! One connection: a reader that takes frames apart and starts requests in order, and a writer that sends the answers in
//! the same order, whenever each is there.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use futures::channel::mpsc;
use futures::future::{LocalBoxFuture, abortable};
use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, SinkExt as _, StreamExt as _};
use glommio::net::AcceptedTcpStream;
use thalweg_protocol::frame::{FrameLimits, frame_len};

use super::{Peer, output};
use crate::dispatch::{self, Answer, Started};
use crate::limits::{CONNECTION_REQUESTS_IN_FLIGHT_MAX, FRAME_GROWTH_MAX_BYTES, LARGE_FRAME_BYTES, READ_BUFFER_BYTES};
use crate::reactor::{Core, Permit};

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

/// Serves a connection until either side ends it.
pub async fn serve(core: Rc<Core>, accepted: AcceptedTcpStream, address: SocketAddr, listener: usize) {
    let stream = accepted.bind_to_executor();
    // Without it, a small answer waits for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let (abort, registration) = futures::future::AbortHandle::new_pair();
    let peer = core.connections.open(address, listener, abort);
    core.shared.metrics.connections_opened.add(1);
    let both = run(Rc::clone(&core), Rc::clone(&peer), stream);
    let ended = futures::future::Abortable::new(both, registration).await;
    if let Ok(Err(ended @ (Ended::InRequest | Ended::Frame(_) | Ended::Request(_)))) = ended {
        tracing::warn!(client = %address, "closing the connection: {ended}");
    }
    core.connections.close(peer.id);
    core.shared.admission.release(core.id.0, address.ip());
}

async fn run(core: Rc<Core>, peer: Rc<Peer>, stream: glommio::net::TcpStream) -> Result<(), Ended> {
    let (reading, writing) = stream.split();
    let (queue, queued) = mpsc::channel(CONNECTION_REQUESTS_IN_FLIGHT_MAX);
    // The writer is a task of its own: answers go out while the reader waits for bytes.
    let (writer, writer_abort) = abortable(write_answers(Rc::clone(&peer), writing, queued));
    let writer = glommio::spawn_local(writer);
    let read = read_requests(&core, &peer, reading, queue).await;
    match read {
        // What was asked before the client closed its side is still answered.
        Err(Ended::ByClient) => match writer.await {
            Ok(Err(error)) => Err(Ended::Io(error)),
            _ => Ok(()),
        },
        ended => {
            writer_abort.abort();
            ended
        }
    }
}

async fn read_requests(
    core: &Rc<Core>,
    peer: &Rc<Peer>,
    stream: impl AsyncRead + Unpin,
    mut queue: mpsc::Sender<InFlight>,
) -> Result<(), Ended> {
    let limits = FrameLimits { request_size_max_bytes: core.shared.config.socket_request_max_bytes };
    let mut frames = Frames { stream, buffer: BytesMut::new() };
    loop {
        let length = match frames.prefix(peer).await? {
            Some(prefix) => frame_len(prefix, &limits)?,
            None => return Err(Ended::ByClient),
        };
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
        let Started { answer, in_order } = dispatch::start(core, peer, frame).map_err(Ended::Request)?;
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

async fn write_answers(
    peer: Rc<Peer>,
    mut stream: impl AsyncWrite + Unpin,
    mut queued: mpsc::Receiver<InFlight>,
) -> std::io::Result<()> {
    while let Some(InFlight { answer, permit, done }) = queued.next().await {
        match answer.await {
            Answer::Send(pieces) => output::send(&mut stream, pieces).await?,
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

/// Cuts a byte stream into frames. Small frames share one buffer; a large one gets its own, exactly as large.
struct Frames<S> {
    stream: S,
    buffer: BytesMut,
}

impl<S: AsyncRead + Unpin> Frames<S> {
    /// The four bytes before a frame; `None` where the client closed between frames.
    async fn prefix(&mut self, peer: &Peer) -> Result<Option<[u8; 4]>, Ended> {
        while self.buffer.len() < 4 {
            if !self.fill(READ_BUFFER_BYTES).await? {
                return if self.buffer.is_empty() { Ok(None) } else { Err(Ended::InRequest) };
            }
            peer.frame_began.set(Some(Instant::now()));
        }
        if peer.frame_began.get().is_none() {
            peer.frame_began.set(Some(Instant::now()));
        }
        let prefix = self.buffer.split_to(4);
        Ok(prefix.as_ref().try_into().ok())
    }

    async fn body(&mut self, length: usize) -> Result<Bytes, Ended> {
        self.buffer_up_to(length).await?;
        Ok(self.buffer.split_to(length).freeze())
    }

    /// Reads until at least `length` bytes are there.
    async fn buffer_up_to(&mut self, length: usize) -> Result<(), Ended> {
        while self.buffer.len() < length {
            let missing = length - self.buffer.len();
            if !self.fill(missing.clamp(READ_BUFFER_BYTES, FRAME_GROWTH_MAX_BYTES)).await? {
                return Err(Ended::InRequest);
            }
        }
        Ok(())
    }

    /// Reads up to `want` bytes behind what is there; false at the end of the stream.
    async fn fill(&mut self, want: usize) -> Result<bool, Ended> {
        let filled = self.buffer.len();
        self.buffer.resize(filled + want, 0);
        let read = match self.buffer.get_mut(filled..) {
            Some(space) => self.stream.read(space).await,
            None => Ok(0),
        };
        self.buffer.truncate(filled + *read.as_ref().unwrap_or(&0));
        Ok(read? > 0)
    }
}
