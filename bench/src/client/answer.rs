//! Answers off the wire: their frames, and what is in them.

use std::io::Read;

use anyhow::{Context, Result, bail};
use bytes::{Buf as _, Bytes, BytesMut};
use thalweg_protocol::messages::ResponseHeader;
use thalweg_protocol::{Decodable, FrameLimits, HeaderVersion, Request, frame_len};

/// Far above any answer to what is asked here: 10 000 partitions describe themselves in half a MiB.
const LIMITS: FrameLimits = FrameLimits { request_size_max_bytes: 64 << 20 };

/// The next frame without its size. What comes in place of one (another protocol, an end) is an error.
pub(crate) fn read_frame(stream: &mut impl Read) -> Result<Bytes> {
    let mut prefix = [0; 4];
    stream.read_exact(&mut prefix).context("no answer came")?;
    let size = frame_len(prefix, &LIMITS).context("what came is not Kafka's protocol")?;
    let mut frame = Vec::new();
    // Memory grows with what has come, not with what the prefix claims.
    let came = stream.take(size as u64).read_to_end(&mut frame).context("an answer ended early")?;
    if came < size {
        bail!("an answer ended early: {came} bytes of {size}");
    }
    Ok(frame.into())
}

/// Takes a frame without its size off what has come, if it is there whole.
pub(crate) fn split_frame(came: &mut BytesMut) -> Result<Option<Bytes>> {
    let Some(prefix) = came.first_chunk() else { return Ok(None) };
    let size = frame_len(*prefix, &LIMITS).context("what came is not Kafka's protocol")?;
    if came.len() < 4 + size {
        return Ok(None);
    }
    came.advance(4);
    Ok(Some(came.split_to(size).freeze()))
}

/// The answer in a frame, which must be to the request of this id.
pub(crate) fn open<Q: Request>(mut frame: Bytes, version: i16, correlation_id: i32) -> Result<Q::Response> {
    const DAMAGED: &str = "an answer cannot be read";
    let header = ResponseHeader::decode(&mut frame, Q::Response::header_version(version)).context(DAMAGED)?;
    if header.correlation_id != correlation_id {
        bail!("request {correlation_id} was answered with {}", header.correlation_id);
    }
    Q::Response::decode(&mut frame, version).context(DAMAGED)
}
