//! Transactions that take longer than their producer said they would.

use thalweg_protocol::StrBytes;

use super::append::DecidedBy;
use super::limits::TIMEOUTS_PER_TICK_MAX;
use super::shard::TransactionShard;

impl TransactionShard {
    /// Aborts those whose time is over, and sets when to look again.
    pub(super) fn abort_timed_out(&mut self) {
        let due = self.ongoing.iter().take_while(|(at, _)| *at < self.now);
        let due: Vec<StrBytes> = due.take(TIMEOUTS_PER_TICK_MAX).map(|(_, id)| id.clone()).collect();
        let all_seen = due.len() < TIMEOUTS_PER_TICK_MAX;
        for id in due {
            let idle = self.transactions.get(&id).is_some_and(|transaction| transaction.pending.is_none());
            // Without a producer id for what comes after, the next round tries again.
            if idle && self.fence(&id, DecidedBy::Timeout).is_err() {
                break;
            }
        }
        self.abort_at = Some(self.after(if all_seen { self.config.abort_interval_ms } else { 1 }));
    }
}
