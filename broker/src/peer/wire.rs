//! Reading a connection between nodes: introductions, then frames.

use std::io;

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
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    #[error(transparent)]
    Frame(#[from] FrameError),
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

    pub(super) async fn introduction<T: DeserializeOwned>(&mut self) -> Result<T, Ended> {
        let prefix = self.take(PREFIX_BYTES).await?;
        let prefix = prefix.as_ref().try_into().map_err(|_| HandshakeError::Magic)?;
        let text = self.take(handshake::text_len(prefix)?).await?;
        Ok(handshake::decode(&text)?)
    }

    pub(super) async fn frame(&mut self, limits: &MessageLimits, frame_max_bytes: usize) -> Result<Frame, Ended> {
        let head = self.take(HEAD_BYTES).await?;
        let head = head.as_ref().try_into().map_err(|_| FrameError::Lengths)?;
        let head = Head::read(head, frame_max_bytes)?;
        let rest = self.take(head.rest).await?;
        Ok(Frame::decode(&head, rest, limits)?)
    }

    async fn take(&mut self, length: usize) -> Result<Bytes, Ended> {
        while self.buffer.len() < length {
            if self.buffer.is_empty() && self.buffer.capacity() < IDLE_READ_BYTES {
                self.buffer = BytesMut::with_capacity(IDLE_READ_BYTES);
            }
            let room = (length - self.buffer.len()).clamp(IDLE_READ_BYTES, FRAME_GROWTH_MAX_BYTES);
            self.buffer.reserve(room);
            let (received, buffer) = self.stream.receive(std::mem::take(&mut self.buffer), room, false).await;
            self.buffer = buffer;
            if received? == 0 {
                return Err(Ended::Closed);
            }
        }
        Ok(self.buffer.split_to(length).freeze())
    }
}
