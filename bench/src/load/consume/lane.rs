//! One connection of one consumer to one leader: a Fetch at a time, and the next one is under way while the records of
//! the last are looked at.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, bail};

use super::drain::Drain;
use super::moved::Moved;
use super::peers::Peers;
use super::{Partition, TIMEOUT};
use crate::client::fetch::{Answers, FetchLimits, FetchedTopic, Reading, Requests, Session};
use crate::load::recorder::Meter;
use crate::load::shared::Shared;
use crate::result::Role;

/// How often a lane without partitions looks for some.
const IDLE: Duration = Duration::from_millis(10);

/// How all consumers of one kind read.
#[derive(Clone)]
pub(super) struct Manner {
    pub(super) role: Role,
    pub(super) limits: FetchLimits,
    /// At a partition's end it is read from its start again.
    pub(super) repeat: bool,
    pub(super) topics: Arc<[FetchedTopic]>,
}

pub(super) struct Lane {
    pub(super) shared: Arc<Shared>,
    pub(super) manner: Manner,
    pub(super) peers: Arc<Peers>,
    pub(super) leader: i32,
    pub(super) meter: Arc<Meter>,
    pub(super) requests: Requests,
    pub(super) answers: Answers,
    pub(super) session: Session,
    pub(super) reading: Reading,
    /// By slot: where the records that an answer holds are wanted from; `None` if they are not.
    pub(super) wanted_from: Vec<Option<i64>>,
    pub(super) moved: Moved,
    pub(super) drain: Option<Drain>,
    /// Lanes that came into being when partitions went to leaders without one.
    pub(super) children: Vec<JoinHandle<()>>,
}

/// A request that was not answered yet.
struct UnderWay {
    correlation_id: i32,
    sent_ns: u64,
}

impl Lane {
    pub(super) fn open(
        shared: Arc<Shared>,
        manner: Manner,
        peers: Arc<Peers>,
        leader: i32,
        peer: &str,
    ) -> Result<Self> {
        let ids = manner.topics.iter().all(|topic| !topic.id.is_nil());
        let (requests, answers) = Requests::open(peer, ids, &manner.limits, TIMEOUT)?;
        peers.join(leader);
        Ok(Self {
            meter: shared.recorder.meter(manner.role),
            session: Session::new(Arc::clone(&manner.topics)),
            reading: Reading::new(manner.limits.read_committed),
            wanted_from: Vec::new(),
            moved: Moved::default(),
            drain: None,
            children: Vec::new(),
            shared,
            manner,
            peers,
            leader,
            requests,
            answers,
        })
    }

    pub(super) fn add(&mut self, (topic, index): Partition, offset: i64) {
        let slot = self.session.add(topic, index, offset);
        self.wanted_from.resize(self.wanted_from.len().max(slot + 1), None);
    }

    pub(super) fn spawn(self) -> JoinHandle<()> {
        std::thread::spawn(move || {
            let mut lane = self;
            if let Err(error) = lane.run() {
                lane.shared.fail(error.context(lane.named()));
            }
            if lane.manner.role == Role::Tail {
                lane.shared.arrivals.hide(lane.reading.hidden());
            }
            for child in lane.children {
                let _ = child.join(); // It has told its own failure.
            }
        })
    }

    fn named(&self) -> String {
        let who = if self.manner.role == Role::Tail { "a consumer at the tail" } else { "a consumer that catches up" };
        format!("{who}, reading from {}", self.requests.peer())
    }

    fn run(&mut self) -> Result<()> {
        if self.manner.role == Role::CatchUp {
            self.shared.await_beginning();
            while self.shared.is_producing() && self.shared.now_ns() < self.shared.plan.measured_ns() {
                std::thread::sleep(IDLE);
            }
        }
        let mut under_way = None;
        while !self.is_over()? {
            self.take_over();
            self.find_leaders()?;
            let Some(request) = under_way.take() else {
                under_way = self.send()?;
                if under_way.is_none() {
                    std::thread::sleep(IDLE);
                }
                continue;
            };
            if !self.receive()? {
                under_way = Some(request);
                continue;
            }
            under_way = self.answered(&request)?;
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<bool> {
        let (shared, role, drain) = (&self.shared, self.manner.role, &self.drain);
        self.answers.receive(|| wants_a_look(shared, role, drain.as_ref()))
    }

    /// Takes an answer to pieces. Where each partition goes on is seen first, so that the broker can work on what comes
    /// next while the records are counted here.
    fn answered(&mut self, request: &UnderWay) -> Result<Option<UnderWay>> {
        let now_ns = self.shared.now_ns();
        self.advance(request.correlation_id)?;
        let next = if wants_a_look(&self.shared, self.manner.role, self.drain.as_ref()) { None } else { self.send()? };
        self.count(request.correlation_id, request.sent_ns, now_ns)?;
        self.answers.clear();
        Ok(next)
    }

    fn send(&mut self) -> Result<Option<UnderWay>> {
        if self.session.len() == 0 {
            return Ok(None);
        }
        let request = self.session.request(self.requests.version(), &self.manner.limits);
        let sent_ns = self.shared.now_ns();
        Ok(Some(UnderWay { correlation_id: self.requests.send(&request)?, sent_ns }))
    }

    /// Takes over partitions that this lane's leader leads now.
    fn take_over(&mut self) {
        for (partition, offset) in self.peers.take(self.leader) {
            self.add(partition, offset);
        }
    }

    fn is_over(&mut self) -> Result<bool> {
        if self.shared.is_producing() || self.shared.has_failed() {
            return Ok(self.shared.has_failed());
        }
        if self.manner.role != Role::Tail {
            return Ok(true);
        }
        if self.drain.is_none() {
            self.drain = Some(self.begin_draining()?);
        }
        Ok(self.drain.as_ref().is_none_or(|drain| drain.is_done(&self.session)))
    }

    /// Fails on an error that would not go away by itself; counts any other.
    pub(super) fn refused(&self, code: i16, what: &str) -> Result<()> {
        let error = thalweg_protocol::ErrorCode::from_code(code);
        let out_of_range = thalweg_protocol::ErrorCode::OffsetOutOfRange;
        let name = crate::client::cluster::error_name(code).unwrap_or_default();
        if !error.is_some_and(|error| error.is_retriable() || error == out_of_range) {
            bail!("{what}: the broker answered {name}");
        }
        let now_ns = self.shared.now_ns();
        self.meter.note(|tally| {
            tally.at(now_ns, now_ns)?;
            tally.refused(&name, 1);
            Ok(())
        })
    }

    /// What a partition is called in messages.
    pub(super) fn name(&self, (topic, index): Partition) -> String {
        let topic = self.manner.topics.get(topic).map_or("?", |topic| topic.name.as_str());
        format!("{topic}-{index}")
    }

    /// The partitions that are being fetched, by slot.
    pub(super) fn fetched(&self) -> BTreeMap<Partition, usize> {
        self.session.live().map(|(slot, partition)| (partition, slot)).collect()
    }
}

/// Whether something is to be done that does not wait for the answer under way.
fn wants_a_look(shared: &Shared, role: Role, drain: Option<&Drain>) -> bool {
    match (role, drain) {
        (Role::Tail, Some(drain)) => shared.has_failed() || drain.is_late(),
        _ => !shared.is_producing(),
    }
}
