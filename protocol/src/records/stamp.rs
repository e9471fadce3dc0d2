//! What a broker writes into a batch that it was given.

use super::header::{BatchHeader, TimestampType, at};
use crate::types::{KafkaOffset, LeaderEpoch, TimestampMs};

/// Writes base offset and leader epoch. The CRC covers neither, so that brokers need not compute it again.
///
/// # Panics
/// When `batch` is shorter than a header: it has been validated before.
pub fn stamp(batch: &mut [u8], base_offset: KafkaOffset, epoch: LeaderEpoch) {
    assert!(batch.len() >= BatchHeader::LEN, "stamping {} bytes, which are no batch", batch.len());
    write(batch, 0, &base_offset.0.to_be_bytes());
    write(batch, at::LEADER_EPOCH, &epoch.0.to_be_bytes());
}

/// The CRC that the bytes of a whole batch should carry.
pub fn compute_crc(batch: &[u8]) -> u32 {
    crc32c::crc32c(batch.get(at::ATTRIBUTES..).unwrap_or_default())
}

/// Writes the batch's newest timestamp, and which clock it is of, and the CRC that follows from them.
pub(super) fn set_max_timestamp(batch: &mut [u8], header: &mut BatchHeader, kind: TimestampType, max: TimestampMs) {
    header.attributes = header.attributes.with_timestamp_type(kind);
    header.max_timestamp = max;
    write(batch, at::ATTRIBUTES, &header.attributes.0.to_be_bytes());
    write(batch, at::MAX_TIMESTAMP, &max.0.to_be_bytes());
    set_crc(batch, header);
}

/// Writes the CRC that the batch's bytes have now.
pub(super) fn set_crc(batch: &mut [u8], header: &mut BatchHeader) {
    header.crc = compute_crc(batch);
    write(batch, at::CRC, &header.crc.to_be_bytes());
}

#[expect(clippy::indexing_slicing, reason = "callers hold at least a whole header, and fields lie within it")]
fn write(batch: &mut [u8], position: usize, field: &[u8]) {
    batch[position..position + field.len()].copy_from_slice(field);
}
