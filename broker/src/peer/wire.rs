//! Reading a connection between nodes: introductions, then frames.

use std::cell::Cell;
use std::io;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thalweg_raft::MessageLimits;
use thalweg_reactor::Stream;

use super::frame::{Frame, FrameError, HEAD_BYTES, Head};
use super::handshake::{self, HandshakeError, PREFIX_BYTES};
use crate::limits::{FRAME_GROWTH_MAX_BYTES, IDLE_READ_BYTES};

/// Why nothing more comes from a connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("closed by the other side")]
    Closed,
    #[error("closed by the other side in the middle of something")]
    Midway,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// How a connection gets on, for those who look whether it still does.
pub(super) struct Progress {
    /// When something last came.
    pub(super) received: Cell<Instant>,
    /// When what is not there whole yet began.
    pub(super) began: Cell<Option<Instant>>,
    /// It is this node that does not read.
    pub(super) held_up: Cell<bool>,
    pub(super) bytes: Cell<u64>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            received: Cell::new(Instant::now()),
            began: Cell::default(),
            held_up: Cell::default(),
            bytes: Cell::default(),
        }
    }
}

/// Bytes as they come. Memory follows what has arrived, not what is claimed.
pub(super) struct Wire {
    pub(super) stream: Stream,
    pub(super) buffer: BytesMut,
}

impl Wire {
    pub(super) fn new(stream: Stream, buffer: BytesMut) -> Self {
        Self { stream, buffer }
    }

    pub(super) async fn introduce(&self, said: &impl Serialize) -> Result<(), Ended> {
        Ok(self.stream.send(vec![Bytes::from(handshake::encode(said)?)]).await?)
    }

    pub(super) async fn introduction<T: DeserializeOwned>(&mut self, progress: &Progress) -> Result<T, Ended> {
        let prefix = self.take(PREFIX_BYTES, progress).await?;
        let prefix = prefix.as_ref().try_into().map_err(|_| HandshakeError::Magic)?;
        let (len, checksum) = handshake::prefix(prefix)?;
        let text = self.take(len, progress).await?;
        progress.began.set(None);
        Ok(handshake::decode(&text, checksum)?)
    }

    /// The head of the next frame.
    pub(super) async fn head(&mut self, frame_max_bytes: usize, progress: &Progress) -> Result<Head, Ended> {
        let head = self.take(HEAD_BYTES, progress).await?;
        let head = head.as_ref().try_into().map_err(|_| FrameError::Lengths)?;
        Ok(Head::read(head, frame_max_bytes)?)
    }

    /// What follows a head.
    pub(super) async fn frame(
        &mut self,
        head: &Head,
        limits: &MessageLimits,
        progress: &Progress,
    ) -> Result<Frame, Ended> {
        let rest = self.take(head.rest, progress).await?;
        progress.began.set(None);
        Ok(Frame::decode(head, rest, limits)?)
    }

    /// Receives until at least `length` bytes are there.
    pub(super) async fn buffer_up_to(&mut self, length: usize, progress: &Progress) -> Result<(), Ended> {
        while self.buffer.len() < length {
            if !self.buffer.is_empty() && progress.began.get().is_none() {
                progress.began.set(Some(Instant::now()));
            }
            let room = (length - self.buffer.len()).clamp(IDLE_READ_BYTES, FRAME_GROWTH_MAX_BYTES);
            self.buffer.reserve(room);
            let (received, buffer) = self.stream.receive(std::mem::take(&mut self.buffer), room, false).await;
            self.buffer = buffer;
            let received = received?;
            if received == 0 {
                let between = self.buffer.is_empty() && progress.began.get().is_none();
                return Err(if between { Ended::Closed } else { Ended::Midway });
            }
            let now = Instant::now();
            progress.received.set(now);
            progress.bytes.set(progress.bytes.get() + received as u64);
            if progress.began.get().is_none() {
                progress.began.set(Some(now));
            }
        }
        Ok(())
    }

    async fn take(&mut self, length: usize, progress: &Progress) -> Result<Bytes, Ended> {
        self.buffer_up_to(length, progress).await?;
        if self.buffer.is_empty() && length == 0 {
            return Ok(Bytes::new());
        }
        Ok(self.buffer.split_to(length).freeze())
    }
}
