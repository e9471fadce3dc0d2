//! One record batch out of several records.

use bytes::Bytes;
use thalweg_protocol::records::BatchBuilder;
use thalweg_protocol::{ProducerEpoch, ProducerId, TimestampMs};

use super::record::Record;
use super::{ErrorCode, record_codec};

/// The batch, offsets and epoch not stamped. Refused where Kafka's log would refuse it: what does not fit
/// `max.message.bytes`, or a string that does not fit its length field.
pub(super) fn build(
    records: impl Iterator<Item = Record>,
    size_max_bytes: usize,
    now: TimestampMs,
) -> Result<Bytes, ErrorCode> {
    let too_large = |_| ErrorCode::MessageTooLarge;
    // Kafka's coordinators write a base sequence of 0, though there is no producer id.
    let mut builder = BatchBuilder::new().with_producer(ProducerId::NONE, ProducerEpoch(-1), 0);
    for record in records {
        let (key, value) = record_codec::encode(&record).map_err(|_| ErrorCode::MessageTooLarge)?;
        builder.push(now, Some(&key), value.as_deref(), &[]).map_err(too_large)?;
        if builder.size_bytes() > size_max_bytes {
            return Err(ErrorCode::MessageTooLarge);
        }
    }
    Ok(builder.build().map_err(too_large)?.freeze())
}
