//! What a control batch says of transactions.

use bytes::Bytes;
use thalweg_protocol::records::{BatchHeader, BatchView, ControlRecord, Marker, RecordError};

/// See the module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Control {
    /// The producer's transaction ended here.
    End { marker: Marker, coordinator_epoch: i32 },
    /// Compaction removed the marker and kept the header.
    Emptied,
    /// Nothing about transactions.
    Other,
}

impl Control {
    /// `None` for a batch of records.
    pub(crate) fn of(header: &BatchHeader, batch: &Bytes) -> Result<Option<Self>, RecordError> {
        if header.attributes.is_control() { Self::parse(batch).map(Some) } else { Ok(None) }
    }

    /// Of a control batch.
    pub(crate) fn parse(batch: &Bytes) -> Result<Self, RecordError> {
        // Control records are a few bytes, and never compressed.
        let Some(record) = BatchView::first(batch)?.records(batch.len())?.next() else { return Ok(Self::Emptied) };
        Ok(match ControlRecord::parse(&record?)? {
            ControlRecord::TransactionEnd { marker, coordinator_epoch } => Self::End { marker, coordinator_epoch },
            ControlRecord::Other { .. } => Self::Other,
        })
    }
}
