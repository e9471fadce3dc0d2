//! Aborting a transaction over its producer's head: because a new producer has come, or it takes too long.

use thalweg_protocol::StrBytes;

use super::ErrorCode;
use super::append::DecidedBy;
use super::effect::NO_EPOCH;
use super::metadata::bumped;
use super::shard::TransactionShard;
use super::version::TransactionVersion;

impl TransactionShard {
    /// Raises the epoch and decides to abort, in one step.
    pub(super) fn fence(&mut self, id: &StrBytes, by: DecidedBy) -> Result<(), ErrorCode> {
        // Of before V2 all there is, is V0: V1 is only about the form of records.
        let bumps = self.config.version.bumps_epochs();
        let version = if bumps { TransactionVersion::V2 } else { TransactionVersion::V0 };
        if !bumps && let Some(transaction) = self.transactions.get_mut(id) {
            // The epoch counts at once: should the record fail, its producer must not go on. V2 raises it with the decision.
            if !transaction.failed_fence {
                transaction.current.producer.epoch = bumped(transaction.current.producer.epoch);
            }
            transaction.current.last_epoch = NO_EPOCH;
        }
        self.decide(id, false, version, by)
    }
}
