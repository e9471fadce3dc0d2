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
use super::pace::Pace;
use super::payload::Payload;
use super::run::{Shared, Spread};
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
        let settings = &self.shared.settings;
        let new = |_: &(i32, String)| Backlog::new(settings.compression, settings.batch_bytes);
        let mut backlogs: Vec<Backlog> = self.leaders.iter().map(new).collect();
        let mut payload = Payload::new(settings.size, settings.compressible, self.index + 1);
        let mut work = Work {
            taken: 0,
            waiting_bytes: 0,
            partition: self.index as usize % self.leaders.len().max(1),
            requests: 0,
        };
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
        let settings = &self.shared.settings;
        loop {
            let now = self.shared.now();
            let over = now >= settings.end() || self.shared.has_failed();
            if over && !settings.open_loop {
                return Ok(()); // what waits here was never asked for by a schedule
            }
            if !over {
                self.take_due(now, backlogs, payload, work)?;
            }
            for backlog in backlogs.iter_mut() {
                backlog.close_if_due(now, if over { Duration::ZERO } else { settings.linger })?;
            }
            let mut blocked = false;
            for way in ways.values_mut() {
                blocked |= self.send_ready(way, backlogs, work)?;
            }
            if over
                && (backlogs.iter().all(Backlog::is_empty) || self.shared.has_failed() || now >= settings.end() + DRAIN)
            {
                return Ok(());
            }
            self.rest(ways, backlogs, work, blocked);
        }
    }

    /// Takes what the schedule has until now; without a schedule, what there is room for.
    fn take_due(&self, now: Duration, backlogs: &mut [Backlog], payload: &mut Payload, work: &mut Work) -> Result<()> {
        let settings = &self.shared.settings;
        let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let at = TimestampMs(i64::try_from(at.as_millis())?);
        for _ in 0..TAKEN_AT_ONCE {
            // Memory is bounded, the schedule is not: what finds no room is taken later, and was due when it was due.
            if work.waiting_bytes >= settings.buffer_bytes {
                return Ok(());
            }
            let number = work.taken * self.count + self.index;
            let due = self.pace.as_ref().map_or(now, |pace| pace.due(number));
            if due > now || due >= settings.end() {
                return Ok(());
            }
            let Some(backlog) = backlogs.get_mut(work.partition) else { return Ok(()) };
            let key = number.to_be_bytes();
            let key = settings.keys.then_some(&key[..]);
            let full = backlog.push(now, due, at, key, payload.next())?;
            work.taken += 1;
            work.waiting_bytes += settings.size;
            if settings.spread == Spread::Record || full {
                work.partition = (work.partition + 1) % backlogs.len();
            }
        }
        Ok(())
    }

    /// Sends what is ready for one leader; says whether something had to stay.
    fn send_ready(&self, way: &mut Way, backlogs: &mut [Backlog], work: &mut Work) -> Result<bool> {
        let settings = &self.shared.settings;
        loop {
            let ready = |partition: &i32| backlogs.get(*partition as usize).is_some_and(Backlog::is_ready);
            if !way.partitions.iter().any(ready) {
                return Ok(false);
            }
            if way.lane.slots.used() >= settings.in_flight {
                return Ok(true);
            }
            let mut batches = HashMap::new();
            let mut data = Vec::new();
            for partition in &way.partitions {
                let Some(batch) = backlogs.get_mut(*partition as usize).and_then(Backlog::take) else { continue };
                work.waiting_bytes -= batch.due.len() * settings.size;
                data.push(
                    PartitionProduceData::default().with_index(*partition).with_records(Some(batch.bytes.clone())),
                );
                batches.insert(*partition, batch);
            }
            work.requests += 1;
            let topic = TopicProduceData::default().with_name(topic_name(&settings.topic)).with_partition_data(data);
            let request =
                ProduceRequest::default().with_acks(settings.acks).with_timeout_ms(30_000).with_topic_data(vec![topic]);
            let frame = wire::frame(&request, PRODUCE_VERSION, work.requests)?;
            let sent = self.shared.now();
            way.lane.send(&frame, InFlight { correlation_id: work.requests, sent, batches }).context("producing")?;
        }
    }

    /// Sleeps until something is due: the next record, a batch that has lingered, or room for a request.
    fn rest(&self, ways: &BTreeMap<i32, Way>, backlogs: &[Backlog], work: &Work, blocked: bool) {
        let settings = &self.shared.settings;
        let now = self.shared.now();
        let next = self.pace.as_ref().map(|pace| pace.due(work.taken * self.count + self.index));
        let lingering = backlogs.iter().filter_map(|backlog| backlog.closes_at(settings.linger)).min();
        let wake = next.into_iter().chain(lingering).min();
        let full = work.waiting_bytes >= settings.buffer_bytes;
        let nap = match wake {
            Some(wake) if !full => wake.saturating_sub(now).min(NAP),
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

    /// Waits for the answers under way; `None` if they do not come.
    fn drain(&self, ways: &BTreeMap<i32, Way>) -> Option<()> {
        let deadline = self.shared.now() + DRAIN;
        for way in ways.values() {
            while way.lane.slots.used() > 0 {
                if self.shared.now() >= deadline || self.shared.has_failed() {
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
