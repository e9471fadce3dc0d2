//! Transactional ids end `transactional.id.expiration.ms` after they were last used.

use thalweg_protocol::{StrBytes, TimestampMs};

use super::append::{Change, Completion};
use super::limits::EXPIRY_IDS_PER_TICK_MAX;
use super::metadata::Transaction;
use super::shard::TransactionShard;
use super::state::State;

/// Tombstones of one batch.
const TOMBSTONES_PER_BATCH_MAX: usize = 1000;

/// How soon a round goes on that could not look at all ids at once.
const ROUND_CONTINUES_MS: i64 = 1;

impl TransactionShard {
    /// Looks at some ids, and sets when to go on: at once if there are more, or when the next round is due. It goes from the
    /// end of the table to its beginning: when an id goes, the last one takes its place, and that was seen already.
    pub(super) fn expire(&mut self) {
        let end = self.transactions.len().min(self.expiry_left.unwrap_or(usize::MAX));
        let begin = end.saturating_sub(EXPIRY_IDS_PER_TICK_MAX);
        let since = TimestampMs(self.now.0.saturating_sub(self.config.expiration_ms));
        let mut gone = Vec::new();
        for index in (begin..end).rev() {
            let Some((id, transaction)) = self.transactions.get_index_mut(index) else { break };
            if transaction.pending.is_none() && has_expired(transaction, since) {
                transaction.pending = Some(State::Dead);
                gone.push(id.clone());
            }
        }
        for ids in gone.chunks(TOMBSTONES_PER_BATCH_MAX) {
            self.append(Change::Gone(ids.to_vec()), Completion::Expired);
        }
        if begin > 0 {
            self.expiry_left = Some(begin);
            self.expiry_at = Some(self.after(ROUND_CONTINUES_MS));
        } else {
            self.schedule_expiry();
        }
    }

    /// The next round begins after the interval.
    pub(super) fn schedule_expiry(&mut self) {
        self.expiry_left = None;
        self.expiry_at = Some(self.after(self.config.expiry_interval_ms));
    }

    /// The tombstones are durable, or the ids live on.
    pub(super) fn expired(&mut self, ids: &[StrBytes], durable: bool) {
        for id in ids {
            if durable {
                self.transactions.swap_remove(id);
            } else if let Some(transaction) = self.transactions.get_mut(id) {
                transaction.pending = None;
            }
        }
    }
}

fn has_expired(transaction: &Transaction, since: TimestampMs) -> bool {
    transaction.current.state.is_idle() && transaction.current.updated_at <= since
}
