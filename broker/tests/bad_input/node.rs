//! A node that says exactly what it is told to: `docs/formats/peer-connection.md`, written down a second time.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::wire::PATIENCE;

/// What a frame is.
pub const RAFT: u8 = 1;
pub const PULSE: u8 = 2;
pub const REQUEST: u8 = 3;
pub const RESPONSE: u8 = 4;

/// CRC32C, bit by bit: not the code that is tested.
pub fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { (sum >> 1) ^ 0x82f6_3b78 } else { sum >> 1 })
    })
}

/// An introduction.
pub fn introduction(text: &str) -> Vec<u8> {
    let len = u32::try_from(text.len()).unwrap();
    [b"THWG", &len.to_le_bytes()[..], &checksum(text.as_bytes()).to_le_bytes(), text.as_bytes()].concat()
}

/// Who it says it is.
#[derive(Clone)]
pub struct Facts {
    pub versions: (u16, u16),
    pub cluster: String,
    pub node: i64,
    pub directory: u128,
    pub incarnation: u64,
    pub cores: u64,
}

impl Facts {
    pub fn member(cluster: &str, node: i64) -> Self {
        let known = node.unsigned_abs();
        Self {
            versions: (1, 1),
            cluster: cluster.to_owned(),
            node,
            directory: known.into(),
            incarnation: known,
            cores: 2,
        }
    }

    pub fn call(&self, purpose: &str) -> Vec<u8> {
        let (oldest, newest) = self.versions;
        introduction(&format!(
            r#"{{"facts":{{"versions":[{oldest},{newest}],"cluster":"{}","node":{},"directory":"{}","incarnation":{},"cores":{},"address":null}},"purpose":"{purpose}","from_core":0,"to_core":0}}"#,
            self.cluster,
            self.node,
            uuid::Uuid::from_u128(self.directory),
            self.incarnation,
            self.cores
        ))
    }
}

/// A frame whose lengths and checksum are right.
pub fn frame(kind: u8, id: u64, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).unwrap().to_le_bytes();
    let checked = [&[kind][..], &id.to_le_bytes(), body].concat();
    [&len[..], &len, &checksum(&checked).to_le_bytes(), &checked].concat()
}

/// A Raft message of this kind without entries, for group 0.
pub fn message(kind: u8, from: u64, to: u64, term: u64) -> Vec<u8> {
    let numbers = [0, from, to, term].map(u64::to_le_bytes).concat();
    [&[0xd7, 1, kind, 0, 1][..], &numbers].concat()
}

/// A connection to `thalweg.rpc.listener`.
pub struct Node(pub TcpStream);

impl Node {
    pub fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    /// Introduced, and what was answered.
    pub fn called(address: &str, facts: &Facts, purpose: &str) -> (Self, String) {
        let mut node = Self::connect(address);
        node.send(&facts.call(purpose));
        let answer = node.introduction();
        (node, answer)
    }

    /// False when the other side closed before it took everything.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).is_ok()
    }

    pub fn introduction(&mut self) -> String {
        let mut prefix = [0; 12];
        self.0.read_exact(&mut prefix).unwrap();
        assert_eq!(&prefix[..4], b"THWG");
        let mut text = vec![0; u32::from_le_bytes(prefix[4..8].try_into().unwrap()) as usize];
        self.0.read_exact(&mut text).unwrap();
        assert_eq!(checksum(&text).to_le_bytes(), prefix[8..]);
        String::from_utf8(text).unwrap()
    }

    /// The body of the next frame, which must be an answer to this request.
    pub fn answer(&mut self, id: u64) -> Vec<u8> {
        let mut head = [0; 21];
        self.0.read_exact(&mut head).unwrap();
        assert_eq!((head[12], &head[13..]), (RESPONSE, &id.to_le_bytes()[..]));
        let mut body = vec![0; u32::from_le_bytes(head[..4].try_into().unwrap()) as usize];
        self.0.read_exact(&mut body).unwrap();
        body
    }

    /// How long it took until the other side closed; panics if it does not.
    #[track_caller]
    pub fn closed(mut self) -> Duration {
        let began = Instant::now();
        let mut received = [0; 4096];
        loop {
            match self.0.read(&mut received) {
                Ok(0) => return began.elapsed(),
                Ok(_) => {}
                Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                    panic!("the connection is still open after {:?}", began.elapsed());
                }
                Err(_) => return began.elapsed(),
            }
        }
    }
}
