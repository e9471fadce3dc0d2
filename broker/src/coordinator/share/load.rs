//! Building a shard from its partition's log.

use thalweg_protocol::KafkaOffset;
use thalweg_protocol::records::{self, RecordError};
use thiserror::Error;

use super::codec;
use super::shard::{Phase, ShareStateShard, replay};
use crate::coordinator::codec::CodecError;

/// The largest batch, once decompressed, that is looked into.
const LOAD_BATCH_SIZE_MAX_BYTES: usize = 64 * 1024 * 1024;

/// Why the log of a `__share_group_state` partition cannot be read.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The batch is damaged.
    #[error("a batch of __share_group_state cannot be read: {0}")]
    Batch(#[from] RecordError),
    /// A record in it is not what its key says.
    #[error("the record of __share_group_state at offset {offset} cannot be read: {error}")]
    Record {
        /// Its offset.
        offset: KafkaOffset,
        /// What is wrong with it.
        error: CodecError,
    },
    /// Bytes that are less than a batch.
    #[error("a batch of __share_group_state is cut after {available} bytes")]
    Cut {
        /// How many bytes of it there are.
        available: usize,
    },
}

impl ShareStateShard {
    /// Replays record batches of the partition, in order, from its start.
    pub fn load(&mut self, batch: &[u8]) -> Result<(), LoadError> {
        let mut batches = records::batches(batch);
        for view in &mut batches {
            let view = view?;
            if view.header.attributes.is_control() {
                continue;
            }
            for record in view.records(LOAD_BATCH_SIZE_MAX_BYTES)? {
                let record = record?;
                let Some(key) = record.key.as_deref() else { continue };
                let offset = record.offset;
                let decoded = codec::decode(key, record.value.as_deref());
                replay(&mut self.durable, &decoded.map_err(|error| LoadError::Record { offset, error })?);
            }
        }
        match batches.rest().len() {
            0 => Ok(()),
            available => Err(LoadError::Cut { available }),
        }
    }

    /// The log has been replayed: begins to serve.
    pub fn loaded(&mut self) {
        self.current = self.durable.clone();
        self.phase = Phase::Serving;
    }
}
