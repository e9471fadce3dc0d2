//! One plain TCP connection to a broker, one request in flight.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use thalweg_protocol::messages::{RequestHeader, ResponseHeader};
use thalweg_protocol::{Decodable, Encodable, FrameLimits, HeaderVersion, Request, StrBytes, frame_len};

/// Far above any answer to what is asked here: 10 000 partitions describe themselves in half a MiB.
const LIMITS: FrameLimits = FrameLimits { request_size_max_bytes: 64 << 20 };

/// A request with its size and header, ready to send.
pub(crate) fn frame<Q: Request>(request: &Q, version: i16, correlation_id: i32) -> Result<Bytes> {
    let header = RequestHeader::default()
        .with_request_api_key(Q::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation_id)
        .with_client_id(Some(StrBytes::from_static_str("thalweg-bench")));
    let mut frame = BytesMut::new();
    frame.put_i32(0);
    header.encode(&mut frame, Q::header_version(version))?;
    request.encode(&mut frame, version)?;
    let size = i32::try_from(frame.len() - 4).context("the request is too large for a frame")?;
    if let Some(prefix) = frame.first_chunk_mut::<4>() {
        *prefix = size.to_be_bytes();
    }
    Ok(frame.freeze())
}

pub(crate) struct Connection {
    stream: TcpStream,
    peer: String,
    correlation_id: i32,
    input: BytesMut,
}

impl Connection {
    /// Connects to `host:port`; `timeout` holds for that and for every later read and write.
    pub(crate) fn open(peer: &str, timeout: Duration) -> Result<Self> {
        let addresses = peer.to_socket_addrs().with_context(|| format!("{peer} is not a usable host:port"))?;
        let mut last = anyhow!("{peer} has no address");
        for address in addresses {
            match TcpStream::connect_timeout(&address, timeout) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(timeout))?;
                    stream.set_write_timeout(Some(timeout))?;
                    return Ok(Self { stream, peer: peer.to_owned(), correlation_id: 0, input: BytesMut::new() });
                }
                Err(error) => last = anyhow!("cannot connect to {peer}: {error}"),
            }
        }
        Err(last)
    }

    pub(crate) fn call<Q: Request>(&mut self, request: &Q, version: i16) -> Result<Q::Response> {
        let frame = self.frame(request, version)?;
        let answer = self.exchange(&frame)?;
        self.open_answer::<Q>(answer, version)
    }

    /// The request with its size and header, ready to send.
    pub(crate) fn frame<Q: Request>(&mut self, request: &Q, version: i16) -> Result<Bytes> {
        self.correlation_id = self.correlation_id.wrapping_add(1);
        frame(request, version, self.correlation_id)
    }

    /// The bare socket, for who reads and writes by himself.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Sends a frame and reads the whole answer. This is the part whose time is taken.
    pub(crate) fn exchange(&mut self, frame: &[u8]) -> Result<Bytes> {
        self.stream.write_all(frame).with_context(|| format!("cannot send to {}", self.peer))?;
        let size = loop {
            if let Some(prefix) = self.input.first_chunk::<4>() {
                let size = frame_len(*prefix, &LIMITS)
                    .with_context(|| format!("{} does not answer in Kafka's protocol", self.peer))?;
                if self.input.len() >= size + 4 {
                    break size;
                }
            }
            self.read_some()?;
        };
        self.input.advance(4);
        Ok(self.input.split_to(size).freeze())
    }

    fn read_some(&mut self) -> Result<()> {
        let mut piece = [0; 64 << 10];
        let count = self.stream.read(&mut piece).with_context(|| format!("no answer from {}", self.peer))?;
        if count == 0 {
            bail!("{} closed the connection instead of answering; its log says why", self.peer);
        }
        self.input.extend_from_slice(piece.get(..count).unwrap_or_default());
        Ok(())
    }

    pub(crate) fn open_answer<Q: Request>(&self, mut answer: Bytes, version: i16) -> Result<Q::Response> {
        let damaged = || format!("{} sent an answer that is not one", self.peer);
        let header = ResponseHeader::decode(&mut answer, Q::Response::header_version(version)).with_context(damaged)?;
        if header.correlation_id != self.correlation_id {
            bail!("{} answered request {} instead of {}", self.peer, header.correlation_id, self.correlation_id);
        }
        Q::Response::decode(&mut answer, version).with_context(damaged)
    }
}
