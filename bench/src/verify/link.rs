//! A producer's connection to a leader: several requests under way, answered in order.

use std::collections::VecDeque;
use std::io::{BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result};
use thalweg_protocol::messages::{ProduceRequest, ProduceResponse};

use crate::client::answer;
use crate::client::cluster::PRODUCE_VERSION;
use crate::client::wire::{Connection, frame};

/// A broker that answers later than this is given up, and the request is sent again.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(15);

pub(crate) struct Link {
    stream: TcpStream,
    input: BufReader<TcpStream>,
    correlation_id: i32,
    requests: VecDeque<Sent>,
}

/// A request under way.
#[derive(Debug)]
pub(crate) struct Sent {
    correlation_id: i32,
    pub(crate) at: Duration,
    /// Partition and first sequence of each batch.
    pub(crate) batches: Vec<(usize, u64)>,
}

impl Link {
    pub(crate) fn open(peer: &str) -> Result<Self> {
        let stream = Connection::open(peer, ANSWER_WITHIN)?.into_stream();
        let input = BufReader::with_capacity(16 << 10, stream.try_clone()?);
        Ok(Self { stream, input, correlation_id: 0, requests: VecDeque::new() })
    }

    pub(crate) fn under_way(&self) -> usize {
        self.requests.len()
    }

    /// Partition and first sequence of each batch that is not answered.
    pub(crate) fn batches(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        self.requests.iter().flat_map(|request| &request.batches).copied()
    }

    /// When the oldest request that is not answered was sent.
    pub(crate) fn waits_since(&self) -> Option<Duration> {
        self.requests.front().map(|request| request.at)
    }

    pub(crate) fn send(&mut self, request: &ProduceRequest, at: Duration, batches: Vec<(usize, u64)>) -> Result<()> {
        self.correlation_id = self.correlation_id.wrapping_add(1);
        let frame = frame(request, PRODUCE_VERSION, self.correlation_id)?;
        self.requests.push_back(Sent { correlation_id: self.correlation_id, at, batches });
        self.stream.write_all(&frame).context("sending a request")
    }

    /// The answer to the oldest request.
    pub(crate) fn receive(&mut self) -> Result<(Sent, ProduceResponse)> {
        let frame = answer::read_frame(&mut self.input)?;
        let request = self.requests.pop_front().context("an answer to no request")?;
        let answer = answer::open::<ProduceRequest>(frame, PRODUCE_VERSION, request.correlation_id)?;
        Ok((request, answer))
    }
}
