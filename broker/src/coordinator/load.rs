//! Reading the log of a coordinator's partition, whatever its records mean.

use thalweg_protocol::KafkaOffset;
use thalweg_protocol::records::{self, BatchView, Record, RecordError};
use thiserror::Error;

use super::codec::CodecError;

/// Why the log of a coordinator's partition cannot be read.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The batch is damaged.
    #[error("a batch of {topic} cannot be read: {error}")]
    Batch { topic: &'static str, error: RecordError },
    /// A record in it is not what its key says.
    #[error("the record of {topic} at offset {offset} cannot be read: {error}")]
    Record { topic: &'static str, offset: KafkaOffset, error: CodecError },
    /// Bytes that are less than a batch.
    #[error("a batch of {topic} is cut after {available} bytes")]
    Cut { topic: &'static str, available: usize },
}

/// A log whose partitions are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogOf {
    pub(super) topic: &'static str,
    /// The largest batch, once decompressed, that is looked into.
    pub(super) batch_size_max_bytes: usize,
}

impl LogOf {
    pub(super) fn damaged(self, error: RecordError) -> LoadError {
        LoadError::Batch { topic: self.topic, error }
    }

    /// Shows each record batch to `each`: `bytes` are one or more whole ones, whose checksums were looked at.
    pub(super) fn each_batch(
        self,
        bytes: &[u8],
        mut each: impl FnMut(&BatchView<'_>) -> Result<(), LoadError>,
    ) -> Result<(), LoadError> {
        let mut batches = records::batches(bytes);
        for view in &mut batches {
            each(&view.map_err(|error| self.damaged(error))?)?;
        }
        match batches.rest().len() {
            0 => Ok(()),
            available => Err(LoadError::Cut { topic: self.topic, available }),
        }
    }

    /// Shows each record that has a key to `each`, decoded. Control batches say nothing to coordinators without
    /// transactions of their own.
    pub(super) fn each_record<R>(
        self,
        bytes: &[u8],
        decode: impl Fn(&[u8], Option<&[u8]>) -> Result<R, CodecError>,
        mut each: impl FnMut(R),
    ) -> Result<(), LoadError> {
        self.each_batch(bytes, |view| {
            if view.header.attributes.is_control() {
                return Ok(());
            }
            for record in self.records(view)? {
                let record = record?;
                let Some(key) = record.key.as_deref() else { continue };
                each(self.decoded(&record, decode(key, record.value.as_deref()))?);
            }
            Ok(())
        })
    }

    pub(super) fn records(
        self,
        view: &BatchView<'_>,
    ) -> Result<impl Iterator<Item = Result<Record, LoadError>>, LoadError> {
        let records = view.records(self.batch_size_max_bytes).map_err(|error| self.damaged(error))?;
        Ok(records.map(move |record| record.map_err(|error| self.damaged(error))))
    }

    /// What a record says, or where the one is that cannot be read.
    pub(super) fn decoded<R>(self, record: &Record, decoded: Result<R, CodecError>) -> Result<R, LoadError> {
        decoded.map_err(|error| LoadError::Record { topic: self.topic, offset: record.offset, error })
    }
}
