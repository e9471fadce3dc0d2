//! One producer: keeps requests under way to every leader, and sends again what a broker that died did not answer.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use thalweg_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use thalweg_protocol::messages::produce_response::PartitionProduceResponse;
use thalweg_protocol::messages::{InitProducerIdRequest, ProduceRequest, ProduceResponse};
use thalweg_protocol::records::BatchBuilder;
use thalweg_protocol::{ErrorCode, ProducerEpoch, ProducerId, TimestampMs};

use super::check;
use super::link::{Link, Sent};
use super::places::Places;
use super::queue::{Queue, Waiting};
use super::record::Name;
use super::shared::{Backoff, Shared};
use crate::client::cluster::{check as no_error, error_name, topic_name};

/// The oldest flexible version; every Kafka from 2.4 on serves it.
const INIT_PRODUCER_ID_VERSION: i16 = 2;
/// A request takes batches until it is so large.
const REQUEST_BYTES: usize = 512 << 10;
/// The longest sleep: the end of the run and failures are looked at so often.
const NAP: Duration = Duration::from_millis(10);

pub(crate) struct Producer {
    shared: Arc<Shared>,
    index: u32,
    places: Places,
    queues: Vec<Queue>,
    links: BTreeMap<String, Link>,
    /// As the broker gave it; without idempotence there is none.
    identity: Option<(ProducerId, ProducerEpoch)>,
    /// Records made.
    made: u64,
    /// The partition that is looked at first.
    turn: usize,
    random: u64,
    backoff: Backoff,
    scratch: Vec<u8>,
    last_error: String,
}

impl Producer {
    pub(crate) fn new(shared: Arc<Shared>, index: u32, places: Places) -> Self {
        let queues = (0..places.partitions()).map(|_| Queue::default()).collect();
        let random = (u64::from(index) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ shared.settings.format.run;
        Self {
            shared,
            index,
            places,
            queues,
            links: BTreeMap::new(),
            identity: None,
            made: 0,
            turn: index as usize,
            random: random | 1,
            backoff: Backoff::default(),
            scratch: Vec::new(),
            last_error: String::new(),
        }
    }

    /// Writes until told to stop and everything is acknowledged, or until the run has failed.
    pub(crate) fn run(mut self) -> Result<()> {
        if self.shared.settings.idempotent {
            self.identity = Some(self.identify()?);
        }
        while !self.shared.has_failed() {
            let sent = self.send_what_can_be_sent()?;
            if self.shared.is_stopping() && self.queues.iter().all(Queue::is_empty) {
                return Ok(());
            }
            if self.links.values().any(|link| link.under_way() > 0) {
                self.receive()?;
            } else if !sent {
                std::thread::sleep(NAP);
            }
            self.check_availability()?;
        }
        Ok(())
    }

    /// A producer id from any broker, however long that takes within what is allowed.
    fn identify(&mut self) -> Result<(ProducerId, ProducerEpoch)> {
        let began = self.shared.now();
        let request = InitProducerIdRequest::default().with_transactional_id(None);
        loop {
            let asked =
                self.places.any().and_then(|mut connection| connection.call(&request, INIT_PRODUCER_ID_VERSION));
            let refused = match asked {
                Ok(answer) => match ErrorCode::from_code(answer.error_code) {
                    Some(ErrorCode::None) => {
                        return Ok((ProducerId(answer.producer_id.0), ProducerEpoch(answer.producer_epoch)));
                    }
                    Some(error) if error.is_retriable() => no_error("a producer id", answer.error_code),
                    _ => return Err(no_error("a producer id", answer.error_code).err().context("no producer id")?),
                },
                Err(error) => Err(error),
            };
            if self.shared.now() - began > self.shared.settings.unavailable_max {
                refused?;
            }
            if self.shared.has_failed() {
                bail!("the run has failed");
            }
            self.backoff.pause();
        }
    }

    /// One round over all leaders; says whether anything was sent.
    fn send_what_can_be_sent(&mut self) -> Result<bool> {
        let mut by_leader: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for step in 0..self.queues.len() {
            let partition = (self.turn + step) % self.queues.len();
            // A partition whose leader is not known waits, and counts as down, until it is.
            if let Some(leader) = self.places.leader(partition) {
                by_leader.entry(leader.to_owned()).or_default().push(partition);
            }
        }
        self.turn = (self.turn + 1) % self.queues.len().max(1);
        let mut sent = false;
        for (leader, partitions) in by_leader {
            while self.links.get(&leader).map_or(0, Link::under_way) < self.shared.settings.in_flight {
                let batches = self.gather(&partitions)?;
                if batches.is_empty() {
                    break;
                }
                if let Err(error) = self.send(&leader, batches) {
                    self.lost(&leader, &error);
                    break;
                }
                sent = true;
            }
        }
        Ok(sent)
    }

    /// A batch of each partition that has one, or may have a new one, until a request is full.
    fn gather(&mut self, partitions: &[usize]) -> Result<Vec<(usize, Waiting)>> {
        let (mut batches, mut bytes) = (Vec::new(), 0);
        for &partition in partitions {
            if bytes >= REQUEST_BYTES {
                break;
            }
            let in_flight = self.shared.settings.in_flight;
            if self.queues.get(partition).is_some_and(|queue| queue.all_sent() && queue.len() < in_flight) {
                self.make(partition)?;
            }
            let Some(batch) = self.queues.get_mut(partition).and_then(Queue::take) else { continue };
            bytes += batch.bytes.len();
            batches.push((partition, batch));
        }
        Ok(batches)
    }

    /// A new batch for a partition, if there is something to write now.
    fn make(&mut self, partition: usize) -> Result<()> {
        let settings = &self.shared.settings;
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let mut wanted = 1 + self.random % settings.batch_records;
        if let Some(rate) = settings.rate {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "whole records, never negative"
            )]
            let due = (self.shared.now().as_secs_f64() * rate / f64::from(settings.producers)) as u64;
            wanted = wanted.min(due.saturating_sub(self.made));
        }
        let count = if wanted == 0 { 0 } else { self.shared.take_records(wanted) };
        if count > 0 {
            let first = self.queues.get(partition).map_or(0, Queue::next_sequence);
            let bytes = self.build(partition, first, count)?;
            self.made += count;
            if let Some(queue) = self.queues.get_mut(partition) {
                queue.push(count, bytes);
            }
        }
        Ok(())
    }

    fn build(&mut self, partition: usize, first: u64, count: u64) -> Result<Bytes> {
        let settings = &self.shared.settings;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now = TimestampMs(i64::try_from(now.as_millis())?);
        let mut batch = BatchBuilder::new().with_compression(settings.compression);
        if let Some((id, epoch)) = self.identity {
            // Sequences on the wire begin again at 0 behind the largest i32, as Kafka's do.
            batch = batch.with_producer(id, epoch, i32::try_from(first & 0x7fff_ffff)?);
        }
        let partition = i32::try_from(partition)?;
        for sequence in first..first + count {
            let name = Name { producer: self.index, partition, sequence };
            settings.format.value(name, &mut self.scratch);
            let key = settings.format.key(name);
            batch.push(now, key.as_ref().map(<[u8; 12]>::as_slice), Some(&self.scratch), &[])?;
        }
        Ok(batch.build()?.freeze())
    }

    fn send(&mut self, leader: &str, batches: Vec<(usize, Waiting)>) -> Result<()> {
        if !self.links.contains_key(leader) {
            self.links.insert(leader.to_owned(), Link::open(leader)?);
        }
        let link = self.links.get_mut(leader).context("a connection")?;
        {
            // Before the bytes go out: a reader may see them at once.
            let mut checker = self.shared.checker();
            for (partition, batch) in &batches {
                checker.send(name_batch(self.index, *partition, batch));
            }
        }
        let names = batches.iter().map(|(partition, batch)| (*partition, batch.first)).collect();
        let data = batches.into_iter().map(|(partition, batch)| {
            let index = i32::try_from(partition).unwrap_or(-1);
            PartitionProduceData::default().with_index(index).with_records(Some(batch.bytes))
        });
        let topic =
            TopicProduceData::default().with_name(topic_name(self.places.topic())).with_partition_data(data.collect());
        let request = ProduceRequest::default()
            .with_acks(self.shared.settings.acks)
            .with_timeout_ms(10_000)
            .with_topic_data(vec![topic]);
        link.send(&request, self.shared.now(), names)
    }

    /// Waits for the answer that has been due the longest.
    fn receive(&mut self) -> Result<()> {
        let oldest = self.links.iter().filter_map(|(leader, link)| Some((link.waits_since()?, leader.clone()))).min();
        let Some((_, leader)) = oldest else { return Ok(()) };
        let Some(link) = self.links.get_mut(&leader) else { return Ok(()) };
        match link.receive() {
            Ok((sent, answer)) => self.answered(&sent, &answer),
            Err(error) => {
                self.lost(&leader, &error);
                Ok(())
            }
        }
    }

    fn answered(&mut self, sent: &Sent, answer: &ProduceResponse) -> Result<()> {
        let mut again = false;
        for (partition, first) in &sent.batches {
            let mut answers = answer.responses.iter().flat_map(|topic| &topic.partition_responses);
            let found = answers.find(|answer| usize::try_from(answer.index).ok() == Some(*partition));
            let found = found.with_context(|| format!("the broker did not answer for partition {partition}"))?;
            again |= !self.settle(*partition, *first, found)?;
        }
        if again {
            self.shared.retries.fetch_add(1, Ordering::AcqRel);
            self.backoff.pause();
            // What is known stays known where nobody can be asked.
            let _ = self.places.refresh();
        } else {
            self.backoff.reset();
        }
        Ok(())
    }

    /// What the broker says about one batch; false if it must be sent again.
    fn settle(&mut self, partition: usize, first: u64, answer: &PartitionProduceResponse) -> Result<bool> {
        let (now, index) = (self.shared.now(), self.index);
        let Some(queue) = self.queues.get_mut(partition) else { return Ok(true) };
        let error = ErrorCode::from_code(answer.error_code);
        if matches!(error, Some(ErrorCode::None | ErrorCode::DuplicateSequenceNumber)) {
            let Some((batch, down_since)) = queue.acknowledge(first) else { return Ok(true) };
            let known = error == Some(ErrorCode::None) && answer.base_offset >= 0;
            let base_offset = known.then_some(answer.base_offset);
            self.shared.checker().acknowledge(name_batch(index, partition, &batch), base_offset);
            if let Some(since) = down_since {
                self.shared.outages.lock().unwrap_or_else(PoisonError::into_inner).add(since, now);
            }
            return Ok(true);
        }
        let name = error_name(answer.error_code).unwrap_or_default();
        let in_sequence = matches!(
            error,
            Some(ErrorCode::OutOfOrderSequenceNumber | ErrorCode::UnknownProducerId | ErrorCode::InvalidProducerEpoch)
        );
        let head = queue.is_head(first);
        if error.is_some_and(ErrorCode::is_retriable) || (in_sequence && !head) {
            queue.fail(first, now);
            self.last_error = format!("the broker answered {name}");
            return Ok(false);
        }
        if in_sequence && let Some((batch, _)) = queue.acknowledge(first) {
            self.shared.checker().refuse(name_batch(index, partition, &batch), &name);
            bail!("a producer's sequence was refused, so it cannot go on");
        }
        bail!("the broker refuses records for partition {partition}: {name}")
    }

    /// A connection has ended, or there is none: everything that was sent over it goes out again, in order.
    fn lost(&mut self, leader: &str, error: &anyhow::Error) {
        let now = self.shared.now();
        self.last_error = format!("{error:#}");
        let link = self.links.remove(leader);
        self.shared.retries.fetch_add(link.as_ref().map_or(0, Link::under_way) as u64, Ordering::AcqRel);
        // Some may be of partitions that another broker leads by now.
        for (partition, first) in link.iter().flat_map(Link::batches) {
            if let Some(queue) = self.queues.get_mut(partition) {
                queue.fail(first, now);
            }
        }
        for (partition, queue) in self.queues.iter_mut().enumerate() {
            if self.places.leader(partition) == Some(leader) {
                queue.fail_all(now);
            }
        }
        self.backoff.pause();
        let _ = self.places.refresh();
    }

    fn check_availability(&self) -> Result<()> {
        let (now, limit) = (self.shared.now(), self.shared.settings.unavailable_max);
        for (partition, queue) in self.queues.iter().enumerate() {
            let down = queue.down_since().map_or(Duration::ZERO, |since| now.saturating_sub(since));
            if down > limit {
                self.shared.outages.lock().unwrap_or_else(PoisonError::into_inner).add(now - down, now);
                let limit = limit.as_secs();
                bail!("partition {partition} could not be written to for {limit} s: {}", self.last_error);
            }
        }
        Ok(())
    }
}

fn name_batch(producer: u32, partition: usize, batch: &Waiting) -> check::Batch {
    let partition = i32::try_from(partition).unwrap_or(-1);
    check::Batch { producer, partition, first: batch.first, count: batch.count }
}
