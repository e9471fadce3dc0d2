//! One record batch out of several records.

use bytes::Bytes;
use thalweg_protocol::TimestampMs;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::records::BatchBuilder;

use super::codec::CodecError;

/// Key and value of a record; a tombstone has no value.
pub(super) type KeyValue = (Bytes, Option<Bytes>);

/// The batch, offsets and epoch not stamped. Refused where Kafka's log would refuse it: what does not fit
/// `max.message.bytes`, or a string that does not fit its length field.
pub(super) fn build(
    mut builder: BatchBuilder,
    records: impl Iterator<Item = Result<KeyValue, CodecError>>,
    size_max_bytes: usize,
    now: TimestampMs,
) -> Result<Bytes, ErrorCode> {
    let too_large = |_| ErrorCode::MessageTooLarge;
    for record in records {
        let (key, value) = record.map_err(|_| ErrorCode::MessageTooLarge)?;
        builder.push(now, Some(&key), value.as_deref(), &[]).map_err(too_large)?;
        if builder.size_bytes() > size_max_bytes {
            return Err(ErrorCode::MessageTooLarge);
        }
    }
    Ok(builder.build().map_err(too_large)?.freeze())
}
