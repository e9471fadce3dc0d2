//! The header of a record batch of format v2 (KIP-98), read in place.

use thiserror::Error;

use super::compression::Compression;
use crate::types::{KafkaOffset, LeaderEpoch, ProducerEpoch, ProducerId, TimestampMs};

/// Why bytes are not the record batch, or the records, that they should be.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum RecordError {
    #[error("a batch header needs {needed} bytes, there are {available}")]
    Truncated { needed: usize, available: usize },
    #[error("the batch is of message format {magic}, only format 2 is supported")]
    UnsupportedMagic { magic: i8 },
    #[error("a batch length of {length} is impossible, the shortest batch has {least}")]
    BadLength { length: i32, least: i32 },
    #[error("the batch's CRC is {stored:#010x}, its bytes give {computed:#010x}")]
    CrcMismatch { stored: u32, computed: u32 },
    #[error("compression type {id} is none of Kafka's")]
    UnknownCompression { id: i16 },
    #[error("{codec} data cannot be decompressed: {reason}")]
    Decompress { codec: Compression, reason: String },
    #[error("{codec} data decompresses to more than {limit_bytes} bytes")]
    DecompressedTooLarge { codec: Compression, limit_bytes: usize },
    #[error("record {index} is damaged: {reason}")]
    BadRecord { index: i32, reason: &'static str },
    #[error("the batch announces {announced} records and holds {found}")]
    RecordCount { announced: i32, found: i32 },
    #[error("the batch would be {size_bytes} bytes, more than a batch can be")]
    TooLarge { size_bytes: usize },
    #[error("a control record is damaged: {reason}")]
    BadControlRecord { reason: &'static str },
}

/// Which clock a batch's timestamps are of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum TimestampType {
    /// The producer's.
    #[default]
    CreateTime,
    /// The broker's: all records have the batch's `max_timestamp`.
    LogAppendTime,
}

/// The attribute bits of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct Attributes(pub i16);

impl Attributes {
    const COMPRESSION: i16 = 0x07;
    const LOG_APPEND_TIME: i16 = 0x08;
    const TRANSACTIONAL: i16 = 0x10;
    const CONTROL: i16 = 0x20;
    const DELETE_HORIZON: i16 = 0x40;

    /// How the records behind the header are compressed.
    ///
    /// # Errors
    /// When the three bits name none of Kafka's codecs.
    pub fn compression(self) -> Result<Compression, RecordError> {
        let id = self.0 & Self::COMPRESSION;
        Compression::from_id(id).ok_or(RecordError::UnknownCompression { id })
    }

    pub const fn timestamp_type(self) -> TimestampType {
        if self.0 & Self::LOG_APPEND_TIME == 0 { TimestampType::CreateTime } else { TimestampType::LogAppendTime }
    }

    pub const fn is_transactional(self) -> bool {
        self.0 & Self::TRANSACTIONAL != 0
    }

    /// Whether the records are transaction markers, invisible to applications.
    pub const fn is_control(self) -> bool {
        self.0 & Self::CONTROL != 0
    }

    /// Whether `base_timestamp` is the time at which compaction may drop the batch's tombstones (KIP-534).
    pub const fn has_delete_horizon(self) -> bool {
        self.0 & Self::DELETE_HORIZON != 0
    }

    #[must_use]
    pub fn with_compression(self, codec: Compression) -> Self {
        Self((self.0 & !Self::COMPRESSION) | codec.id())
    }

    #[must_use]
    pub const fn with_timestamp_type(self, kind: TimestampType) -> Self {
        match kind {
            TimestampType::CreateTime => Self(self.0 & !Self::LOG_APPEND_TIME),
            TimestampType::LogAppendTime => Self(self.0 | Self::LOG_APPEND_TIME),
        }
    }

    #[must_use]
    pub const fn transactional(self) -> Self {
        Self(self.0 | Self::TRANSACTIONAL)
    }

    #[must_use]
    pub const fn control(self) -> Self {
        Self(self.0 | Self::CONTROL)
    }

    #[must_use]
    pub const fn with_delete_horizon(self, has_horizon: bool) -> Self {
        if has_horizon { Self(self.0 | Self::DELETE_HORIZON) } else { Self(self.0 & !Self::DELETE_HORIZON) }
    }
}

/// Where in a batch each header field begins.
pub(super) mod at {
    pub(in crate::records) const LEADER_EPOCH: usize = 12;
    pub(in crate::records) const MAGIC: usize = 16;
    pub(in crate::records) const CRC: usize = 17;
    /// The CRC covers everything from here on.
    pub(in crate::records) const ATTRIBUTES: usize = 21;
    pub(in crate::records) const MAX_TIMESTAMP: usize = 35;
    pub(in crate::records) const RECORDS: usize = 61;
}

/// The header of one record batch: copied out of its 61 bytes, the records stay where they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchHeader {
    /// Offset of the first record; a producer sends 0.
    pub base_offset: KafkaOffset,
    /// Bytes behind this field: the whole batch is 12 bytes longer.
    pub batch_length: i32,
    pub leader_epoch: LeaderEpoch,
    pub magic: i8,
    /// CRC32C of everything behind this field.
    pub crc: u32,
    pub attributes: Attributes,
    pub last_offset_delta: i32,
    pub base_timestamp: TimestampMs,
    pub max_timestamp: TimestampMs,
    pub producer_id: ProducerId,
    pub producer_epoch: ProducerEpoch,
    /// Sequence number of the first record; -1 when the producer is not idempotent.
    pub base_sequence: i32,
    pub records_count: i32,
}

impl BatchHeader {
    /// Bytes of a header.
    pub const LEN: usize = at::RECORDS;
    /// Bytes in front of those that `batch_length` counts: base offset and the length itself.
    pub const OVERHEAD: usize = 12;
    /// The `batch_length` of a batch with no records.
    const LENGTH_LEAST: i32 = 49;

    /// Reads the header at the beginning of `bytes`, which may be longer or end within the records.
    ///
    /// # Errors
    /// When there are too few bytes, the format is not v2, or the length is impossible.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        // Formats 0 and 1 have the magic at the same place and may be shorter than our header.
        if let Some(&magic) = bytes.get(at::MAGIC)
            && magic != 2
        {
            return Err(RecordError::UnsupportedMagic { magic: magic.cast_signed() });
        }
        let header: &[u8; Self::LEN] =
            bytes.first_chunk().ok_or(RecordError::Truncated { needed: Self::LEN, available: bytes.len() })?;
        let header = Self::read(header);
        if header.batch_length < Self::LENGTH_LEAST {
            return Err(RecordError::BadLength { length: header.batch_length, least: Self::LENGTH_LEAST });
        }
        Ok(header)
    }

    fn read(bytes: &[u8; Self::LEN]) -> Self {
        let mut fields = Fields(bytes);
        Self {
            base_offset: KafkaOffset(i64::from_be_bytes(fields.next())),
            batch_length: i32::from_be_bytes(fields.next()),
            leader_epoch: LeaderEpoch(i32::from_be_bytes(fields.next())),
            magic: i8::from_be_bytes(fields.next()),
            crc: u32::from_be_bytes(fields.next()),
            attributes: Attributes(i16::from_be_bytes(fields.next())),
            last_offset_delta: i32::from_be_bytes(fields.next()),
            base_timestamp: TimestampMs(i64::from_be_bytes(fields.next())),
            max_timestamp: TimestampMs(i64::from_be_bytes(fields.next())),
            producer_id: ProducerId(i64::from_be_bytes(fields.next())),
            producer_epoch: ProducerEpoch(i16::from_be_bytes(fields.next())),
            base_sequence: i32::from_be_bytes(fields.next()),
            records_count: i32::from_be_bytes(fields.next()),
        }
    }

    /// The header as it stands in front of the records.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let mut rest: &mut [u8] = &mut bytes;
        let mut put = |field: &[u8]| {
            let (head, tail) = std::mem::take(&mut rest).split_at_mut(field.len());
            head.copy_from_slice(field);
            rest = tail;
        };
        put(&self.base_offset.0.to_be_bytes());
        put(&self.batch_length.to_be_bytes());
        put(&self.leader_epoch.0.to_be_bytes());
        put(&self.magic.to_be_bytes());
        put(&self.crc.to_be_bytes());
        put(&self.attributes.0.to_be_bytes());
        put(&self.last_offset_delta.to_be_bytes());
        put(&self.base_timestamp.0.to_be_bytes());
        put(&self.max_timestamp.0.to_be_bytes());
        put(&self.producer_id.0.to_be_bytes());
        put(&self.producer_epoch.0.to_be_bytes());
        put(&self.base_sequence.to_be_bytes());
        put(&self.records_count.to_be_bytes());
        bytes
    }

    /// Bytes of the whole batch, header included.
    pub fn size_bytes(&self) -> usize {
        Self::OVERHEAD + usize::try_from(self.batch_length).unwrap_or(0)
    }

    /// Offset of the last record.
    pub const fn last_offset(&self) -> KafkaOffset {
        KafkaOffset(self.base_offset.0.saturating_add(self.last_offset_delta as i64))
    }

    /// Offset of the record behind the batch.
    pub const fn next_offset(&self) -> KafkaOffset {
        KafkaOffset(self.last_offset().0.saturating_add(1))
    }

    /// When compaction may drop the batch's tombstones, or the marker that it is; `None` before it was compacted.
    pub fn delete_horizon(&self) -> Option<TimestampMs> {
        self.attributes.has_delete_horizon().then_some(self.base_timestamp)
    }

    /// Whether an idempotent producer wrote it.
    pub fn has_producer_id(&self) -> bool {
        self.producer_id.0 > ProducerId::NONE.0
    }

    /// Sequence number of the last record: sequences wrap from `i32::MAX` to 0 (`DefaultRecordBatch.incrementSequence`).
    pub const fn last_sequence(&self) -> i32 {
        if self.base_sequence < 0 {
            return -1;
        }
        increment_sequence(self.base_sequence, self.last_offset_delta)
    }
}

/// The sequence number `by` after `sequence`, wrapping from `i32::MAX` to 0 as Kafka's do.
pub const fn increment_sequence(sequence: i32, by: i32) -> i32 {
    let sequences = 1_i64 << 31;
    #[expect(clippy::cast_possible_truncation, reason = "the remainder is below 2^31")]
    let next = (sequence as i64 + by as i64).rem_euclid(sequences) as i32;
    next
}

/// Takes fixed-size fields one after the other from a header's bytes.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    /// The caller reads 61 bytes' worth of fields from 61 bytes, so the zeros never appear.
    fn next<const N: usize>(&mut self) -> [u8; N] {
        let Some((field, rest)) = self.0.split_first_chunk::<N>() else {
            return [0; N];
        };
        self.0 = rest;
        *field
    }
}
