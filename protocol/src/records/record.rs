//! Records: what lies behind a batch's header.

use bytes::{Bytes, BytesMut};

use super::header::{BatchHeader, RecordError, TimestampType};
use crate::types::{KafkaOffset, TimestampMs};
use crate::wire::{Reader, WireError, put_varint, put_varlong, varint_len, varlong_len};

/// One record. Keys, values and headers are slices of the batch's (decompressed) bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Record {
    /// How far behind the batch's base offset the record is.
    pub offset_delta: i32,
    pub offset: KafkaOffset,
    /// The producer's time, or the batch's where the broker's clock counts.
    pub timestamp: TimestampMs,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    /// Keys are UTF-8 by convention, which no broker checks.
    pub headers: Vec<(Bytes, Option<Bytes>)>,
}

/// The records of one batch. Gives an error and ends where the bytes do not hold what the header announces.
#[derive(Clone, Debug)]
pub struct Records {
    header: BatchHeader,
    body: Bytes,
    position: usize,
    index: i32,
    ended: bool,
}

impl Records {
    pub(super) const fn new(header: BatchHeader, body: Bytes) -> Self {
        Self { header, body, position: 0, index: 0, ended: false }
    }

    fn parse_next(&mut self) -> Result<Record, RecordError> {
        let index = self.index;
        let bad = |reason| move |_: WireError| RecordError::BadRecord { index, reason };
        let rest = self.body.get(self.position..).unwrap_or_default();
        let mut reader = Reader::new(rest);
        let length = reader.varint().map_err(bad("its length is cut"))?;
        let size =
            usize::try_from(length).map_err(|_| RecordError::BadRecord { index, reason: "its length is negative" })?;
        let payload = reader.take(size).map_err(bad("it is longer than the batch"))?;
        let payload_position = self.body.len() - reader.remaining() - size;
        self.position = payload_position + size;

        let mut cursor = Cursor { body: &self.body, base: payload_position, size, reader: Reader::new(payload) };
        let record = cursor.record(&self.header).map_err(bad("a field is cut"))?;
        if cursor.reader.remaining() > 0 {
            return Err(RecordError::BadRecord { index, reason: "it is longer than its fields" });
        }
        Ok(record)
    }
}

impl Iterator for Records {
    type Item = Result<Record, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        if self.index >= self.header.records_count {
            self.ended = true;
            let left = self.body.len() - self.position.min(self.body.len());
            return (left > 0).then_some(Err(RecordError::BadRecord {
                index: self.index,
                reason: "bytes are left behind the last record",
            }));
        }
        let record = self.parse_next();
        self.ended = record.is_err();
        self.index += 1;
        Some(record)
    }
}

/// Reads the fields of one record as slices of the shared body.
struct Cursor<'a> {
    body: &'a Bytes,
    /// Where in `body` the record's payload begins, and its size.
    base: usize,
    size: usize,
    reader: Reader<'a>,
}

impl Cursor<'_> {
    fn record(&mut self, batch: &BatchHeader) -> Result<Record, WireError> {
        self.reader.u8()?;
        let timestamp_delta = self.reader.varlong()?;
        let offset_delta = self.reader.varint()?;
        let key = self.nullable()?;
        let value = self.nullable()?;
        let headers = self.headers()?;
        let timestamp = match batch.attributes.timestamp_type() {
            TimestampType::CreateTime => TimestampMs(batch.base_timestamp.0.wrapping_add(timestamp_delta)),
            TimestampType::LogAppendTime => batch.max_timestamp,
        };
        let offset = KafkaOffset(batch.base_offset.0.saturating_add(i64::from(offset_delta)));
        Ok(Record { offset_delta, offset, timestamp, key, value, headers })
    }

    /// Bytes behind their length, of which any negative number means null, as in `DefaultRecord.readFrom`.
    fn nullable(&mut self) -> Result<Option<Bytes>, WireError> {
        match usize::try_from(self.reader.varint()?) {
            Ok(size) => self.slice(size).map(Some),
            Err(_) => Ok(None),
        }
    }

    fn slice(&mut self, size: usize) -> Result<Bytes, WireError> {
        let position = self.base + self.size - self.reader.remaining();
        self.reader.take(size)?;
        Ok(self.body.slice(position..position + size))
    }

    fn headers(&mut self) -> Result<Vec<(Bytes, Option<Bytes>)>, WireError> {
        let count = self.reader.varint()?;
        let count = usize::try_from(count).map_err(|_| WireError::NegativeLength { length: i64::from(count) })?;
        // A header takes two bytes or more, so the bytes that are left bound what is allocated.
        let mut headers = Vec::with_capacity(count.min(self.reader.remaining() / 2));
        for _ in 0..count {
            let size = self.reader.varint()?;
            let size = usize::try_from(size).map_err(|_| WireError::NegativeLength { length: i64::from(size) })?;
            headers.push((self.slice(size)?, self.nullable()?));
        }
        Ok(headers)
    }
}

/// A header as it is written: a key, and a value or null.
pub(super) type HeaderRef<'a> = (&'a [u8], Option<&'a [u8]>);

/// Appends a record in format v2.
pub(super) fn put_record(
    out: &mut BytesMut,
    timestamp_delta: i64,
    offset_delta: i32,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[HeaderRef<'_>],
) -> Result<(), RecordError> {
    let headers_count = length(headers.len())?;
    let headers_size: usize = headers.iter().map(|(key, value)| bytes_len(Some(key)) + bytes_len(*value)).sum();
    let size = 1
        + varlong_len(timestamp_delta)
        + varint_len(offset_delta)
        + bytes_len(key)
        + bytes_len(value)
        + varint_len(headers_count)
        + headers_size;
    put_varint(out, length(size)?);
    out.extend_from_slice(&[0]);
    put_varlong(out, timestamp_delta);
    put_varint(out, offset_delta);
    put_bytes(out, key);
    put_bytes(out, value);
    put_varint(out, headers_count);
    for (key, value) in headers {
        put_bytes(out, Some(key));
        put_bytes(out, *value);
    }
    Ok(())
}

fn length(size: usize) -> Result<i32, RecordError> {
    i32::try_from(size).map_err(|_| RecordError::TooLarge { size_bytes: size })
}

/// Bytes that [`put_bytes`] writes; those beyond an `i32` are refused with the record as a whole.
fn bytes_len(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| varint_len(i32::try_from(bytes.len()).unwrap_or(i32::MAX)) + bytes.len())
}

fn put_bytes(out: &mut BytesMut, bytes: Option<&[u8]>) {
    match bytes {
        None => put_varint(out, -1),
        Some(bytes) => {
            put_varint(out, i32::try_from(bytes.len()).unwrap_or(i32::MAX));
            out.extend_from_slice(bytes);
        }
    }
}
