//! Builds batches: in producers, coordinators and the controller, and where a topic wants another codec.

use bytes::{BufMut, BytesMut};

use super::compression::{Codec, Compression, compress};
use super::header::{Attributes, BatchHeader, RecordError, TimestampType};
use super::record::{HeaderRef, Record, put_record};
use super::stamp::set_crc;
use crate::types::{KafkaOffset, LeaderEpoch, ProducerEpoch, ProducerId, TimestampMs};

/// Gathers records into one batch. The first record's timestamp is what the others are relative to.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    codec: Codec,
    base_offset: KafkaOffset,
    leader_epoch: LeaderEpoch,
    attributes: Attributes,
    producer_id: ProducerId,
    producer_epoch: ProducerEpoch,
    base_sequence: i32,
    base_timestamp: Option<TimestampMs>,
    max_timestamp: TimestampMs,
    append_time: Option<TimestampMs>,
    records_count: i32,
    body: BytesMut,
}

impl Default for BatchBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl BatchBuilder {
    /// An uncompressed batch at offset 0, as a producer without idempotence sends it.
    pub fn new() -> Self {
        Self {
            codec: Codec::default(),
            base_offset: KafkaOffset::ZERO,
            leader_epoch: LeaderEpoch::NONE,
            attributes: Attributes::default(),
            producer_id: ProducerId::NONE,
            producer_epoch: ProducerEpoch(-1),
            base_sequence: -1,
            base_timestamp: None,
            max_timestamp: TimestampMs::NONE,
            append_time: None,
            records_count: 0,
            body: BytesMut::new(),
        }
    }

    #[must_use]
    pub fn with_compression(mut self, codec: impl Into<Codec>) -> Self {
        self.codec = codec.into();
        self
    }

    #[must_use]
    pub const fn with_base_offset(mut self, offset: KafkaOffset) -> Self {
        self.base_offset = offset;
        self
    }

    #[must_use]
    pub const fn with_leader_epoch(mut self, epoch: LeaderEpoch) -> Self {
        self.leader_epoch = epoch;
        self
    }

    /// The idempotent producer that the batch is of, and the sequence number of its first record.
    #[must_use]
    pub const fn with_producer(mut self, id: ProducerId, epoch: ProducerEpoch, base_sequence: i32) -> Self {
        self.producer_id = id;
        self.producer_epoch = epoch;
        self.base_sequence = base_sequence;
        self
    }

    #[must_use]
    pub const fn transactional(mut self) -> Self {
        self.attributes = self.attributes.transactional();
        self
    }

    #[must_use]
    pub const fn control(mut self) -> Self {
        self.attributes = self.attributes.control();
        self
    }

    /// Gives all records the broker's time instead of their own.
    #[must_use]
    pub const fn with_log_append_time(mut self, now: TimestampMs) -> Self {
        self.append_time = Some(now);
        self
    }

    /// Appends a record.
    ///
    /// # Errors
    /// When the record, or the batch with it, is larger than the format can say.
    pub fn push(
        &mut self,
        timestamp: TimestampMs,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[HeaderRef<'_>],
    ) -> Result<(), RecordError> {
        let base = *self.base_timestamp.get_or_insert(timestamp);
        let delta = timestamp.0.wrapping_sub(base.0);
        put_record(&mut self.body, delta, self.records_count, key, value, headers)?;
        self.max_timestamp = self.max_timestamp.max(timestamp);
        self.records_count =
            self.records_count.checked_add(1).ok_or(RecordError::TooLarge { size_bytes: self.body.len() })?;
        Ok(())
    }

    /// Appends a record that was read from another batch; it takes the next offset, whatever its own was.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_record(&mut self, record: &Record) -> Result<(), RecordError> {
        let headers: Vec<HeaderRef<'_>> =
            record.headers.iter().map(|(key, value)| (key.as_ref(), value.as_deref())).collect();
        self.push(record.timestamp, record.key.as_deref(), record.value.as_deref(), &headers)
    }

    pub const fn records_count(&self) -> i32 {
        self.records_count
    }

    pub const fn is_empty(&self) -> bool {
        self.records_count == 0
    }

    /// Bytes of the batch if it were not compressed.
    pub fn size_bytes(&self) -> usize {
        BatchHeader::LEN + self.body.len()
    }

    /// The batch.
    ///
    /// # Errors
    /// When there is no record, the compression level is not one of the codec's, or the batch is too large.
    pub fn build(self) -> Result<BytesMut, RecordError> {
        if self.is_empty() {
            return Err(RecordError::RecordCount { announced: 0, found: 0 });
        }
        let body = match self.codec.compression {
            Compression::None => self.body,
            _ => BytesMut::from(compress(self.codec, &self.body)?.as_slice()),
        };
        let kind = if self.append_time.is_some() { TimestampType::LogAppendTime } else { TimestampType::CreateTime };
        let header = BatchHeader {
            base_offset: self.base_offset,
            batch_length: 0,
            leader_epoch: self.leader_epoch,
            magic: 2,
            crc: 0,
            attributes: self.attributes.with_compression(self.codec.compression).with_timestamp_type(kind),
            last_offset_delta: self.records_count - 1,
            base_timestamp: self.base_timestamp.unwrap_or(TimestampMs::NONE),
            max_timestamp: self.append_time.unwrap_or(self.max_timestamp),
            producer_id: self.producer_id,
            producer_epoch: self.producer_epoch,
            base_sequence: self.base_sequence,
            records_count: self.records_count,
        };
        assemble(header, &body).map(|(bytes, _)| bytes)
    }
}

/// A header in front of a body, with the length and the CRC that belong to them.
pub(super) fn assemble(mut header: BatchHeader, body: &[u8]) -> Result<(BytesMut, BatchHeader), RecordError> {
    let size_bytes = BatchHeader::LEN + body.len();
    header.batch_length =
        i32::try_from(size_bytes - BatchHeader::OVERHEAD).map_err(|_| RecordError::TooLarge { size_bytes })?;
    let mut bytes = BytesMut::with_capacity(size_bytes);
    bytes.put_slice(&header.encode());
    bytes.put_slice(body);
    set_crc(&mut bytes, &mut header);
    Ok((bytes, header))
}
