//! A share-partition (KIP-932): which records of one partition one share group has, may have, and is done with.
//!
//! Sans-IO: requests and the clock go in, what is to be written down comes out. Lives on the core that owns the partition.
//! Offsets between [`SharePartition::start_offset`] and [`SharePartition::end_offset`] are *in flight*: each is in one state
//! (Kafka's `RecordState`). Those before are done with, those behind were never given out.
//!
//! **Invariant:** the runs in flight follow each other without a gap, from the start offset to the end offset, and the first
//! of them is not done with.

mod acknowledge;
mod acquire;
mod runs;
#[cfg(test)]
mod tests;

use thalweg_protocol::{StrBytes, TimestampMs};

pub use acknowledge::Acknowledgement;
pub use acquire::{Acquired, Read};
use runs::Runs;
pub use runs::{Delivery, RecordState};

/// What a group allows itself (`share.*` of the group, `group.share.*` of the broker).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShareLimits {
    /// `share.record.lock.duration.ms`
    pub lock_duration_ms: i32,
    /// `share.delivery.count.limit`
    pub delivery_count_max: i16,
    /// `share.partition.max.record.locks`
    pub records_in_flight_max: i64,
}

impl Default for ShareLimits {
    fn default() -> Self {
        Self { lock_duration_ms: 30_000, delivery_count_max: 5, records_in_flight_max: 2_000 }
    }
}

/// Offsets in a state that is worth keeping: Kafka's `StateBatch`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StateBatch {
    pub first: i64,
    pub last: i64,
    /// 0 available, 2 acknowledged, 4 archived.
    pub state: i8,
    pub delivery_count: i16,
}

impl StateBatch {
    /// Puts it behind `batches`, into the last of them where that ends before it and says the same.
    pub(in crate::share) fn join(self, batches: &mut Vec<Self>) {
        match batches.last_mut() {
            Some(last)
                if last.last + 1 == self.first
                    && last.state == self.state
                    && last.delivery_count == self.delivery_count =>
            {
                last.last = self.last;
            }
            _ => batches.push(self),
        }
    }
}

/// What is to be written down of a change.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StateChange {
    /// Where the group begins now.
    pub start_offset: i64,
    /// Offsets from there on that the group is done with (KIP-1226).
    pub delivery_complete_count: i32,
    pub batches: Vec<StateBatch>,
}

/// What was written down of a share-partition.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeptState {
    pub state_epoch: i32,
    pub start_offset: i64,
    pub delivery_complete_count: i32,
    /// In order, without overlaps.
    pub batches: Vec<StateBatch>,
}

/// See the module.
#[derive(Debug)]
pub struct SharePartition {
    limits: ShareLimits,
    start: i64,
    runs: Runs,
}

impl SharePartition {
    /// Goes on from what was kept. Records that were out for delivery are available again.
    #[must_use]
    pub fn new(kept: &KeptState, limits: ShareLimits) -> Self {
        let mut partition = Self { limits, start: kept.start_offset, runs: Runs::new(kept.start_offset) };
        for batch in &kept.batches {
            let first = batch.first.max(partition.runs.end());
            if first > batch.last {
                continue;
            }
            if first > partition.runs.end() {
                // Nothing was kept of these: they were given out once at most.
                let end = partition.runs.end();
                partition.runs.push(end, first - 1, RecordState::Available, 0);
            }
            let state = RecordState::from_number(batch.state);
            partition.runs.push(first, batch.last, state, batch.delivery_count);
        }
        partition.move_start();
        partition
    }

    pub fn set_limits(&mut self, limits: ShareLimits) {
        self.limits = limits;
    }

    /// The first offset that the group is not done with.
    #[must_use]
    pub fn start_offset(&self) -> i64 {
        self.start
    }

    /// Behind the last offset that was given out.
    #[must_use]
    pub fn end_offset(&self) -> i64 {
        self.runs.end()
    }

    /// When a hold next runs out.
    #[must_use]
    pub fn next_deadline(&self) -> Option<TimestampMs> {
        self.runs.iter().filter_map(|run| run.delivery.state.deadline()).min()
    }

    /// Ends holds whose time is over: the records may go to others, unless they were delivered often enough.
    pub fn expire(&mut self, now: TimestampMs) -> Option<StateChange> {
        self.release_where(0, |state| state.deadline().is_some_and(|deadline| deadline <= now))
    }

    /// A member's session is over. What it had may never have been seen by anybody: that delivery does not count.
    pub fn release_member(&mut self, member: &str) -> Option<StateChange> {
        self.release_where(1, |state| state.holder().is_some_and(|holder| &**holder == member))
    }

    fn release_where(&mut self, uncounted: i16, ends: impl Fn(&RecordState) -> bool) -> Option<StateChange> {
        let held: Vec<(i64, i64, i16)> = self
            .runs
            .iter()
            .filter(|run| ends(&run.delivery.state))
            .map(|run| (run.first, run.last, (run.delivery.count - uncounted).max(0)))
            .collect();
        if held.is_empty() {
            return None;
        }
        let mut batches = Vec::with_capacity(held.len());
        for (first, last, count) in held {
            let state = self.released(count);
            batches.push(StateBatch { first, last, state: state.number(), delivery_count: count });
            self.runs.set(first, last, state, count);
        }
        self.move_start();
        Some(self.change(batches))
    }

    /// What a record becomes that nobody holds any more.
    fn released(&self, delivery_count: i16) -> RecordState {
        if delivery_count >= self.limits.delivery_count_max { RecordState::Archived } else { RecordState::Available }
    }

    /// The log begins later now: what is gone cannot be delivered.
    pub fn log_starts_at(&mut self, offset: i64) -> Option<StateChange> {
        if offset <= self.start {
            return None;
        }
        self.runs.truncate_front(offset);
        self.start = offset;
        self.move_start();
        Some(self.change(Vec::new()))
    }

    fn change(&self, mut batches: Vec<StateBatch>) -> StateChange {
        batches.retain(|batch| batch.last >= self.start);
        let delivery_complete_count = i32::try_from(self.runs.done_count()).unwrap_or(i32::MAX);
        StateChange { start_offset: self.start, delivery_complete_count, batches }
    }

    /// Passes over what is done with.
    fn move_start(&mut self) {
        self.start = self.runs.pop_done();
        debug_assert!(self.runs.is_contiguous_from(self.start));
    }
}

/// Who holds records.
pub type Holder = StrBytes;
