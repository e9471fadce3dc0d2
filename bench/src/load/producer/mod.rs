//! One producer, on one thread: takes records from the schedule when they are due, sends what is ready, and waits for
//! whatever comes first.

mod answers;
mod backlog;
mod coordinator;
mod lane;
mod recover;
mod send;
mod transaction;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use thalweg_protocol::TimestampMs;

use self::backlog::Backlog;
use self::lane::Lane;
use self::transaction::Session;
use super::recorder::Meter;
use super::records::Records;
use super::scenario::{Acks, Produce};
use super::shared::Shared;
use super::topics::Cluster;
use crate::result::Role;

/// Records taken from the schedule before answers are looked at again: their arrival is noted when they are.
const TAKEN_AT_ONCE: usize = 250;
/// The longest sleep: the end of the run and failures are looked at so often.
const NAP_NS: u64 = 20_000_000;
/// How long the end waits for the answers under way.
const DRAIN_NS: u64 = 10_000_000_000;

pub(super) struct Producer {
    shared: Arc<Shared>,
    produce: Produce,
    cluster: Cluster,
    records: Records,
    backlog: Backlog,
    lanes: Vec<Lane>,
    session: Option<Session>,
    meter: Arc<Meter>,
    /// Topic and partition of each entry of the backlog, and where each topic's begin.
    partitions: Vec<(usize, i32)>,
    firsts: Vec<usize>,
    topics_by_name: HashMap<String, usize>,
    topics_by_id: HashMap<uuid::Uuid, usize>,
    requests: i32,
    /// When partitions are to be sent again, in order.
    retries: VecDeque<(u64, usize)>,
    /// Since when a leader cannot be reached, or is not the one it was.
    lost_ns: Option<u64>,
    last_loss: Option<anyhow::Error>,
    next_attempt_ns: u64,
}

impl Producer {
    /// Connects, and introduces itself to the brokers.
    pub(super) fn new(shared: &Arc<Shared>, index: u32, cluster: Cluster) -> Result<Self> {
        let produce = shared.scenario.produce.clone().context("the scenario has no producers")?;
        let session = Session::begin(shared, index)?;
        let counts: Vec<usize> = cluster.topics.iter().map(|topic| topic.leaders.len()).collect();
        let records = Records::new(shared, index, &counts).context("the scenario has no producers")?;
        let mut partitions = Vec::new();
        let mut firsts = Vec::new();
        for (topic, count) in counts.into_iter().enumerate() {
            firsts.push(partitions.len());
            partitions.extend((0..i32::try_from(count)?).map(|partition| (topic, partition)));
        }
        let linger_ns = produce.linger_ms * 1_000_000;
        let mut backlog = Backlog::new(partitions.len(), produce.compression, produce.batch_bytes as usize, linger_ns);
        backlog.identity = session.as_ref().map(|session| session.identity);
        let topics = cluster.topics.iter().enumerate();
        let mut producer = Self {
            meter: shared.recorder.meter(Role::Produce),
            shared: Arc::clone(shared),
            produce,
            topics_by_name: topics.clone().map(|(index, topic)| (topic.name.clone(), index)).collect(),
            topics_by_id: topics.map(|(index, topic)| (topic.id, index)).collect(),
            cluster,
            records,
            backlog,
            lanes: Vec::new(),
            session,
            partitions,
            firsts,
            requests: 0,
            retries: VecDeque::new(),
            lost_ns: None,
            last_loss: None,
            next_attempt_ns: 0,
        };
        producer.connect()?;
        Ok(producer)
    }

    pub(super) fn run(mut self) -> Result<()> {
        self.shared.await_beginning();
        loop {
            let now_ns = self.shared.now_ns();
            if self.shared.has_failed() {
                return Ok(());
            }
            let over = now_ns >= self.shared.plan.ends_ns();
            if over && self.records.is_open_loop() {
                if now_ns >= self.shared.plan.ends_ns() + DRAIN_NS {
                    return self.give_up(now_ns);
                }
            } else if over {
                self.backlog.abandon(); // what waits here was never asked for by a schedule
                if now_ns >= self.shared.plan.ends_ns() + DRAIN_NS {
                    return Ok(());
                }
            }
            let ending =
                self.session.as_ref().is_some_and(|session| session.is_due(now_ns) || over && session.is_open());
            if !ending && (!over || self.records.is_open_loop()) {
                self.take_due(now_ns)?;
            }
            self.backlog.note_due(now_ns, over || ending);
            self.retry(now_ns)?;
            self.send_ready()?;
            if self.backlog.is_empty() {
                if ending {
                    self.end_transaction()?;
                    continue;
                }
                if over && self.records.next_due_ns().is_none_or(|_| !self.records.is_open_loop()) {
                    return Ok(());
                }
            }
            self.rest(now_ns, ending || over && !self.records.is_open_loop())?;
        }
    }

    /// Takes what the schedule has until now; without a schedule, what there is room for.
    fn take_due(&mut self, now_ns: u64) -> Result<()> {
        let at = TimestampMs(i64::try_from(self.shared.unix_ns(now_ns) / 1_000_000)?);
        for _ in 0..TAKEN_AT_ONCE {
            // Memory is bounded, the schedule is not: what finds no room is taken later, and was due when it was due.
            if self.is_full() {
                return Ok(());
            }
            if let Some(session) = &mut self.session
                && session.is_due(now_ns)
            {
                return Ok(());
            }
            let Some(due) = self.records.take(now_ns) else { return Ok(()) };
            self.backlog.push(now_ns, at, &due)?;
            if let Some(session) = &mut self.session {
                session.took(now_ns);
            }
        }
        Ok(())
    }

    const fn is_full(&self) -> bool {
        self.backlog.held_bytes >= (self.produce.buffer_mib as usize) << 20
    }

    /// Everything of the transaction is acknowledged.
    fn end_transaction(&mut self) -> Result<()> {
        let Some(session) = &mut self.session else { return Ok(()) };
        let asked_ns = self.shared.now_ns();
        session.end()?;
        self.backlog.identity = Some(session.identity);
        let now_ns = self.shared.now_ns();
        self.meter.note(|tally| {
            tally.at(now_ns, asked_ns)?;
            tally.latency(2, now_ns - asked_ns, 1);
            Ok(())
        })
    }

    /// Sleeps until something is due, or something came: the next record, a batch that has lingered, an answer.
    fn rest(&mut self, now_ns: u64, takes_none: bool) -> Result<()> {
        let next = if takes_none || self.is_full() { None } else { self.records.next_due_ns() };
        let retry = self.retries.front().map(|(at_ns, _)| *at_ns);
        let attempt = self.lost_ns.map(|_| self.next_attempt_ns);
        let ends = self.session.as_ref().and_then(Session::ends_ns).filter(|_| !takes_none);
        let wakes = [next, self.backlog.next_due_ns(), retry, attempt, ends];
        let wake_ns = wakes.into_iter().flatten().min().unwrap_or(u64::MAX).min(now_ns + NAP_NS);
        self.wait(Duration::from_nanos(wake_ns.saturating_sub(self.shared.now_ns())))?;
        for lane in 0..self.lanes.len() {
            self.settle_written(lane)?;
        }
        Ok(())
    }

    fn wait(&mut self, limit: Duration) -> Result<()> {
        let limit = Timespec { tv_sec: i64::try_from(limit.as_secs())?, tv_nsec: i64::from(limit.subsec_nanos()) };
        let streams = self.lanes.iter().enumerate().filter_map(|(lane, it)| Some((lane, it.stream()?, it.interest())));
        let (lanes, mut fds): (Vec<_>, Vec<_>) =
            streams.map(|(lane, stream, interest)| (lane, PollFd::new(stream, interest))).unzip();
        match poll(&mut fds, Some(&limit)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("waiting for answers"),
        }
        let came: Vec<(usize, PollFlags)> = lanes.into_iter().zip(fds.iter().map(PollFd::revents)).collect();
        for (lane, events) in came {
            if events.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
                self.receive(lane)?;
            }
            if events.contains(PollFlags::OUT) {
                self.flush(lane)?;
            }
        }
        Ok(())
    }

    /// At the end of an open loop: what is not acknowledged by now counts as refused.
    fn give_up(&mut self, now_ns: u64) -> Result<()> {
        let under_way: Vec<_> = self.lanes.iter_mut().flat_map(Lane::give_up).collect();
        let noted = under_way.into_iter().flat_map(|batch| batch.records);
        let mut due: Vec<u64> = noted.chain(self.backlog.abandon()).map(|noted| noted.due_ns).collect();
        self.meter.note(|tally| {
            for due_ns in due.drain(..).chain(std::iter::from_fn(|| self.records.skip())) {
                tally.at(now_ns, due_ns)?;
                tally.refused("not acknowledged 10 s after the end", 1);
            }
            Ok(())
        })
    }

    fn awaits_answers(&self) -> bool {
        self.produce.acks != Acks::None
    }
}
