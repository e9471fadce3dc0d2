//! What comes of requests: acknowledged, refused, or to be sent again.

use anyhow::{Context as _, Result, anyhow, bail};
use bytes::Bytes;
use thalweg_protocol::ErrorCode;
use thalweg_protocol::messages::ProduceRequest;
use thalweg_protocol::messages::produce_response::TopicProduceResponse;

use super::Producer;
use super::backlog::Batch;
use super::lane::{InFlight, Lane};
use crate::client::answer::open;
use crate::client::cluster::error_name;

/// Before something is sent again, as in Kafka's client (`retry.backoff.ms`).
const BACKOFF_NS: u64 = 100_000_000;

impl Producer {
    pub(super) fn flush(&mut self, lane: usize) -> Result<()> {
        match self.lanes.get_mut(lane).map_or(Ok(()), Lane::flush) {
            Err(error) => self.lost(lane, error),
            Ok(()) => Ok(()),
        }
    }

    pub(super) fn receive(&mut self, lane: usize) -> Result<()> {
        let received = self.lanes.get_mut(lane).map_or(Ok(()), Lane::receive);
        let now_ns = self.shared.now_ns();
        // What came before an end is an answer still.
        while let Some((request, frame)) = self.lanes.get_mut(lane).map_or(Ok(None), Lane::next_answer)? {
            self.answered(lane, request, frame, now_ns)?;
        }
        match received {
            Err(error) => self.lost(lane, error),
            Ok(()) => Ok(()),
        }
    }

    /// Without answers a request is done with when it is written.
    pub(super) fn settle_written(&mut self, lane: usize) -> Result<()> {
        if self.awaits_answers() {
            return Ok(());
        }
        let now_ns = self.shared.now_ns();
        while let Some(request) = self.lanes.get_mut(lane).and_then(Lane::next_written) {
            for batch in request.batches {
                self.backlog.done(&batch);
                self.acknowledged(&batch, request.sent_ns, now_ns)?;
            }
        }
        Ok(())
    }

    fn answered(&mut self, lane: usize, request: InFlight, frame: Bytes, now_ns: u64) -> Result<()> {
        let version = self.produce_version(lane)?;
        let peer = self.lanes.get(lane).map_or("", Lane::peer);
        let answer = open::<ProduceRequest>(frame, version, request.correlation_id)
            .with_context(|| format!("the connection to {peer}"))?;
        // In the order of their partitions; answers may come in any other.
        let mut batches: Vec<(usize, Option<Batch>)> =
            request.batches.into_iter().map(|batch| (batch.partition, Some(batch))).collect();
        for topic in &answer.responses {
            let Some(first) = self.first_partition(topic, version) else { continue };
            for partition in &topic.partition_responses {
                let Ok(index) = usize::try_from(partition.index) else { continue };
                let place = batches.binary_search_by_key(&(first + index), |(partition, _)| *partition).ok();
                let batch = place.and_then(|place| batches.get_mut(place)).and_then(|(_, batch)| batch.take());
                if let Some(batch) = batch {
                    self.conclude(batch, partition.error_code, request.sent_ns, now_ns)?;
                }
            }
        }
        for batch in batches.into_iter().filter_map(|(_, batch)| batch) {
            self.finish(&batch, now_ns);
            self.refused(&batch, "no answer for the partition", now_ns)?;
        }
        Ok(())
    }

    /// Where the topic's partitions begin.
    fn first_partition(&self, topic: &TopicProduceResponse, version: i16) -> Option<usize> {
        let index = if version >= 13 {
            self.topics_by_id.get(&topic.topic_id)
        } else {
            self.topics_by_name.get(topic.name.as_str())
        };
        self.firsts.get(*index?).copied()
    }

    fn conclude(&mut self, batch: Batch, code: i16, sent_ns: u64, now_ns: u64) -> Result<()> {
        let error = ErrorCode::from_code(code);
        let idempotent = self.session.is_some();
        match error {
            Some(ErrorCode::None) => {}
            // It was there already: an attempt before this one arrived, and its answer did not.
            Some(ErrorCode::DuplicateSequenceNumber) if idempotent => {}
            Some(error) if idempotent && self.may_pass(&batch, error) => {
                if error == ErrorCode::NotLeaderOrFollower || error == ErrorCode::UnknownTopicOrPartition {
                    self.lost_ns.get_or_insert(now_ns);
                }
                let partition = batch.partition;
                if self.backlog.failed(batch) {
                    self.retries.push_back((now_ns + BACKOFF_NS, partition));
                }
                return Ok(());
            }
            _ => {
                let name = error_name(code).unwrap_or_default();
                self.finish(&batch, now_ns);
                self.refused(&batch, &name, now_ns)?;
                if idempotent {
                    bail!("the broker answered {name} to an idempotent producer, which cannot go on behind that");
                }
                return Ok(());
            }
        }
        self.finish(&batch, now_ns);
        self.acknowledged(&batch, sent_ns, now_ns)
    }

    /// Whether sending again helps: the error passes, or it follows from an earlier batch's.
    fn may_pass(&self, batch: &Batch, error: ErrorCode) -> bool {
        let follows = matches!(error, ErrorCode::OutOfOrderSequenceNumber) && self.backlog.has_failed(batch.partition);
        error.is_retriable() || follows
    }

    fn finish(&mut self, batch: &Batch, now_ns: u64) {
        if self.backlog.done(batch) {
            self.retries.push_back((now_ns + BACKOFF_NS, batch.partition));
        }
    }

    fn acknowledged(&self, batch: &Batch, sent_ns: u64, now_ns: u64) -> Result<()> {
        self.shared.arrivals.acknowledge(batch.records.len() as u64);
        let open_loop = self.records.is_open_loop();
        self.meter.note(|tally| {
            for noted in &batch.records {
                tally.at(now_ns, if open_loop { noted.due_ns } else { now_ns })?;
                tally.records(1, u64::from(noted.bytes));
                tally.latency(0, now_ns.saturating_sub(noted.due_ns), 1);
                tally.latency(1, now_ns.saturating_sub(sent_ns), 1);
            }
            Ok(())
        })
    }

    fn refused(&self, batch: &Batch, error: &str, now_ns: u64) -> Result<()> {
        let open_loop = self.records.is_open_loop();
        self.meter.note(|tally| {
            for noted in &batch.records {
                tally.at(now_ns, if open_loop { noted.due_ns } else { now_ns })?;
                tally.refused(error, 1);
            }
            Ok(())
        })
    }

    /// A connection ended. An idempotent producer sends again what was under way; for any other the run is over.
    fn lost(&mut self, lane: usize, error: anyhow::Error) -> Result<()> {
        if self.session.is_none() {
            return Err(error);
        }
        let now_ns = self.shared.now_ns();
        self.lost_ns.get_or_insert(now_ns);
        self.last_loss = Some(anyhow!("{error:#}"));
        for batch in self.lanes.get_mut(lane).map(Lane::give_up).unwrap_or_default() {
            let partition = batch.partition;
            if self.backlog.failed(batch) {
                self.retries.push_back((now_ns + BACKOFF_NS, partition));
            }
        }
        Ok(())
    }
}
