//! A client that says exactly what it is told to, valid or not.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use thalweg_protocol::messages::{ApiKey, RequestHeader};
use thalweg_protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};

/// Longer than anything but a lost answer takes, also on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(20);
const ANSWER_SIZE_MAX_BYTES: usize = 16 << 20;
const CORRELATION: i32 = 0x0102_0304;

pub struct Client {
    stream: TcpStream,
    pub address: SocketAddr,
}

/// What came back.
#[derive(Debug)]
pub enum Reply {
    Answer(Bytes),
    Closed,
    /// Neither within the patience given.
    Silence,
}

impl Client {
    pub fn connect(bootstrap: &str) -> Self {
        Self::try_connect(bootstrap).unwrap()
    }

    /// For tests whose broker may be away.
    pub fn try_connect(bootstrap: &str) -> std::io::Result<Self> {
        let stream = TcpStream::connect(bootstrap)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let address = stream.local_addr()?;
        Ok(Self { stream, address })
    }

    /// False when the other side closed before it took everything.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// No more bytes will come from here.
    pub fn finish(&self) {
        self.stream.shutdown(std::net::Shutdown::Write).unwrap();
    }

    pub fn reply(&mut self, patience: Duration) -> Reply {
        self.stream.set_read_timeout(Some(patience)).unwrap();
        let mut prefix = [0; 4];
        if let Err(error) = self.stream.read_exact(&mut prefix) {
            return match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => Reply::Silence,
                _ => Reply::Closed,
            };
        }
        let size = u32::from_be_bytes(prefix) as usize;
        assert!(size <= ANSWER_SIZE_MAX_BYTES, "an answer of {size} bytes");
        let mut answer = vec![0; size];
        match self.stream.read_exact(&mut answer) {
            Ok(()) => Reply::Answer(Bytes::from(answer)),
            Err(_) => Reply::Closed,
        }
    }

    /// Sends a request and reads its answer; panics unless there is one.
    pub fn ask<R: Request>(&mut self, version: i16, request: &R) -> R::Response
    where
        R::Response: Decodable + HeaderVersion,
    {
        self.try_ask(version, request)
            .unwrap_or_else(|other| panic!("no answer to API {} version {version}: {other:?}", R::KEY))
    }

    /// Sends a request and reads its answer, or what came instead of one.
    pub fn try_ask<R: Request>(&mut self, version: i16, request: &R) -> Result<R::Response, Reply>
    where
        R::Response: Decodable + HeaderVersion,
    {
        if !self.send(&frame(&request_bytes(version, request))) {
            return Err(Reply::Closed);
        }
        match self.reply(PATIENCE) {
            Reply::Answer(mut answer) => {
                let header_size = if R::Response::header_version(version) >= 1 { 5 } else { 4 };
                assert_eq!(answer[..4], CORRELATION.to_be_bytes());
                drop(answer.split_to(header_size));
                Ok(R::Response::decode(&mut answer, version).unwrap())
            }
            other => Err(other),
        }
    }
}

/// Puts the size in front.
pub fn frame(request: &[u8]) -> Vec<u8> {
    let mut framed = i32::try_from(request.len()).unwrap().to_be_bytes().to_vec();
    framed.extend_from_slice(request);
    framed
}

/// Header and body.
pub fn request_bytes<R: Request>(version: i16, request: &R) -> Vec<u8> {
    let mut bytes = header(ApiKey::try_from(R::KEY).unwrap(), version);
    let mut body = BytesMut::new();
    request.encode(&mut body, version).unwrap();
    bytes.extend_from_slice(&body);
    bytes
}

pub fn header(key: ApiKey, version: i16) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    let header = RequestHeader::default()
        .with_request_api_key(key as i16)
        .with_request_api_version(version)
        .with_correlation_id(CORRELATION)
        .with_client_id(Some(StrBytes::from_static_str("bad-input")));
    header.encode(&mut bytes, key.request_header_version(version)).unwrap();
    bytes.to_vec()
}
