//! One plain TCP connection to a broker, one request in flight.

use std::io::{BufReader, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use bytes::{BufMut, Bytes, BytesMut};
use thalweg_protocol::messages::RequestHeader;
use thalweg_protocol::{Encodable, Request, StrBytes};

use super::answer;

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
    input: BufReader<TcpStream>,
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
                    let input = BufReader::with_capacity(64 << 10, stream.try_clone()?);
                    return Ok(Self { stream, peer: peer.to_owned(), correlation_id: 0, input });
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

    /// As it was given, `host:port`.
    pub(crate) fn peer(&self) -> &str {
        &self.peer
    }

    /// The bare socket, for who reads and writes by himself.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Sends a frame and reads the whole answer. This is the part whose time is taken.
    pub(crate) fn exchange(&mut self, frame: &[u8]) -> Result<Bytes> {
        self.stream.write_all(frame).with_context(|| format!("cannot send to {}", self.peer))?;
        answer::read_frame(&mut self.input).with_context(|| format!("the connection to {}", self.peer))
    }

    pub(crate) fn open_answer<Q: Request>(&self, frame: Bytes, version: i16) -> Result<Q::Response> {
        answer::open::<Q>(frame, version, self.correlation_id)
            .with_context(|| format!("the connection to {}", self.peer))
    }
}
