//! One record batch out of several records of groups.

use bytes::Bytes;
use thalweg_protocol::records::BatchBuilder;
use thalweg_protocol::{ProducerEpoch, ProducerId, TimestampMs};

use super::record::Record;
use super::{ErrorCode, record_codec};
use crate::coordinator::batch;

/// See [`batch::build`]. `producer` is whose transaction the records are part of.
pub(super) fn build(
    producer: Option<(ProducerId, ProducerEpoch)>,
    records: impl Iterator<Item = Record>,
    size_max_bytes: usize,
    now: TimestampMs,
) -> Result<Bytes, ErrorCode> {
    // Kafka's group coordinator writes a base sequence of 0, though there is no producer id.
    let builder = match producer {
        None => BatchBuilder::new().with_producer(ProducerId::NONE, ProducerEpoch(-1), 0),
        Some((id, epoch)) => BatchBuilder::new().with_producer(id, epoch, 0).transactional(),
    };
    batch::build(builder, records.map(|record| record_codec::encode(&record)), size_max_bytes, now)
}
