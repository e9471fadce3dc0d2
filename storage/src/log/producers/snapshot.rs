//! Producer state as bytes: our own form in checkpoints (all five batches), and Kafka's `.snapshot` files (the last one).

use std::collections::VecDeque;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use thalweg_protocol::{KafkaOffset, ProducerEpoch, ProducerId, TimestampMs};

use super::{BATCHES_RETAINED, ProducerBatch, ProducerEntry, ProducerState};
use crate::codec::{CodecError, Reader, WriteExt as _};

/// `ProducerStateManager.PRODUCER_SNAPSHOT_VERSION`
const KAFKA_VERSION: u16 = 1;
/// Version and CRC stand before what the CRC covers.
const KAFKA_ENTRIES_AT: usize = 6;
const KAFKA_ENTRY_LEN: usize = 46;
const NO_SEQUENCE: i32 = -1;

impl ProducerState {
    pub(crate) fn encode(&self, out: &mut BytesMut) {
        out.put_count(self.len());
        for (id, entry) in self.iter() {
            out.put_i64_le(id.0);
            out.put_i16_le(entry.epoch.0);
            out.put_i64_le(entry.last_timestamp.0);
            out.put_i32_le(entry.coordinator_epoch);
            out.put_i64_le(entry.transaction_first_offset.map_or(-1, |offset| offset.0));
            out.put_u8(entry.batches.len() as u8);
            for batch in &entry.batches {
                out.put_i32_le(batch.last_sequence);
                out.put_i64_le(batch.last_offset.0);
                out.put_i32_le(batch.offset_delta);
                out.put_i64_le(batch.timestamp.0);
            }
        }
    }

    pub(crate) fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        let mut state = Self::default();
        for _ in 0..reader.count(31, "producers")? {
            let id = ProducerId(reader.i64("producer id")?);
            state.insert(id, decode_entry(reader)?);
        }
        Ok(state)
    }

    /// The content of a `<offset>.snapshot` file, schema `ProducerSnapshot` of Kafka's storage module.
    pub fn encode_kafka(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(KAFKA_ENTRIES_AT + 4 + self.len() * KAFKA_ENTRY_LEN);
        out.put_u16(KAFKA_VERSION);
        out.put_u32(0);
        out.put_u32(self.len() as u32);
        for (id, entry) in self.iter() {
            let last = entry.batches.back();
            out.put_i64(id.0);
            out.put_i16(entry.epoch.0);
            out.put_i32(last.map_or(NO_SEQUENCE, |batch| batch.last_sequence));
            out.put_i64(last.map_or(-1, |batch| batch.last_offset.0));
            out.put_i32(last.map_or(0, |batch| batch.offset_delta));
            out.put_i64(entry.last_timestamp.0);
            out.put_i32(entry.coordinator_epoch);
            out.put_i64(entry.transaction_first_offset.map_or(-1, |offset| offset.0));
        }
        let crc = crc32c::crc32c(out.get(KAFKA_ENTRIES_AT..).unwrap_or_default());
        if let Some(field) = out.get_mut(2..KAFKA_ENTRIES_AT) {
            field.copy_from_slice(&crc.to_be_bytes());
        }
        out.freeze()
    }

    /// Reads a `.snapshot` file.
    ///
    /// # Errors
    /// When it is damaged or of another version.
    pub fn decode_kafka(file: &[u8]) -> Result<Self, CodecError> {
        let mut rest = file;
        let head_len = KAFKA_ENTRIES_AT + 4;
        if rest.len() < head_len {
            return Err(CodecError::Truncated { what: "snapshot header" });
        }
        let found = rest.get_u16();
        if found != KAFKA_VERSION {
            return Err(CodecError::BadVersion { found, known: KAFKA_VERSION });
        }
        let stored = rest.get_u32();
        let computed = crc32c::crc32c(rest);
        if stored != computed {
            return Err(CodecError::ChecksumMismatch { stored, computed });
        }
        let count = rest.get_u32() as usize;
        if rest.len() != count.saturating_mul(KAFKA_ENTRY_LEN) {
            return Err(CodecError::BadValue { what: "producer count", found: count as u64 });
        }
        let mut state = Self::default();
        for _ in 0..count {
            let (id, entry) = kafka_entry(&mut rest);
            state.insert(id, entry);
        }
        Ok(state)
    }
}

fn kafka_entry(rest: &mut &[u8]) -> (ProducerId, ProducerEntry) {
    let id = ProducerId(rest.get_i64());
    let epoch = ProducerEpoch(rest.get_i16());
    let last_sequence = rest.get_i32();
    let last_offset = KafkaOffset(rest.get_i64());
    let offset_delta = rest.get_i32();
    let timestamp = TimestampMs(rest.get_i64());
    let coordinator_epoch = rest.get_i32();
    let transaction_first_offset = known(rest.get_i64());
    let batch = ProducerBatch { last_sequence, last_offset, offset_delta, timestamp };
    let batches = if last_offset.0 >= 0 { VecDeque::from([batch]) } else { VecDeque::new() };
    (id, ProducerEntry { epoch, batches, last_timestamp: timestamp, coordinator_epoch, transaction_first_offset })
}

fn known(offset: i64) -> Option<KafkaOffset> {
    (offset >= 0).then_some(KafkaOffset(offset))
}

fn decode_entry(reader: &mut Reader) -> Result<ProducerEntry, CodecError> {
    let epoch = ProducerEpoch(reader.u16("producer epoch")?.cast_signed());
    let last_timestamp = TimestampMs(reader.i64("last timestamp")?);
    let coordinator_epoch = reader.i32("coordinator epoch")?;
    let transaction_first_offset = known(reader.i64("transaction offset")?);
    let count = reader.u8("batch count")?;
    if usize::from(count) > BATCHES_RETAINED {
        return Err(CodecError::BadValue { what: "batch count", found: u64::from(count) });
    }
    let mut batches = VecDeque::with_capacity(usize::from(count));
    for _ in 0..count {
        batches.push_back(ProducerBatch {
            last_sequence: reader.i32("last sequence")?,
            last_offset: KafkaOffset(reader.i64("last offset")?),
            offset_delta: reader.i32("offset delta")?,
            timestamp: TimestampMs(reader.i64("batch timestamp")?),
        });
    }
    Ok(ProducerEntry { epoch, batches, last_timestamp, coordinator_epoch, transaction_first_offset })
}
