//! Building a shard from its partition's log, and giving it up.

use thalweg_protocol::{StrBytes, TimestampMs};

use super::ErrorCode;
use super::effect::Effect;
use super::limits::LOAD_BATCH_SIZE_MAX_BYTES;
use super::metadata::{Metadata, Transaction};
use super::record_codec::{self, Record};
use super::shard::TransactionShard;
use super::state::State;
use crate::coordinator::Phase;
use crate::coordinator::load::{LoadError, LogOf};

const LOG: LogOf = LogOf { topic: "__transaction_state", batch_size_max_bytes: LOAD_BATCH_SIZE_MAX_BYTES };

impl TransactionShard {
    /// Replays record batches of the partition, in order, from its start: one or more whole ones, whose checksums were
    /// looked at.
    pub fn load(&mut self, batch: &[u8]) -> Result<(), LoadError> {
        LOG.each_record(batch, record_codec::decode, |record| match record {
            Record::Transaction(id, metadata) => self.replay(id, metadata.map(|metadata| *metadata)),
            Record::Other(_) => {}
        })
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
