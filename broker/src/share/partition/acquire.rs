//! Giving records out.

use thalweg_protocol::TimestampMs;

use super::runs::{RecordState, Run};
use super::{Holder, SharePartition};

/// Offsets that were given to a member, and how often they have been given out by now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Acquired {
    pub first: i64,
    pub last: i64,
    pub delivery_count: i16,
}

/// What was read from the log for a group.
#[derive(Clone, Copy, Debug)]
pub struct Read<'a> {
    /// Where reading began: [`SharePartition::next_offset`] of before.
    pub from: i64,
    /// Behind what was read.
    pub until: i64,
    /// First and last offsets of the batches, in order.
    pub batches: &'a [(i64, i64)],
}

impl SharePartition {
    /// Where to read next for somebody who wants records: the first that nobody has. `None` while as many are in flight as
    /// may be.
    #[must_use]
    pub fn next_offset(&self) -> Option<i64> {
        let available = self.runs.iter().find(|run| run.delivery.state == RecordState::Available);
        match available {
            Some(run) => Some(run.first),
            None => (!self.is_full()).then_some(self.runs.end()),
        }
    }

    /// Whether there may be something to give out before `end`, the end of the log.
    #[must_use]
    pub fn has_available(&self, end: i64) -> bool {
        self.next_offset().is_some_and(|next| next < end)
    }

    fn in_flight(&self) -> i64 {
        self.runs.end() - self.start
    }

    /// Gives `member` what is available of what was read from the log, from `from` up to and not including `until`: whole
    /// batches, until there are `records_max` or more. `batches` are first and last offsets, in order; what is in none of them
    /// holds no record for the group, and is passed over.
    pub fn acquire(&mut self, member: &Holder, read: &Read<'_>, records_max: i64, now: TimestampMs) -> Vec<Acquired> {
        let until = TimestampMs(now.0.saturating_add(i64::from(self.limits.lock_duration_ms.max(0))));
        let state = RecordState::Acquired { holder: member.clone(), until };
        let mut acquired: Vec<Acquired> = Vec::new();
        let mut count = 0;
        let mut next = read.from;
        for &(first, last) in read.batches {
            if count >= records_max || (first >= self.runs.end() && self.is_full()) {
                self.move_start();
                return acquired;
            }
            self.pass_over(next, first);
            for Run { first, last, delivery } in self.available_within(first, last) {
                let delivery_count = delivery.count.saturating_add(1);
                self.runs.set(first, last, state.clone(), delivery_count);
                count += last - first + 1;
                push(&mut acquired, Acquired { first, last, delivery_count });
            }
            if !self.is_full() {
                count += self.acquire_new(last, &state, &mut acquired);
            }
            next = last + 1;
        }
        self.pass_over(next, read.until);
        self.move_start();
        acquired
    }

    fn is_full(&self) -> bool {
        self.in_flight() >= self.limits.records_in_flight_max
    }

    /// From `first` up to, not including, `until` there are no records: a compacted log, or the end of a transaction.
    fn pass_over(&mut self, first: i64, until: i64) {
        if first >= until {
            return;
        }
        for run in self.available_within(first, until - 1) {
            self.runs.set(run.first, run.last, RecordState::Archived, run.delivery.count);
        }
        if until > self.runs.end() {
            self.runs.push(self.runs.end(), until - 1, RecordState::Archived, 0);
        }
    }

    /// The parts of runs that are available between two offsets.
    fn available_within(&self, first: i64, last: i64) -> Vec<Run> {
        let overlapping = self.runs.iter().skip_while(|run| run.last < first).take_while(|run| run.first <= last);
        overlapping
            .filter(|run| run.delivery.state == RecordState::Available)
            .map(|run| Run { first: run.first.max(first), last: run.last.min(last), ..run })
            .collect()
    }

    /// What of a batch that ends with `last` was never given out.
    fn acquire_new(&mut self, last: i64, state: &RecordState, acquired: &mut Vec<Acquired>) -> i64 {
        let first = self.runs.end();
        if last < first {
            return 0;
        }
        self.runs.push(first, last, state.clone(), 1);
        push(acquired, Acquired { first, last, delivery_count: 1 });
        last - first + 1
    }
}

/// Adds to the last one where it goes on.
fn push(acquired: &mut Vec<Acquired>, next: Acquired) {
    match acquired.last_mut() {
        Some(last) if last.last + 1 == next.first && last.delivery_count == next.delivery_count => {
            last.last = next.last
        }
        _ => acquired.push(next),
    }
}
