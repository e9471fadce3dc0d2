//! Control records: what brokers, not applications, write between the records of a partition.

use bytes::{BufMut, Bytes, BytesMut};

use super::builder::BatchBuilder;
use super::header::RecordError;
use super::record::Record;
use crate::types::{ProducerEpoch, ProducerId, TimestampMs};
use crate::wire::Reader;

/// The only version of transaction markers' values (`EndTxnMarker.json`).
const MARKER_VERSION: i16 = 0;

/// How a transaction ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Marker {
    Abort,
    Commit,
}

impl Marker {
    /// The type in a control record's key (`ControlRecordType`).
    pub const fn record_type(self) -> i16 {
        match self {
            Self::Abort => 0,
            Self::Commit => 1,
        }
    }
}

/// What a control record says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ControlRecord {
    /// A transaction of the batch's producer ended.
    TransactionEnd { marker: Marker, coordinator_epoch: i32 },
    /// Another type: KRaft's own, or one that is newer than this code. Readers skip them.
    Other { record_type: i16 },
}

impl ControlRecord {
    /// Reads a record of a control batch. Newer versions only append fields, so what follows is ignored.
    ///
    /// # Errors
    /// When key or value are missing or cut.
    pub fn parse(record: &Record) -> Result<Self, RecordError> {
        let bad = |reason| move |_| RecordError::BadControlRecord { reason };
        let key = record.key.as_ref().ok_or(RecordError::BadControlRecord { reason: "it has no key" })?;
        let mut key = Reader::new(key);
        let version = key.i16().map_err(bad("its key is cut"))?;
        if version < 0 {
            return Err(RecordError::BadControlRecord { reason: "the version of its key is negative" });
        }
        let record_type = key.i16().map_err(bad("its key is cut"))?;
        let marker = match record_type {
            0 => Marker::Abort,
            1 => Marker::Commit,
            _ => return Ok(Self::Other { record_type }),
        };
        let value = record.value.as_ref().ok_or(RecordError::BadControlRecord { reason: "it has no value" })?;
        let mut value = Reader::new(value);
        let version = value.i16().map_err(bad("its value is cut"))?;
        if version < MARKER_VERSION {
            return Err(RecordError::BadControlRecord { reason: "the version of its value is negative" });
        }
        let coordinator_epoch = value.i32().map_err(bad("its value is cut"))?;
        Ok(Self::TransactionEnd { marker, coordinator_epoch })
    }
}

/// The batch that ends a transaction of a producer in one partition.
///
/// # Errors
/// Never in practice: one small record fits any batch.
pub fn marker_batch(
    marker: Marker,
    coordinator_epoch: i32,
    producer_id: ProducerId,
    producer_epoch: ProducerEpoch,
    now: TimestampMs,
) -> Result<Bytes, RecordError> {
    let mut key = BytesMut::with_capacity(4);
    key.put_i16(0);
    key.put_i16(marker.record_type());
    let mut value = BytesMut::with_capacity(6);
    value.put_i16(MARKER_VERSION);
    value.put_i32(coordinator_epoch);
    let mut builder = BatchBuilder::new().with_producer(producer_id, producer_epoch, -1).transactional().control();
    builder.push(now, Some(&key), Some(&value), &[])?;
    builder.build().map(BytesMut::freeze)
}
