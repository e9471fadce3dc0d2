//! One connection to one leader: requests go out and answers come in on the producer's own thread, and neither waits.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::{Buf as _, Bytes, BytesMut};
use rustix::event::PollFlags;

use super::backlog::Batch;
use crate::client::answer::split_frame;
use crate::client::versions::Versions;
use crate::client::wire::Connection;

const TIMEOUT: Duration = Duration::from_secs(30);
const READ_BYTES: usize = 64 << 10;

/// A request under way.
pub(super) struct InFlight {
    pub(super) correlation_id: i32,
    pub(super) sent_ns: u64,
    /// In the order of their partitions.
    pub(super) batches: Vec<Batch>,
    /// Bytes handed to the connection when its last one is.
    ends_at: u64,
}

pub(super) struct Lane {
    pub(super) broker: i32,
    pub(super) versions: Versions,
    peer: String,
    /// `None` while the connection is lost.
    stream: Option<TcpStream>,
    out: VecDeque<Bytes>,
    queued: u64,
    written: u64,
    /// What is read at once, so that it is not cleared each time.
    buffer: Box<[u8]>,
    came: BytesMut,
    under_way: VecDeque<InFlight>,
}

impl Lane {
    pub(super) fn open(broker: i32, peer: &str) -> Result<Self> {
        let mut connection = Connection::open(peer, TIMEOUT)?;
        let versions = Versions::ask(&mut connection)?;
        let stream = connection.into_stream();
        stream.set_nonblocking(true)?;
        Ok(Self {
            broker,
            versions,
            peer: peer.to_owned(),
            stream: Some(stream),
            out: VecDeque::new(),
            queued: 0,
            written: 0,
            buffer: vec![0; READ_BYTES].into(),
            came: BytesMut::new(),
            under_way: VecDeque::new(),
        })
    }

    pub(super) const fn stream(&self) -> Option<&TcpStream> {
        self.stream.as_ref()
    }

    pub(super) fn under_way(&self) -> usize {
        self.under_way.len()
    }

    /// What is worth waking up for.
    pub(super) fn interest(&self) -> PollFlags {
        if self.out.is_empty() { PollFlags::IN } else { PollFlags::IN | PollFlags::OUT }
    }

    /// Queues a request; [`flush`](Self::flush) sends it.
    pub(super) fn send(&mut self, frame: Bytes, correlation_id: i32, sent_ns: u64, batches: Vec<Batch>) {
        self.queued += frame.len() as u64;
        self.under_way.push_back(InFlight { correlation_id, sent_ns, batches, ends_at: self.queued });
        self.out.push_back(frame);
    }

    /// Writes what the socket takes.
    pub(super) fn flush(&mut self) -> Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        while let Some(frame) = self.out.front_mut() {
            match stream.write(frame) {
                Ok(0) => bail!("the connection to {} takes no more", self.peer),
                Ok(written) => {
                    self.written += written as u64;
                    frame.advance(written);
                    if frame.is_empty() {
                        self.out.pop_front();
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).with_context(|| format!("the connection to {}: sending", self.peer)),
            }
        }
        Ok(())
    }

    /// The next request that is written whole: where nobody answers, all there is to wait for.
    pub(super) fn next_written(&mut self) -> Option<InFlight> {
        let written = self.under_way.front().is_some_and(|request| request.ends_at <= self.written);
        if written { self.under_way.pop_front() } else { None }
    }

    /// Reads what has come.
    pub(super) fn receive(&mut self) -> Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        loop {
            match stream.read(&mut self.buffer) {
                Ok(0) => bail!("the connection to {}: no answer came, it was closed", self.peer),
                Ok(read) => {
                    self.came.extend_from_slice(self.buffer.get(..read).unwrap_or_default());
                    if read < self.buffer.len() {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("the connection to {}: no answer came", self.peer));
                }
            }
        }
    }

    /// The next answer that has come whole, and the request it is to.
    pub(super) fn next_answer(&mut self) -> Result<Option<(InFlight, Bytes)>> {
        let frame = split_frame(&mut self.came).with_context(|| format!("the connection to {}", self.peer))?;
        let Some(frame) = frame else { return Ok(None) };
        let request = self.under_way.pop_front();
        let request = request.with_context(|| format!("{} answers what it was not asked", self.peer))?;
        Ok(Some((request, frame)))
    }

    pub(super) fn peer(&self) -> &str {
        &self.peer
    }

    /// Gives the connection up; answers with the batches that were under way.
    pub(super) fn give_up(&mut self) -> Vec<Batch> {
        self.stream = None;
        self.out.clear();
        self.came.clear();
        self.under_way.drain(..).flat_map(|request| request.batches).collect()
    }
}
