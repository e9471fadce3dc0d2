//! A batch and its records, described.

use serde::Serialize;
use thalweg_protocol::records::{BatchView, ControlRecord, Record, RecordError, TimestampType};

use super::segment::Batch;
use crate::encoding::base64;
use crate::time::format_ms;

/// What a batch's records may decompress to; more is taken for a decompression bomb.
const RECORDS_SIZE_MAX_BYTES: usize = 512 << 20;

#[derive(Debug, Serialize)]
pub(super) struct BatchLine {
    position: u64,
    size_bytes: usize,
    base_offset: i64,
    last_offset: i64,
    record_count: i32,
    leader_epoch: i32,
    compression: String,
    timestamp_type: &'static str,
    base_timestamp: i64,
    max_timestamp: i64,
    producer_id: Option<i64>,
    producer_epoch: Option<i16>,
    base_sequence: Option<i32>,
    transactional: bool,
    control: bool,
    /// What is wrong with the batch; `None` for a good one.
    problem: Option<String>,
    /// Only with `--records`.
    records: Option<Vec<RecordLine>>,
}

#[derive(Debug, Serialize)]
pub(super) struct RecordLine {
    offset: i64,
    timestamp: i64,
    key: Option<String>,
    value: Option<String>,
    /// Whether `key`, `value` and header values are base64, because one of them is not text.
    base64: bool,
    headers: Vec<HeaderLine>,
    control: Option<String>,
}

#[derive(Debug, Serialize)]
struct HeaderLine {
    key: String,
    value: Option<String>,
}

/// What is wrong with a batch, if anything: its checksum, its compression, every record's structure.
pub(super) fn check(batch: &Batch) -> Result<(), RecordError> {
    let view = BatchView { header: batch.header, bytes: &batch.bytes };
    view.check_crc()?;
    view.records(RECORDS_SIZE_MAX_BYTES)?.try_for_each(|record| record.map(|_| ()))
}

impl BatchLine {
    pub(super) fn new(batch: &Batch, with_records: bool) -> Self {
        let header = &batch.header;
        let producer = header.has_producer_id();
        let problem = check(batch).err().map(|error| error.to_string());
        Self {
            position: batch.position,
            size_bytes: batch.bytes.len(),
            base_offset: header.base_offset.0,
            last_offset: header.last_offset().0,
            record_count: header.records_count,
            leader_epoch: header.leader_epoch.0,
            compression: header
                .attributes
                .compression()
                .map_or_else(|_| "unknown".to_owned(), |codec| codec.to_string()),
            timestamp_type: match header.attributes.timestamp_type() {
                TimestampType::CreateTime => "CreateTime",
                TimestampType::LogAppendTime => "LogAppendTime",
            },
            base_timestamp: header.base_timestamp.0,
            max_timestamp: header.max_timestamp.0,
            producer_id: producer.then_some(header.producer_id.0),
            producer_epoch: producer.then_some(header.producer_epoch.0),
            base_sequence: producer.then_some(header.base_sequence),
            transactional: header.attributes.is_transactional(),
            control: header.attributes.is_control(),
            records: with_records.then(|| records(batch, problem.is_none())),
            problem,
        }
    }

    pub(super) fn is_damaged(&self) -> bool {
        self.problem.is_some()
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "  at {:<10} offsets {}-{}  {} records  {} B  epoch {}  {}  {}",
            self.position,
            self.base_offset,
            self.last_offset,
            self.record_count,
            self.size_bytes,
            self.leader_epoch,
            self.compression,
            format_ms(self.max_timestamp),
        );
        if let (Some(id), Some(epoch), Some(sequence)) = (self.producer_id, self.producer_epoch, self.base_sequence) {
            text.push_str(&format!("  producer {id}/{epoch} sequence {sequence}"));
        }
        for (set, word) in [(self.transactional, "  transactional"), (self.control, "  control")] {
            text.push_str(if set { word } else { "" });
        }
        if let Some(problem) = &self.problem {
            text.push_str(&format!("\n    DAMAGED: {problem}"));
        }
        for record in self.records.iter().flatten() {
            text.push_str(&format!("\n    {}", record.text()));
        }
        text
    }
}

fn records(batch: &Batch, good: bool) -> Vec<RecordLine> {
    let view = BatchView { header: batch.header, bytes: &batch.bytes };
    let control = batch.header.attributes.is_control();
    let records = view.records(RECORDS_SIZE_MAX_BYTES).ok().filter(|_| good);
    records.into_iter().flatten().map_while(Result::ok).map(|record| RecordLine::new(&record, control)).collect()
}

impl RecordLine {
    fn new(record: &Record, control: bool) -> Self {
        let values = record.headers.iter().filter_map(|(_, value)| value.as_ref());
        let encode =
            record.key.iter().chain(&record.value).chain(values).any(|bytes| std::str::from_utf8(bytes).is_err());
        let show =
            |bytes: &bytes::Bytes| if encode { base64(bytes) } else { String::from_utf8_lossy(bytes).into_owned() };
        let header = |(key, value): &(bytes::Bytes, Option<bytes::Bytes>)| HeaderLine {
            key: String::from_utf8_lossy(key).into_owned(),
            value: value.as_ref().map(show),
        };
        Self {
            offset: record.offset.0,
            timestamp: record.timestamp.0,
            key: record.key.as_ref().map(show),
            value: record.value.as_ref().map(show),
            base64: encode,
            headers: record.headers.iter().map(header).collect(),
            control: control.then(|| match ControlRecord::parse(record) {
                Ok(control) => format!("{control:?}"),
                Err(error) => error.to_string(),
            }),
        }
    }

    fn text(&self) -> String {
        let or_null =
            |text: &Option<String>| text.as_ref().map_or_else(|| "null".to_owned(), |text| format!("{text:?}"));
        let mut text = format!("{} {}", self.offset, format_ms(self.timestamp));
        match &self.control {
            Some(control) => text.push_str(&format!("  {control}")),
            None => text.push_str(&format!("  {} = {}", or_null(&self.key), or_null(&self.value))),
        }
        for header in &self.headers {
            text.push_str(&format!("  [{}: {}]", header.key, or_null(&header.value)));
        }
        text.push_str(if self.base64 { "  (base64)" } else { "" });
        text
    }
}
