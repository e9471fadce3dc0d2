//! One record batch out of several records of groups.

use bytes::Bytes;
use thalweg_protocol::records::BatchBuilder;
use thalweg_protocol::{ProducerEpoch, ProducerId, TimestampMs};

use super::record::Record;
use super::{ErrorCode, record_codec};
use crate::coordinator::batch;

/// See [`batch::build`].
pub(super) fn build(
    records: impl Iterator<Item = Record>,
    size_max_bytes: usize,
    now: TimestampMs,
) -> Result<Bytes, ErrorCode> {
    // Kafka's group coordinator writes a base sequence of 0, though there is no producer id.
    let builder = BatchBuilder::new().with_producer(ProducerId::NONE, ProducerEpoch(-1), 0);
    batch::build(builder, records.map(|record| record_codec::encode(&record)), size_max_bytes, now)
}
