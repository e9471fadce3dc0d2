//! Points out of a result: a histogram's percentiles, and seconds one behind the other.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::report::names::latency_title;
use crate::result::{Role, RunResult, Second};

pub(super) type Points = Vec<Option<(f64, f64)>>;

/// More than a plot has room for.
const POINTS_MAX: usize = 1000;

/// Latency in microseconds over 1/(1-p), as far as there are records that say something.
#[expect(clippy::cast_precision_loss, reason = "an hour in nanoseconds is far below 2^53")]
pub(super) fn percentiles(of: &Histogram<u64>) -> Points {
    let end = of.len() as f64;
    let nines = (0..).map(|n| 10f64.powf(f64::from(n) / 25.0)).take_while(|nines| *nines < end).chain([end]);
    let point = |nines: f64| (nines, of.value_at_quantile(1.0 - 1.0 / nines) as f64 / 1000.0);
    if of.is_empty() { Points::new() } else { nines.map(point).map(Some).collect() }
}

/// Where each step of a run stands in a plot over time: steps come one behind the other, and second 0 of the first is 0.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Clock(Vec<Span>);

/// Of a step: when its warm-up began, when measuring did, and when it ended.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Span {
    low: f64,
    zero: i64,
    high: f64,
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a run's seconds are far below 2^53")]
impl Clock {
    pub(super) fn of(result: &RunResult) -> Self {
        let (mut spans, mut ended) = (Vec::new(), None);
        for step in &result.steps {
            let seconds = step.flows.iter().flat_map(|flow| &flow.seconds).map(|second| second.at_s);
            let low = seconds.fold(0, i64::min);
            let zero = ended.map_or(0, |ended: f64| ended.round() as i64 - low);
            let high = zero as f64 + step.measured_s;
            spans.push(Span { low: (zero + low) as f64, zero, high });
            ended = Some(high);
        }
        Self(spans)
    }

    /// What was not counted: warm-ups, and what came when the last step was over.
    pub(super) fn uncounted(&self, result: &RunResult) -> Vec<(f64, f64)> {
        let warm_ups = self.0.iter().map(|span| (span.low, span.zero as f64));
        let late = self.0.iter().zip(&result.steps).next_back().map(|(span, step)| {
            let seconds = step.flows.iter().flat_map(|flow| flow.seconds.last()).map(|last| span.zero + last.at_s);
            (span.high, seconds.fold(span.high, |latest, second| latest.max(second as f64)))
        });
        warm_ups.chain(late).filter(|(from, to)| from < to).collect()
    }

    /// The worst of each point's seconds. A second in which nothing came is a gap.
    pub(super) fn latency(&self, result: &RunResult, role: Role, of: impl Fn(&Second) -> f64) -> Points {
        let worst = |one: f64, other: f64| one.max(other);
        let points = self.seconds(result, role, |second| if second.records > 0 { of(second) } else { 0.0 }, worst);
        let seen = points.into_iter().map(|point| point.filter(|(_, us)| *us > 0.0));
        thinned(&seen.collect::<Points>(), |values| values.iter().copied().fold(0.0, f64::max))
    }

    /// Records per second; the mean of each point's seconds.
    pub(super) fn rate(&self, result: &RunResult, role: Role) -> Points {
        let points = self.seconds(result, role, |second| second.records as f64, |one, other| one + other);
        thinned(&points, |values| values.iter().sum::<f64>() / values.len().max(1) as f64)
    }

    /// What came late for a step shows in the seconds of the next: both are put together.
    fn seconds(
        &self,
        result: &RunResult,
        role: Role,
        value: impl Fn(&Second) -> f64,
        together: impl Fn(f64, f64) -> f64,
    ) -> Points {
        let mut seconds: BTreeMap<i64, f64> = BTreeMap::new();
        for (span, step) in self.0.iter().zip(&result.steps) {
            for second in step.flow(role).into_iter().flat_map(|flow| &flow.seconds) {
                let all = seconds.entry(span.zero + second.at_s).or_insert(0.0);
                *all = together(*all, value(second));
            }
        }
        let (mut points, mut next) = (Points::new(), None);
        for (at, value) in seconds {
            if next.is_some_and(|next| next != at) {
                points.push(None);
            }
            next = Some(at + 1);
            points.push(Some((at as f64, value)));
        }
        points
    }

    /// The offered rate as a line of steps.
    pub(super) fn offered(&self, result: &RunResult) -> Points {
        let steps = self.0.iter().zip(&result.steps).map(|(span, step)| (span, step.offered_records_s));
        steps.flat_map(|(span, rate)| [span.low, span.high].map(|at| rate.map(|rate| (at, rate)))).collect()
    }
}

/// So that a day's run makes no file of megabytes: neighbours become one point, none of them left out.
fn thinned(points: &[Option<(f64, f64)>], together: impl Fn(&[f64]) -> f64) -> Points {
    let each = points.len().div_ceil(POINTS_MAX).max(1);
    let point = |chunk: &[Option<(f64, f64)>]| {
        let at = chunk.iter().flatten().map(|(x, _)| *x).next()?;
        let values: Vec<f64> = chunk.iter().flatten().map(|(_, y)| *y).collect();
        Some((at, together(&values)))
    };
    points.chunks(each).map(point).collect()
}

/// `p99 end-to-end latency`.
pub(super) fn first_latency_title(result: &RunResult, role: Role) -> &str {
    let flow = result.steps.iter().find_map(|step| step.flow(role));
    flow.and_then(|flow| flow.first_latency()).map_or("latency", |(name, _)| latency_title(name))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;
    use crate::report::sample;
    use crate::result::Latency;

    #[test]
    fn percentiles_go_as_far_as_there_are_records() {
        let mut histogram = Latency::empty().unwrap();
        (1..=1000).for_each(|us| histogram.record(us * 1000).unwrap());
        let points: Vec<_> = percentiles(&histogram).into_iter().flatten().collect();
        assert_eq!(points[0], (1.0, 1.0));
        let (nines, median) = points.iter().find(|(nines, _)| *nines >= 1.99).copied().unwrap();
        assert!((median - 1000.0 * (1.0 - 1.0 / nines)).abs() < 2.0, "{nines} {median}");
        let (last, longest) = points.last().copied().unwrap();
        assert!(last == 1000.0 && (999.0..1001.0).contains(&longest), "{last} {longest}");
        assert!(percentiles(&Latency::empty().unwrap()).is_empty());
    }

    #[test]
    fn steps_stand_one_behind_the_other_with_their_warm_ups_between() {
        let run = sample::steps("x", &[1000.0, 2000.0]);
        let clock = Clock::of(&run);
        // Each has two seconds of warm-up and ten that are measured.
        assert_eq!(clock.uncounted(&run), [(-2.0, 0.0), (10.0, 12.0)]);
        let offered: Vec<_> = clock.offered(&run).into_iter().flatten().collect();
        assert_eq!(offered, [(-2.0, 1000.0), (10.0, 1000.0), (10.0, 2000.0), (22.0, 2000.0)]);
        let rate: Vec<_> = clock.rate(&run, Role::Produce).into_iter().flatten().collect();
        assert_eq!((rate.len(), rate[0], rate[23]), (24, (-2.0, 1000.0), (21.0, 2000.0)));
    }

    #[test]
    fn what_came_late_shows_in_the_next_steps_seconds() {
        let mut run = sample::steps("x", &[1000.0, 2000.0]);
        let late = Second { at_s: 10, records: 7, p99_us: 1e6, ..run.steps[0].flows[0].seconds[0] };
        run.steps[0].flows[0].seconds.push(late);
        let clock = Clock::of(&run);
        let at_ten = |points: Points| points.into_iter().flatten().find(|(at, _)| *at == 10.0).unwrap().1;
        assert_eq!(at_ten(clock.rate(&run, Role::Produce)), 2007.0);
        assert_eq!(at_ten(clock.latency(&run, Role::Produce, |second| second.p99_us)), 1e6);
        assert_eq!(clock.uncounted(&run)[1], (10.0, 12.0));
        run.steps[1].flows[0].seconds.push(Second { at_s: 11, ..late });
        assert_eq!(Clock::of(&run).uncounted(&run)[2], (22.0, 23.0));
    }

    #[test]
    fn a_second_without_records_is_a_gap_and_not_a_latency_of_zero() {
        let mut run = sample::steps("x", &[1000.0]);
        let seconds = &mut run.steps[0].flows[0].seconds;
        seconds[4] = Second { records: 0, p50_us: 0.0, p99_us: 0.0, ..seconds[4] };
        seconds.remove(8);
        let points = Clock::of(&run).latency(&run, Role::Produce, |second| second.p99_us);
        assert_eq!(points.iter().filter(|point| point.is_none()).count(), 2);
        assert!(points[4].is_none() && points[8].is_none(), "{points:?}");
    }

    #[test]
    fn a_long_series_is_thinned_and_keeps_its_worst() {
        let mut points: Points = (0..86_400).map(|at| Some((f64::from(at), 1.0))).collect();
        points[77_777] = Some((77_777.0, 9.0));
        let thin = thinned(&points, |values| values.iter().copied().fold(0.0, f64::max));
        assert!(thin.len() <= POINTS_MAX, "{}", thin.len());
        assert_eq!(thin.iter().flatten().filter(|(_, y)| *y == 9.0).count(), 1);
    }
}
