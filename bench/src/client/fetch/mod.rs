//! A consumer's side of Fetch: requests within a session (KIP-227), answers in memory that is used again, and the
//! records in them without an allocation for each.

mod answers;
mod offsets;
mod records;
mod session;

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result};
use thalweg_protocol::messages::{ApiKey, FetchRequest, TopicName};
use uuid::Uuid;

pub(crate) use self::answers::Answers;
pub(crate) use self::offsets::{Moment, list_offsets};
pub(crate) use self::records::{Reading, next_offset};
pub(crate) use self::session::Session;
use super::versions::Versions;
use super::wire::{Connection, frame};

/// The first with sessions.
const FETCH_FIRST: i16 = 7;
/// The last with topics by name; later ones have ids, which the broker must have told in its metadata.
const FETCH_NAMED_LAST: i16 = 12;
/// What came later is for replicas.
const FETCH_LAST: i16 = 17;

/// What a topic is called in requests, before and since there are ids.
#[derive(Clone, Debug)]
pub(crate) struct FetchedTopic {
    pub(crate) name: TopicName,
    /// Nil if the broker knows none.
    pub(crate) id: Uuid,
}

/// What is asked of every Fetch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FetchLimits {
    pub(crate) wait_ms: i32,
    pub(crate) min_bytes: i32,
    pub(crate) max_bytes: i32,
    pub(crate) partition_max_bytes: i32,
    pub(crate) read_committed: bool,
}

/// The sending half of a connection over which records are fetched, one request at a time.
pub(crate) struct Requests {
    stream: TcpStream,
    peer: String,
    version: i16,
    correlation_id: i32,
}

impl Requests {
    /// Connects; `ids` says whether the topics' ids are known.
    pub(crate) fn open(peer: &str, ids: bool, limits: &FetchLimits, timeout: Duration) -> Result<(Self, Answers)> {
        let mut connection = Connection::open(peer, timeout)?;
        let most = if ids { FETCH_LAST } else { FETCH_NAMED_LAST };
        let version = Versions::ask(&mut connection)?.pick(ApiKey::Fetch, FETCH_FIRST..=most)?;
        let stream = connection.into_stream();
        let answers = Answers::new(stream.try_clone()?, peer.to_owned(), version, limits.max_bytes)?;
        Ok((Self { stream, peer: peer.to_owned(), version, correlation_id: 0 }, answers))
    }

    /// Sends a request; gives the id that its answer must have.
    pub(crate) fn send(&mut self, request: &FetchRequest) -> Result<i32> {
        self.correlation_id = self.correlation_id.wrapping_add(1);
        let frame = frame(request, self.version, self.correlation_id)?;
        self.stream.write_all(&frame).with_context(|| format!("cannot send to {}", self.peer))?;
        Ok(self.correlation_id)
    }

    pub(crate) const fn version(&self) -> i16 {
        self.version
    }

    pub(crate) fn peer(&self) -> &str {
        &self.peer
    }
}
