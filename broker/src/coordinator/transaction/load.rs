//! Building a shard from its partition's log, and giving it up.

use thalweg_protocol::records::{self, RecordError};
use thalweg_protocol::{KafkaOffset, StrBytes, TimestampMs};
use thiserror::Error;

use super::ErrorCode;
use super::effect::Effect;
use super::limits::LOAD_BATCH_SIZE_MAX_BYTES;
use super::metadata::{Metadata, Transaction};
use super::record_codec::{self, Record};
use super::shard::{Phase, TransactionShard};
use super::state::State;
use crate::coordinator::codec::CodecError;

/// Why the log of a `__transaction_state` partition cannot be read.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The batch is damaged.
    #[error("a batch of __transaction_state cannot be read: {0}")]
    Batch(#[from] RecordError),
    /// A record in it is not what its key says.
    #[error("the record of __transaction_state at offset {offset} cannot be read: {error}")]
    Record {
        /// Its offset.
        offset: KafkaOffset,
        /// What is wrong with it.
        error: CodecError,
    },
    /// Bytes that are less than a batch.
    #[error("a batch of __transaction_state is cut after {available} bytes")]
    Cut {
        /// How many bytes of it there are.
        available: usize,
    },
}

impl TransactionShard {
    /// Replays record batches of the partition, in order, from its start: one or more whole ones, whose checksums were
    /// looked at.
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
                let decoded = record_codec::decode(key, record.value.as_deref());
                match decoded.map_err(|error| LoadError::Record { offset, error })? {
                    Record::Transaction(id, metadata) => self.replay(id, metadata.map(|metadata| *metadata)),
                    Record::Other(_) => {}
                }
            }
        }
        match batches.rest().len() {
            0 => Ok(()),
            available => Err(LoadError::Cut { available }),
        }
    }

    fn replay(&mut self, id: StrBytes, metadata: Option<Metadata>) {
        match metadata {
            // No record says so: an id ends with a tombstone.
            Some(metadata) if metadata.state == State::Dead => drop(self.transactions.swap_remove(&id)),
            Some(metadata) => drop(self.transactions.insert(id.clone(), Transaction::new(id, metadata))),
            None => drop(self.transactions.swap_remove(&id)),
        }
    }

    /// The log has been replayed: begins to serve, and goes on with what was decided and not completed.
    pub fn loaded(&mut self, now: TimestampMs) -> Vec<Effect> {
        self.begin(now);
        self.phase = Phase::Serving;
        let ongoing = self.transactions.values().filter(|transaction| transaction.current.state == State::Ongoing);
        self.ongoing = ongoing.map(|transaction| (transaction.current.expires_at(), transaction.id.clone())).collect();
        self.abort_at = Some(self.after(self.config.abort_interval_ms));
        self.schedule_expiry();
        self.resume_marking();
        self.finish()
    }

    /// The partition is led elsewhere: everybody who waits is told, and all is forgotten. To lead again, make a new
    /// shard and load it.
    pub fn unload(&mut self) -> Vec<Effect> {
        self.phase = Phase::Unloaded;
        self.fail_appends(ErrorCode::NotCoordinator);
        self.transactions.clear();
        self.ongoing.clear();
        self.retries.clear();
        (self.abort_at, self.expiry_at) = (None, None);
        let mut effects = self.finish();
        // There is no log any more to append to, and no markers are this node's to write.
        effects.retain(|effect| matches!(effect, Effect::Reply { .. }));
        effects
    }
}
