//! Bringing kept state up to date.

use super::partition::{KeptState, StateBatch, StateChange};

impl KeptState {
    /// The state after a change: newer batches go before older ones, and what lies before the start is forgotten.
    #[must_use]
    pub fn merged(&self, change: &StateChange) -> Self {
        let start_offset = if change.start_offset < 0 { self.start_offset } else { change.start_offset };
        let mut batches: Vec<StateBatch> = Vec::with_capacity(self.batches.len() + change.batches.len());
        let mut newer = change.batches.clone();
        newer.sort_by_key(|batch| batch.first);
        for old in &self.batches {
            keep_uncovered(*old, &newer, &mut batches);
        }
        batches.extend(newer);
        batches.sort_by_key(|batch| batch.first);
        let kept = batches.into_iter().filter(|batch| batch.last >= start_offset);
        let kept = kept.map(|batch| StateBatch { first: batch.first.max(start_offset), ..batch });
        let mut batches = Vec::new();
        kept.for_each(|batch| batch.join(&mut batches));
        Self {
            state_epoch: self.state_epoch,
            start_offset,
            delivery_complete_count: change.delivery_complete_count,
            batches,
        }
    }
}

/// The pieces of `old` that none of `newer` says something of.
fn keep_uncovered(old: StateBatch, newer: &[StateBatch], to: &mut Vec<StateBatch>) {
    let mut first = old.first;
    for batch in newer.iter().filter(|batch| batch.last >= old.first && batch.first <= old.last) {
        if first < batch.first {
            to.push(StateBatch { first, last: batch.first - 1, ..old });
        }
        first = first.max(batch.last + 1);
    }
    if first <= old.last {
        to.push(StateBatch { first, ..old });
    }
}
