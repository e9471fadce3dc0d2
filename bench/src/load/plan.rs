//! The run's course: its steps one after the other, each with a part that is not counted and one that is measured.
//!
//! Moments are nanoseconds since the run's beginning. Steps begin at whole seconds, so one grid of seconds holds for all.

use std::time::Duration;

use super::scenario::Scenario;

pub(crate) const SECOND_NS: u64 = 1_000_000_000;

/// A step's place in time.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Stretch {
    /// Records per second of all producers together.
    pub(crate) rate: Option<u64>,
    pub(crate) begins_ns: u64,
    /// Behind the warm-up, or behind what lets the rate settle.
    pub(crate) measured_ns: u64,
    pub(crate) ends_ns: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    stretches: Vec<Stretch>,
}

/// What a record, or a request, counts for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Place {
    pub(crate) step: usize,
    /// Not in a warm-up, and not behind the end.
    pub(crate) counted: bool,
}

impl Plan {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let mut begins_ns = 0;
        let stretches = scenario.rates().into_iter().enumerate().map(|(step, rate)| {
            let before = if step == 0 { scenario.warmup_s } else { scenario.settle_s };
            let measured_ns = begins_ns + before * SECOND_NS;
            let ends_ns = measured_ns + scenario.duration_s * SECOND_NS;
            Stretch { rate, begins_ns: std::mem::replace(&mut begins_ns, ends_ns), measured_ns, ends_ns }
        });
        Self { stretches: stretches.collect() }
    }

    pub(crate) fn stretches(&self) -> &[Stretch] {
        &self.stretches
    }

    pub(crate) fn ends_ns(&self) -> u64 {
        self.stretches.last().map_or(0, |last| last.ends_ns)
    }

    /// When measuring begins.
    pub(crate) fn measured_ns(&self) -> u64 {
        self.stretches.first().map_or(0, |first| first.measured_ns)
    }

    /// What something at this moment counts for.
    pub(crate) fn place(&self, at_ns: u64) -> Place {
        let step = self.stretches.partition_point(|stretch| stretch.ends_ns <= at_ns);
        match self.stretches.get(step) {
            Some(stretch) => Place { step, counted: at_ns >= stretch.measured_ns },
            None => Place { step: self.stretches.len().saturating_sub(1), counted: false },
        }
    }

    /// What moments that are in the same place as this one have in common: from when until when.
    pub(crate) fn bounds(&self, at_ns: u64) -> (u64, u64) {
        let place = self.place(at_ns);
        match self.stretches.get(place.step) {
            Some(stretch) if place.counted => (stretch.measured_ns, stretch.ends_ns),
            Some(stretch) if at_ns < stretch.measured_ns => (stretch.begins_ns, stretch.measured_ns),
            _ => (self.ends_ns(), u64::MAX),
        }
    }

    /// How much of a step was measured when the run ended at this moment.
    pub(crate) fn measured(&self, step: usize, ended_ns: u64) -> Duration {
        let measured = self.stretches.get(step).map(|stretch| {
            let ended_ns = ended_ns.min(stretch.ends_ns);
            ended_ns.saturating_sub(stretch.measured_ns)
        });
        Duration::from_nanos(measured.unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::scenario::Produce;

    #[test]
    fn steps_follow_each_other_and_only_their_measured_part_counts() {
        let produce = Produce { steps: vec![10, 20], ..Produce::default() };
        let scenario =
            Scenario { warmup_s: 5, settle_s: 2, duration_s: 10, produce: Some(produce), ..Scenario::default() };
        let plan = Plan::new(&scenario);
        let place = |s: u64| {
            let Place { step, counted } = plan.place(s * SECOND_NS);
            (step, counted)
        };
        let seen = [0, 4, 5, 14, 15, 16, 17, 26, 27, 99].map(place);
        let first = [(0, false), (0, false), (0, true), (0, true)];
        let second = [(1, false), (1, false), (1, true), (1, true), (1, false), (1, false)];
        assert_eq!(seen, [&first[..], &second[..]].concat().as_slice());
        assert_eq!((plan.measured_ns(), plan.ends_ns()), (5 * SECOND_NS, 27 * SECOND_NS));
        assert_eq!(plan.measured(0, 7 * SECOND_NS), Duration::from_secs(2));
        assert_eq!(plan.measured(1, 99 * SECOND_NS), Duration::from_secs(10));
        for s in 0..40 {
            let (from, until) = plan.bounds(s * SECOND_NS);
            assert!((from..until).contains(&(s * SECOND_NS)));
            assert_eq!(plan.place(from), plan.place(until - 1));
        }
    }
}
