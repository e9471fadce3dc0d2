//! What a leader asks of a produced batch before it takes it: Kafka's `ProduceRequest.validateRecords`,
//! `UnifiedLog.analyzeAndValidateRecords` and `LogValidator`, for message format v2.

use std::io::BufRead;

use bytes::{Bytes, BytesMut};

use super::builder::{BatchBuilder, assemble};
use super::compression::{Codec, Compression, Compressor, Decompressor};
use super::header::{BatchHeader, RecordError, TimestampType};
use super::recompress::Tee;
use super::scan::{ScanError, Scanned, at_end, scan_record};
use super::stamp::set_max_timestamp;
use super::view::{BatchView, batches};
use crate::error::ErrorCode;
use crate::types::{KafkaOffset, TimestampMs};

/// Records may be this many times larger than the largest batch of their topic. Kafka sets no limit; a core that serves
/// other partitions must, or a megabyte of compressed zeros would hold it up for seconds.
const EXPANSION_MAX: usize = 64;
/// What every batch may decompress to, however small the topic's batches are.
const DECOMPRESSED_SIZE_FLOOR_BYTES: usize = 64 * 1024 * 1024;
/// A batch whose records must be written anew is held decompressed while that is done.
const REWRITTEN_SIZE_MAX_BYTES: usize = 64 * 1024 * 1024;
/// How many rejected records are named one by one.
const RECORD_ERRORS_MAX: usize = 1000;

/// A topic's `compression.type`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TopicCompression {
    /// Whatever the producer chose.
    #[default]
    Producer,
    /// This one: batches with another codec are compressed anew, those of another level are not.
    Fixed(Codec),
}

/// What a topic's configuration asks of a batch.
#[derive(Clone, Debug)]
pub struct BatchRules {
    pub compression: TopicCompression,
    /// `message.timestamp.type`
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`
    pub timestamp_after_max_ms: i64,
    /// `max.message.bytes`
    pub message_size_max_bytes: usize,
    /// Whether `cleanup.policy` has `compact`, so that every record must have a key.
    pub compacted: bool,
}

impl BatchRules {
    fn decompressed_size_max_bytes(&self) -> usize {
        self.message_size_max_bytes.saturating_mul(EXPANSION_MAX).max(DECOMPRESSED_SIZE_FLOOR_BYTES)
    }
}

/// One batch in memory of its own, ready for its offset and leader epoch.
#[derive(Clone, Debug)]
pub struct ValidBatch {
    pub bytes: BytesMut,
    pub header: BatchHeader,
}

/// Why a partition's part of a produce request is refused, as its response says it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProduceRejection {
    pub code: ErrorCode,
    pub message: String,
    /// Index in the batch, and the reason, of each record that was refused for its own sake.
    pub record_errors: Vec<(i32, String)>,
}

impl ProduceRejection {
    fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), record_errors: Vec::new() }
    }
}

impl From<RecordError> for ProduceRejection {
    fn from(error: RecordError) -> Self {
        let code = match &error {
            RecordError::Truncated { .. } | RecordError::BadLength { .. } | RecordError::CrcMismatch { .. } => {
                ErrorCode::CorruptMessage
            }
            // Kafka fails the whole request with UNKNOWN_SERVER_ERROR over a number that names no codec.
            RecordError::UnknownCompression { .. } => ErrorCode::UnsupportedCompressionType,
            RecordError::TooLarge { .. } => ErrorCode::MessageTooLarge,
            // The CRC is right, so sending the same bytes again cannot help: not CORRUPT_MESSAGE, which is retriable.
            RecordError::UnsupportedMagic { .. }
            | RecordError::Decompress { .. }
            | RecordError::DecompressedTooLarge { .. }
            | RecordError::BadRecord { .. }
            | RecordError::RecordCount { .. }
            | RecordError::BadControlRecord { .. } => ErrorCode::InvalidRecord,
        };
        Self::new(code, error.to_string())
    }
}

/// Refuses zstd from clients whose Produce version cannot know it (KIP-110).
///
/// # Errors
/// UNSUPPORTED_COMPRESSION_TYPE for such a batch. Anything else wrong with it is for [`validate_produced`] to find.
pub fn check_produce_version(version: i16, records: &Bytes) -> Result<(), ProduceRejection> {
    let zstd = BatchHeader::parse(records).is_ok_and(|header| header.attributes.compression() == Ok(Compression::Zstd));
    if zstd && version < 7 {
        let message = format!("zstd cannot be used in Produce version {version}, only from version 7 on");
        return Err(ProduceRejection::new(ErrorCode::UnsupportedCompressionType, message));
    }
    Ok(())
}

/// Checks the records that a produce request has for one partition, and copies them once, with what the topic's rules
/// change in them. Records are walked, in fixed memory, even if nothing can be wrong with them but their number: what
/// the header announces becomes offsets.
///
/// # Errors
/// With the code that Kafka 4 answers in the same case.
pub fn validate_produced(
    records: &Bytes,
    rules: &BatchRules,
    now: TimestampMs,
) -> Result<ValidBatch, ProduceRejection> {
    let view = single_batch(records)?;
    check_batch(&view, rules)?;
    let source = view.header.attributes.compression()?;
    let target = match rules.compression {
        TopicCompression::Fixed(codec) if codec.compression != source => Some(codec),
        TopicCompression::Fixed(_) | TopicCompression::Producer => None,
    };

    let mut walk = Walk::new(&view.header, rules, now);
    let recompressed = walk.run(&view, source, target)?;
    walk.reject_refused()?;
    if walk.offsets_wrong {
        return validate_produced(&rewritten(&view, source)?, rules, now);
    }

    let (mut bytes, mut header) = match recompressed {
        Some((codec, body)) => {
            let attributes = view.header.attributes.with_compression(codec.compression);
            assemble(BatchHeader { attributes, ..view.header }, &body)?
        }
        None => (BytesMut::from(view.bytes), view.header),
    };
    check_size(bytes.len(), rules)?;
    let max = match rules.timestamp_type {
        TimestampType::CreateTime => walk.max_timestamp,
        TimestampType::LogAppendTime => now,
    };
    if header.max_timestamp != max || header.attributes.timestamp_type() != rules.timestamp_type {
        set_max_timestamp(&mut bytes, &mut header, rules.timestamp_type, max);
    }
    Ok(ValidBatch { bytes, header })
}

/// The one batch there must be. A cut batch behind it is ignored, as `MemoryRecords.batches` ignores it.
fn single_batch(records: &Bytes) -> Result<BatchView<'_>, ProduceRejection> {
    let invalid = |message| Err(ProduceRejection::new(ErrorCode::InvalidRecord, message));
    let mut found = batches(records);
    let first = match found.next() {
        None => {
            return invalid("a produce request must have one record batch for each of its partitions");
        }
        Some(Err(RecordError::UnsupportedMagic { magic })) if !(0..=1).contains(&magic) => {
            return Err(ProduceRejection::new(ErrorCode::CorruptMessage, format!("no message format {magic} exists")));
        }
        Some(first) => first?,
    };
    if found.next().is_some() {
        return invalid("a produce request must have exactly one record batch for each of its partitions");
    }
    Ok(first)
}

fn check_size(size_bytes: usize, rules: &BatchRules) -> Result<(), ProduceRejection> {
    let limit = rules.message_size_max_bytes;
    if size_bytes > limit {
        let message = format!("the record batch has {size_bytes} bytes, max.message.bytes is {limit}");
        return Err(ProduceRejection::new(ErrorCode::MessageTooLarge, message));
    }
    Ok(())
}

/// What the header alone can be asked, in Kafka's order.
fn check_batch(view: &BatchView<'_>, rules: &BatchRules) -> Result<(), ProduceRejection> {
    let header = &view.header;
    let invalid = |message: String| Err(ProduceRejection::new(ErrorCode::InvalidRecord, message));
    if header.base_offset != KafkaOffset::ZERO {
        return invalid(format!("the base offset of a produced batch must be 0, it is {}", header.base_offset));
    }
    check_size(view.bytes.len(), rules)?;
    view.check_crc()?;
    if header.records_count <= 0 || header.last_offset_delta < 0 {
        return invalid(format!(
            "{} records up to offset {} are impossible",
            header.records_count, header.last_offset_delta
        ));
    }
    if i64::from(header.last_offset_delta) + 1 != i64::from(header.records_count) {
        return invalid(format!("{} records cannot end at offset {}", header.records_count, header.last_offset_delta));
    }
    if header.attributes.is_control() {
        return invalid("clients may not write control records".to_owned());
    }
    if header.has_producer_id() && header.base_sequence < 0 {
        return invalid(format!(
            "sequence number {} is impossible for producer id {}",
            header.base_sequence, header.producer_id
        ));
    }
    Ok(())
}

/// The walk over a batch's records, and what it has found.
struct Walk<'a> {
    header: &'a BatchHeader,
    rules: &'a BatchRules,
    now: TimestampMs,
    max_timestamp: TimestampMs,
    /// A record does not have the offset of its place in the batch.
    offsets_wrong: bool,
    refused: Vec<(i32, String)>,
    refused_count: usize,
    timestamp_refused: bool,
}

impl<'a> Walk<'a> {
    const fn new(header: &'a BatchHeader, rules: &'a BatchRules, now: TimestampMs) -> Self {
        Self {
            header,
            rules,
            now,
            max_timestamp: TimestampMs::NONE,
            offsets_wrong: false,
            refused: Vec::new(),
            refused_count: 0,
            timestamp_refused: false,
        }
    }

    /// Walks over the records; where they are to have another codec, compresses them in passing.
    fn run(
        &mut self,
        view: &BatchView<'_>,
        source: Compression,
        target: Option<Codec>,
    ) -> Result<Option<(Codec, Vec<u8>)>, ProduceRejection> {
        // The plain case, in a copy of this code without dynamic dispatch.
        if source == Compression::None && target.is_none() {
            let mut body = view.body();
            self.records(&mut body, |error| RecordError::Decompress { codec: source, reason: error.to_string() })?;
            return Ok(None);
        }
        let mut reader = Decompressor::new(source, view.body(), self.rules.decompressed_size_max_bytes())?;
        let explain = reader.explain();
        let Some(target) = target else {
            self.records(&mut reader, explain)?;
            return Ok(None);
        };
        let out_limit = self.rules.message_size_max_bytes.saturating_sub(BatchHeader::LEN);
        let compressor = Compressor::new(target, Vec::new(), out_limit)?;
        let mut tee = Tee::new(reader, compressor);
        self.records(&mut tee, explain)?;
        match tee.finish() {
            Ok(body) => Ok(Some((target, body))),
            Err(RecordError::DecompressedTooLarge { .. }) => {
                let limit = self.rules.message_size_max_bytes;
                let message = format!("the record batch, compressed anew, has more than max.message.bytes={limit}");
                Err(ProduceRejection::new(ErrorCode::MessageTooLarge, message))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn records<R: BufRead>(
        &mut self,
        reader: &mut R,
        explain: impl Fn(&std::io::Error) -> RecordError,
    ) -> Result<(), RecordError> {
        for index in 0..self.header.records_count {
            match scan_record(reader) {
                Ok(record) => self.record(index, record),
                Err(ScanError::Bad(reason)) => {
                    return Err(RecordError::BadRecord { index, reason });
                }
                Err(ScanError::Read(error)) => return Err(explain(&error)),
            }
        }
        if !at_end(reader).map_err(|error| explain(&error))? {
            let announced = self.header.records_count;
            return Err(RecordError::RecordCount { announced, found: announced.saturating_add(1) });
        }
        Ok(())
    }

    fn record(&mut self, index: i32, record: Scanned) {
        let timestamp = match self.header.attributes.timestamp_type() {
            TimestampType::CreateTime => TimestampMs(self.header.base_timestamp.0.wrapping_add(record.timestamp_delta)),
            TimestampType::LogAppendTime => self.header.max_timestamp,
        };
        self.max_timestamp = self.max_timestamp.max(timestamp);
        self.offsets_wrong |= record.offset_delta != index;
        if self.rules.compacted && !record.has_key {
            self.refuse(index, || "a compacted topic takes no record without a key".to_owned());
        } else {
            self.check_timestamp(index, timestamp);
        }
    }

    fn check_timestamp(&mut self, index: i32, timestamp: TimestampMs) {
        let rules = self.rules;
        if rules.timestamp_type == TimestampType::CreateTime && timestamp != TimestampMs::NONE {
            let age_ms = self.now.0.saturating_sub(timestamp.0);
            if age_ms > rules.timestamp_before_max_ms || age_ms.saturating_neg() > rules.timestamp_after_max_ms {
                self.timestamp_refused = true;
                let oldest = self.now.0.saturating_sub(rules.timestamp_before_max_ms);
                let newest = self.now.0.saturating_add(rules.timestamp_after_max_ms);
                self.refuse(index, || format!("timestamp {timestamp} is not within [{oldest}, {newest}]"));
            }
        } else if self.header.attributes.timestamp_type() == TimestampType::LogAppendTime {
            self.timestamp_refused = true;
            self.refuse(index, || "producers may not set the timestamp type to LogAppendTime".to_owned());
        }
    }

    fn refuse(&mut self, index: i32, reason: impl FnOnce() -> String) {
        self.refused_count += 1;
        if self.refused.len() < RECORD_ERRORS_MAX {
            self.refused.push((index, reason()));
        }
    }

    /// One refused record refuses the batch; a bad timestamp decides which code it gets (KIP-467).
    fn reject_refused(&mut self) -> Result<(), ProduceRejection> {
        if self.refused.is_empty() {
            return Ok(());
        }
        let code = if self.timestamp_refused { ErrorCode::InvalidTimestamp } else { ErrorCode::InvalidRecord };
        let mut rejection = ProduceRejection::new(code, format!("{} records were rejected", self.refused_count));
        rejection.record_errors = std::mem::take(&mut self.refused);
        Err(rejection)
    }
}

/// The same records, each at the offset of its place. Kafka, too, writes such batches anew rather than refuse them, for
/// the sake of old clients (`validateMessagesAndAssignOffsetsCompressed`).
fn rewritten(view: &BatchView<'_>, codec: Compression) -> Result<Bytes, ProduceRejection> {
    let header = &view.header;
    let mut builder = BatchBuilder::new().with_compression(codec).with_producer(
        header.producer_id,
        header.producer_epoch,
        header.base_sequence,
    );
    if header.attributes.is_transactional() {
        builder = builder.transactional();
    }
    for record in view.records(REWRITTEN_SIZE_MAX_BYTES)? {
        builder.push_record(&record?)?;
    }
    Ok(builder.build()?.freeze())
}
