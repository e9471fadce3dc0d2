//! Runs of offsets in the same state.

use std::collections::BTreeMap;

use thalweg_protocol::TimestampMs;

use super::Holder;

/// Kafka's `RecordState`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecordState {
    /// May be given out.
    Available,
    /// A member has it, until a deadline.
    Acquired { holder: Holder, until: TimestampMs },
    /// Done with: processed.
    Acknowledged,
    /// Done with: rejected, delivered too often, or no record.
    Archived,
}

impl RecordState {
    /// Kafka's number, as it is kept. What is out for delivery is kept as available.
    pub(super) const fn number(&self) -> i8 {
        match self {
            Self::Available | Self::Acquired { .. } => 0,
            Self::Acknowledged => 2,
            Self::Archived => 4,
        }
    }

    pub(super) const fn from_number(number: i8) -> Self {
        match number {
            2 => Self::Acknowledged,
            4 => Self::Archived,
            _ => Self::Available,
        }
    }

    pub(super) const fn deadline(&self) -> Option<TimestampMs> {
        match self {
            Self::Acquired { until, .. } => Some(*until),
            _ => None,
        }
    }

    pub(super) const fn holder(&self) -> Option<&Holder> {
        match self {
            Self::Acquired { holder, .. } => Some(holder),
            _ => None,
        }
    }

    const fn is_done(&self) -> bool {
        matches!(self, Self::Acknowledged | Self::Archived)
    }
}

/// State of a record, and how often it was given out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    pub state: RecordState,
    pub count: i16,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Run {
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) delivery: Delivery,
}

/// In order and without gaps.
#[derive(Debug)]
pub(super) struct Runs {
    /// By first offset; the last one with its state.
    runs: BTreeMap<i64, (i64, Delivery)>,
    /// Behind the last run.
    end: i64,
}

impl Runs {
    pub(super) const fn new(start: i64) -> Self {
        Self { runs: BTreeMap::new(), end: start }
    }

    pub(super) const fn end(&self) -> i64 {
        self.end
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Run> + '_ {
        self.runs.iter().map(|(first, (last, delivery))| Run { first: *first, last: *last, delivery: delivery.clone() })
    }

    /// The run that an offset is in.
    pub(super) fn at(&self, offset: i64) -> Option<Run> {
        let (first, (last, delivery)) = self.runs.range(..=offset).next_back()?;
        (offset <= *last).then(|| Run { first: *first, last: *last, delivery: delivery.clone() })
    }

    /// A new run behind the others.
    pub(super) fn push(&mut self, first: i64, last: i64, state: RecordState, count: i16) {
        debug_assert!(first == self.end && last >= first);
        self.runs.insert(first, (last, Delivery { state, count }));
        self.end = last + 1;
        self.join_at(first);
    }

    /// Gives offsets, all of which must be in runs, another state.
    pub(super) fn set(&mut self, first: i64, last: i64, state: RecordState, count: i16) {
        debug_assert!(self.at(first).is_some() && last < self.end && first <= last);
        self.split_at(first);
        self.split_at(last + 1);
        let within: Vec<i64> = self.runs.range(first..=last).map(|(first, _)| *first).collect();
        for run in within {
            self.runs.remove(&run);
        }
        self.runs.insert(first, (last, Delivery { state, count }));
        self.join_at(last + 1);
        self.join_at(first);
    }

    /// Lets a run begin at `offset`, if it is within one.
    fn split_at(&mut self, offset: i64) {
        let Some(Run { first, last, delivery }) = self.at(offset).filter(|run| run.first < offset) else { return };
        self.runs.insert(first, (offset - 1, delivery.clone()));
        self.runs.insert(offset, (last, delivery));
    }

    /// Makes one of the run at `first` and the one before it, if they are alike.
    fn join_at(&mut self, first: i64) {
        let Some((last, delivery)) = self.runs.get(&first).cloned() else { return };
        let Some((before, (_, same))) = self.runs.range(..first).next_back().map(|(at, run)| (*at, run.clone())) else {
            return;
        };
        if same == delivery {
            self.runs.remove(&first);
            self.runs.insert(before, (last, delivery));
        }
    }

    /// Takes away the first runs that are done with; where the rest begins.
    pub(super) fn pop_done(&mut self) -> i64 {
        while let Some(entry) = self.runs.first_entry() {
            if !entry.get().1.state.is_done() {
                return *entry.key();
            }
            entry.remove();
        }
        self.end
    }

    /// Everything before `offset` goes.
    pub(super) fn truncate_front(&mut self, offset: i64) {
        self.split_at(offset);
        self.runs = self.runs.split_off(&offset);
        self.end = self.end.max(offset);
    }

    /// How many offsets are done with.
    pub(super) fn done_count(&self) -> i64 {
        let done = self.runs.iter().filter(|(_, (_, delivery))| delivery.state.is_done());
        done.map(|(first, (last, _))| last - first + 1).sum()
    }

    pub(super) fn is_contiguous_from(&self, start: i64) -> bool {
        let mut next = start;
        for (first, (last, _)) in &self.runs {
            if *first != next || last < first {
                return false;
            }
            next = last + 1;
        }
        next == self.end
    }
}
