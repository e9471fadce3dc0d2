//! What members say of records that they have.

use std::collections::BTreeMap;

use thalweg_protocol::error::ErrorCode;

use super::runs::{RecordState, Run};
use super::{SharePartition, StateBatch, StateChange};

/// Kafka's `AcknowledgeType`, and 0 for "there is no record".
const GAP: i8 = 0;
const ACCEPT: i8 = 1;
const RELEASE: i8 = 2;
const REJECT: i8 = 3;

/// One batch of acknowledgements: one type for all its offsets, or one for each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Acknowledgement {
    pub first: i64,
    pub last: i64,
    pub types: Vec<i8>,
}

impl Acknowledgement {
    /// Whether the form is right; the number of types must not be made up from offsets that are not there.
    fn is_valid(&self) -> bool {
        let count = self.last.checked_sub(self.first).and_then(|count| count.checked_add(1));
        let sizes = self.first >= 0
            && count.is_some_and(|count| {
                count > 0 && (self.types.len() == 1 || i64::try_from(self.types.len()) == Ok(count))
            });
        sizes && self.types.iter().all(|kind| (GAP..=REJECT).contains(kind))
    }

    fn kind(&self, offset: i64) -> i8 {
        let place = if self.types.len() == 1 { 0 } else { usize::try_from(offset - self.first).unwrap_or(0) };
        self.types.get(place).copied().unwrap_or(RELEASE)
    }
}

/// A piece of the runs in flight and what becomes of it.
struct Step {
    last: i64,
    state: RecordState,
    count: i16,
}

/// By first offset.
type Steps = BTreeMap<i64, Step>;

impl SharePartition {
    /// All of it holds, or nothing does: with an error everything is as it was. What is returned is to be written down; until
    /// it is, the answer must wait.
    pub fn acknowledge(&mut self, member: &str, batches: &[Acknowledgement]) -> Result<StateChange, ErrorCode> {
        if !batches.iter().all(Acknowledgement::is_valid) {
            return Err(ErrorCode::InvalidRequest);
        }
        let mut steps = Steps::new();
        for batch in batches {
            self.plan(member, batch, &mut steps)?;
        }
        let mut kept = Vec::with_capacity(steps.len());
        for (first, Step { last, state, count }) in steps {
            StateBatch { first, last, state: state.number(), delivery_count: count }.join(&mut kept);
            self.runs.set(first, last, state, count);
        }
        self.move_start();
        Ok(self.change(kept))
    }

    fn plan(&self, member: &str, batch: &Acknowledgement, steps: &mut Steps) -> Result<(), ErrorCode> {
        // What lies before the start has gone from the log while the member had it.
        let mut next = batch.first.max(self.start);
        if batch.last >= self.runs.end() {
            return Err(ErrorCode::InvalidRecordState);
        }
        while next <= batch.last {
            let run = self.runs.at(next).ok_or(ErrorCode::InvalidRecordState)?;
            if run.delivery.state.holder().is_none_or(|holder| &**holder != member) {
                return Err(ErrorCode::InvalidRecordState);
            }
            if steps.range(..=next).next_back().is_some_and(|(_, step)| next <= step.last) {
                // The same offset twice.
                return Err(ErrorCode::InvalidRecordState);
            }
            next = self.plan_run(batch, &run, next, steps)? + 1;
        }
        Ok(())
    }

    /// Plans as much of a run as has one type; the last offset of it.
    fn plan_run(&self, batch: &Acknowledgement, run: &Run, first: i64, steps: &mut Steps) -> Result<i64, ErrorCode> {
        let kind = batch.kind(first);
        let end = run.last.min(batch.last);
        let mut last = first;
        while last < end && (batch.types.len() == 1 || batch.kind(last + 1) == kind) {
            last = if batch.types.len() == 1 { end } else { last + 1 };
        }
        let count = run.delivery.count;
        let state = match kind {
            ACCEPT => RecordState::Acknowledged,
            RELEASE => self.released(count),
            _ => RecordState::Archived,
        };
        if steps.range(first..=last).next().is_some() {
            // What lies behind was said before.
            return Err(ErrorCode::InvalidRecordState);
        }
        steps.insert(first, Step { last, state, count });
        Ok(last)
    }
}
