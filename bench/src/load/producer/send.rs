//! Batches that are ready become requests.

use anyhow::{Context as _, Result};
use thalweg_protocol::StrBytes;
use thalweg_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use thalweg_protocol::messages::{ApiKey, ProduceRequest, TransactionalId};

use super::Producer;
use super::backlog::Batch;
use crate::client::cluster::topic_name;
use crate::client::wire;

/// Kafka's `max.request.size`.
const REQUEST_BYTES_MAX: usize = 1 << 20;
const TIMEOUT_MS: i32 = 30_000;
/// The first version in which topics have ids instead of names (KIP-516).
const TOPIC_IDS: i16 = 13;

impl Producer {
    /// Sends what is ready, to each leader as much as may be under way.
    pub(super) fn send_ready(&mut self) -> Result<()> {
        for lane in 0..self.lanes.len() {
            while self.may_send(lane) {
                let batches = self.backlog.gather(lane, REQUEST_BYTES_MAX)?;
                if !batches.is_empty() {
                    self.send(lane, batches)?;
                }
            }
        }
        Ok(())
    }

    fn may_send(&self, lane: usize) -> bool {
        let free = |lane: &super::Lane| lane.stream().is_some() && lane.under_way() < self.produce.in_flight as usize;
        self.backlog.is_ready(lane) && self.lanes.get(lane).is_some_and(free)
    }

    fn send(&mut self, lane: usize, mut batches: Vec<Batch>) -> Result<()> {
        // Answers are matched by this order.
        batches.sort_unstable_by_key(|batch| batch.partition);
        if let Some(session) = &mut self.session {
            let (partitions, cluster) = (&self.partitions, &self.cluster);
            session.add(&batches, |index| {
                let (topic, partition) = partitions.get(index)?;
                Some((cluster.topics.get(*topic)?.name.clone(), *partition))
            })?;
        }
        let version = self.produce_version(lane)?;
        let request = self.request(&batches, version);
        self.requests = self.requests.wrapping_add(1);
        let frame = wire::frame(&request, version, self.requests)?;
        let sent_ns = self.shared.now_ns();
        if let Some(lane) = self.lanes.get_mut(lane) {
            lane.send(frame, self.requests, sent_ns, batches);
        }
        self.flush(lane)?;
        self.settle_written(lane)
    }

    pub(super) fn produce_version(&self, lane: usize) -> Result<i16> {
        let (least, most) = self.session.as_ref().map_or((3, 13), super::Session::produce_versions);
        // Where the broker did not say a topic's id, it goes by its name.
        let most = if self.topics_by_id.contains_key(&uuid::Uuid::nil()) { most.min(TOPIC_IDS - 1) } else { most };
        let lane = self.lanes.get(lane).context("there is no such connection")?;
        lane.versions.pick(ApiKey::Produce, least..=most)
    }

    fn request(&self, batches: &[Batch], version: i16) -> ProduceRequest {
        let mut topics: Vec<TopicProduceData> = Vec::new();
        let mut last = None;
        for batch in batches {
            let Some((topic, partition)) = self.partitions.get(batch.partition) else { continue };
            if last != Some(topic) {
                last = Some(topic);
                let Some(topic) = self.cluster.topics.get(*topic) else { continue };
                topics.push(match version {
                    TOPIC_IDS.. => TopicProduceData::default().with_topic_id(topic.id),
                    _ => TopicProduceData::default().with_name(topic_name(&topic.name)),
                });
            }
            if let Some(topic) = topics.last_mut() {
                let data = PartitionProduceData::default().with_index(*partition);
                topic.partition_data.push(data.with_records(Some(batch.bytes.clone())));
            }
        }
        let id = self.session.as_ref().and_then(super::Session::transactional_id);
        ProduceRequest::default()
            .with_transactional_id(id.map(|id| TransactionalId(StrBytes::from_string(id))))
            .with_acks(self.produce.acks.code())
            .with_timeout_ms(TIMEOUT_MS)
            .with_topic_data(topics)
    }
}
