//! One producer: takes records from the schedule when they are due, and sends what is ready.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use thalweg_protocol::TimestampMs;
use thalweg_protocol::messages::ProduceRequest;
use thalweg_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};

use super::backlog::Backlog;
use super::lane::{InFlight, Lane};
use super::moment::stamp;
use super::pace::Pace;
use super::payload::Payload;
use super::scenario::{Keys, Produce, Spread};
use super::shared::Shared;
use crate::client::cluster::{PRODUCE_VERSION, topic_name};
use crate::client::wire::{self, Connection};

/// Records taken from the schedule before anything is sent again.
const TAKEN_AT_ONCE: usize = 1000;
/// The longest sleep: the end of the run and failures are looked at so often.
const NAP: Duration = Duration::from_millis(20);
/// How long the end waits for the answers under way.
const DRAIN: Duration = Duration::from_secs(10);

/// What one producer does.
pub(super) struct Producer {
    pub(super) shared: Arc<Shared>,
    pub(super) produce: Produce,
    pub(super) topic: String,
    /// Which of `count` producers it is: they take the schedule's records in turn.
    pub(super) index: u64,
    pub(super) count: u64,
    /// Open loop; without it records are sent as fast as they are taken.
    pub(super) pace: Option<Pace>,
    /// The leader of each partition, and where it is.
    pub(super) leaders: Vec<(i32, String)>,
}

/// A leader's lane, and the partitions it leads.
struct Way {
    lane: Lane,
    partitions: Vec<i32>,
}

impl Producer {
    pub(super) fn run(self) -> Result<()> {
        let mut ways = self.connect()?;
        let settings = &self.produce;
        let new = |_: &(i32, String)| Backlog::new(settings.compression, settings.batch_bytes as usize);
        let mut backlogs: Vec<Backlog> = self.leaders.iter().map(new).collect();
        let mut payload = Payload::new(self.size(), settings.compressible, self.index + 1);
        let mut work = Work {
            taken: 0,
            waiting_bytes: 0,
            partition: self.index as usize % self.leaders.len().max(1),
            requests: 0,
        };
        self.shared.await_beginning();
        let result = self.pump(&mut ways, &mut backlogs, &mut payload, &mut work);
        let give_up = result.is_err() || self.shared.has_failed() || self.drain(&ways).is_none();
        ways.into_values().for_each(|way| way.lane.finish(give_up));
        result
    }

    fn connect(&self) -> Result<BTreeMap<i32, Way>> {
        let mut ways: BTreeMap<i32, Way> = BTreeMap::new();
        for (partition, (leader, address)) in self.leaders.iter().enumerate() {
            let partition = i32::try_from(partition)?;
            if let Some(way) = ways.get_mut(leader) {
                way.partitions.push(partition);
                continue;
            }
            let stream = Connection::open(address, Duration::from_secs(30))?.into_stream();
            // A stall is what is to be measured: it ends no connection.
            stream.set_read_timeout(None)?;
            let lane = Lane::new(stream, address.clone(), &self.shared)?;
            ways.insert(*leader, Way { lane, partitions: vec![partition] });
        }
        Ok(ways)
    }

    fn pump(
        &self,
        ways: &mut BTreeMap<i32, Way>,
        backlogs: &mut [Backlog],
        payload: &mut Payload,
        work: &mut Work,
    ) -> Result<()> {
        loop {
            let now = self.shared.now_ns();
            let over = now >= self.shared.plan.ends_ns() || self.shared.has_failed();
            if over && self.pace.is_none() {
                return Ok(()); // what waits here was never asked for by a schedule
            }
            if !over {
                self.take_due(now, backlogs, payload, work)?;
            }
            for backlog in backlogs.iter_mut() {
                backlog.close_if_due(now, if over { 0 } else { self.linger_ns() })?;
            }
            let mut blocked = false;
            for way in ways.values_mut() {
                blocked |= self.send_ready(way, backlogs, work)?;
            }
            if over
                && (backlogs.iter().all(Backlog::is_empty)
                    || self.shared.has_failed()
                    || now >= self.shared.plan.ends_ns() + ns(DRAIN))
            {
                return Ok(());
            }
            self.rest(ways, backlogs, work, blocked);
        }
    }

    /// Takes what the schedule has until now; without a schedule, what there is room for.
    fn take_due(&self, now: u64, backlogs: &mut [Backlog], payload: &mut Payload, work: &mut Work) -> Result<()> {
        let settings = &self.produce;
        let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let at = TimestampMs(i64::try_from(at.as_millis())?);
        for _ in 0..TAKEN_AT_ONCE {
            // Memory is bounded, the schedule is not: what finds no room is taken later, and was due when it was due.
            if work.waiting_bytes >= (settings.buffer_mib as usize) << 20 {
                return Ok(());
            }
            let number = work.taken * self.count + self.index;
            let due = self.pace.as_ref().map_or(now, |pace| ns(pace.due(number)));
            if due > now || due >= self.shared.plan.ends_ns() {
                return Ok(());
            }
            let Some(backlog) = backlogs.get_mut(work.partition) else { return Ok(()) };
            let key = number.to_be_bytes();
            let key = (settings.keys != Keys::None).then_some(&key[..]);
            let full = backlog.push(
                now,
                due,
                at,
                key,
                payload.next(self.size(), &stamp(self.shared.run_id, self.shared.unix_ns(due))),
            )?;
            work.taken += 1;
            work.waiting_bytes += self.size();
            if settings.spread == Some(Spread::Record) || full {
                work.partition = (work.partition + 1) % backlogs.len();
            }
        }
        Ok(())
    }

    /// Sends what is ready for one leader; says whether something had to stay.
    fn send_ready(&self, way: &mut Way, backlogs: &mut [Backlog], work: &mut Work) -> Result<bool> {
        let settings = &self.produce;
        loop {
            let ready = |partition: &i32| backlogs.get(*partition as usize).is_some_and(Backlog::is_ready);
            if !way.partitions.iter().any(ready) {
                return Ok(false);
            }
            if way.lane.slots.used() >= settings.in_flight as usize {
                return Ok(true);
            }
            let mut batches = HashMap::new();
            let mut data = Vec::new();
            for partition in &way.partitions {
                let Some(batch) = backlogs.get_mut(*partition as usize).and_then(Backlog::take) else { continue };
                work.waiting_bytes -= batch.due.len() * self.size();
                data.push(
                    PartitionProduceData::default().with_index(*partition).with_records(Some(batch.bytes.clone())),
                );
                batches.insert(*partition, batch);
            }
            work.requests += 1;
            let topic = TopicProduceData::default().with_name(topic_name(&self.topic)).with_partition_data(data);
            let request = ProduceRequest::default()
                .with_acks(settings.acks.code())
                .with_timeout_ms(30_000)
                .with_topic_data(vec![topic]);
            let frame = wire::frame(&request, PRODUCE_VERSION, work.requests)?;
            let sent_ns = self.shared.now_ns();
            way.lane.send(&frame, InFlight { correlation_id: work.requests, sent_ns, batches }).context("producing")?;
        }
    }

    /// Sleeps until something is due: the next record, a batch that has lingered, or room for a request.
    fn rest(&self, ways: &BTreeMap<i32, Way>, backlogs: &[Backlog], work: &Work, blocked: bool) {
        let settings = &self.produce;
        let now = self.shared.now_ns();
        let next = self.pace.as_ref().map(|pace| ns(pace.due(work.taken * self.count + self.index)));
        let lingering = backlogs.iter().filter_map(|backlog| backlog.closes_at(self.linger_ns())).min();
        let wake = next.into_iter().chain(lingering).min();
        let full = work.waiting_bytes >= (settings.buffer_mib as usize) << 20;
        let nap = match wake {
            Some(wake) if !full => Duration::from_nanos(wake.saturating_sub(now)).min(NAP),
            _ => NAP,
        };
        if blocked || full || self.pace.is_none() {
            // The first leader with requests under way; with several, the nap bounds the wait for the others.
            if let Some(way) = ways.values().find(|way| way.lane.slots.used() > 0) {
                return way.lane.slots.wait(nap);
            }
        }
        if !nap.is_zero() {
            std::thread::sleep(nap);
        }
    }

    fn linger_ns(&self) -> u64 {
        self.produce.linger_ms * 1_000_000
    }

    fn size(&self) -> usize {
        self.produce.sizes.first().map_or(0, |size| size.bytes as usize)
    }

    /// Waits for the answers under way; `None` if they do not come.
    fn drain(&self, ways: &BTreeMap<i32, Way>) -> Option<()> {
        let deadline = self.shared.now_ns() + ns(DRAIN);
        for way in ways.values() {
            while way.lane.slots.used() > 0 {
                if self.shared.now_ns() >= deadline || self.shared.has_failed() {
                    return None;
                }
                way.lane.slots.wait(NAP);
            }
        }
        Some(())
    }
}

/// How far a producer is.
struct Work {
    /// Records taken from the schedule.
    taken: u64,
    waiting_bytes: usize,
    /// Where the next record goes.
    partition: usize,
    requests: i32,
}

fn ns(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
