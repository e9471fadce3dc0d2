//! All that was measured: a distribution per step and latency, and a line for each second.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use hdrhistogram::Histogram;

use super::meter::Held;
use super::{Progress, latencies};
use crate::load::plan::{Plan, SECOND_NS};
use crate::report::hlog::{HlogFile, HlogWriter};
use crate::result::{Flow, Latency, Role, Second, Step, micros};

pub(super) struct Totals {
    plan: Arc<Plan>,
    flows: BTreeMap<Role, Vec<StepTally>>,
    /// Seconds before this one are told: what comes for them late shows in this one.
    open_second: u64,
    hlog: Option<HlogWriter<HlogFile>>,
}

/// One flow in one step.
#[derive(Default)]
struct StepTally {
    records: u64,
    bytes: u64,
    latencies: [Option<Histogram<u64>>; 3],
    refused: BTreeMap<String, u64>,
    told: Vec<Second>,
    open: BTreeMap<u64, OpenSecond>,
}

struct OpenSecond {
    records: u64,
    bytes: u64,
    latency: Histogram<u64>,
}

impl Totals {
    pub(super) const fn new(plan: Arc<Plan>) -> Self {
        Self { plan, flows: BTreeMap::new(), open_second: 0, hlog: None }
    }

    pub(super) fn log_to(&mut self, hlog: HlogWriter<HlogFile>) {
        self.hlog = Some(hlog);
    }

    pub(super) fn add_flow(&mut self, role: Role) {
        let steps = self.plan.stretches().len();
        self.flows.entry(role).or_insert_with(|| (0..steps).map(|_| StepTally::default()).collect());
    }

    pub(super) fn add(&mut self, role: Role, held: &Held) -> Result<()> {
        let second = held.second.max(self.open_second);
        let step = self.flows.get_mut(&role).and_then(|steps| steps.get_mut(held.place.step));
        step.map_or(Ok(()), |step| step.add(second, held))
    }

    /// Tells the seconds before this one; answers with the last of them.
    pub(super) fn fold(&mut self, before: u64) -> Result<Vec<Progress>> {
        self.log(before)?;
        let mut progress = Vec::new();
        for (role, steps) in &mut self.flows {
            let mut last = None;
            for second in self.open_second..before {
                last = tell(&self.plan, steps, second);
            }
            if let Some(last) = last {
                let refused = steps.iter().flat_map(|step| step.refused.values()).sum();
                progress.push(Progress { role: *role, records: last.records, p99_us: last.p99_us, refused });
            }
        }
        self.open_second = self.open_second.max(before);
        Ok(progress)
    }

    /// Writes the seconds that are about to be told, in the order of time.
    fn log(&mut self, before: u64) -> Result<()> {
        let Some(hlog) = &mut self.hlog else { return Ok(()) };
        for second in self.open_second..before {
            for (role, steps) in &self.flows {
                let mut all: Option<Histogram<u64>> = None;
                for open in steps.iter().filter_map(|step| step.open.get(&second)) {
                    match &mut all {
                        Some(all) => all.add(&open.latency)?,
                        None => all = Some(open.latency.clone()),
                    }
                }
                if let (Some(all), Some(name)) = (all, latencies(*role).first()) {
                    hlog.write((role.name(), name), Duration::from_secs(second), Duration::from_secs(1), &all)?;
                }
            }
        }
        hlog.flush()
    }

    pub(super) fn steps(&mut self, ended_ns: u64) -> Result<Vec<Step>> {
        let open = self.flows.values().flatten().filter_map(|step| step.open.keys().last()).max();
        let in_plan = ended_ns.min(self.plan.ends_ns()).div_ceil(SECOND_NS);
        let before = open.map_or(in_plan, |last| in_plan.max(last + 1));
        self.fold(before)?;
        let mut done = Vec::new();
        for (step, stretch) in self.plan.stretches().iter().enumerate() {
            if step > 0 && stretch.begins_ns >= ended_ns {
                break;
            }
            let flows = self.flows.iter().filter_map(|(role, steps)| Some(steps.get(step)?.flow(*role)));
            done.push(Step {
                #[expect(clippy::cast_precision_loss, reason = "rates are far below 2^53")]
                offered_records_s: stretch.rate.map(|rate| rate as f64),
                measured_s: self.plan.measured(step, ended_ns).as_secs_f64(),
                flows: flows.collect::<Result<_>>()?,
            });
        }
        Ok(done)
    }
}

/// Tells one second of all steps: of the one it lies in, even if nothing came.
fn tell(plan: &Plan, steps: &mut [StepTally], second: u64) -> Option<Second> {
    let at_ns = second * SECOND_NS;
    let now = (at_ns < plan.ends_ns()).then(|| plan.place(at_ns).step);
    let mut last = None;
    for (step, (tally, stretch)) in steps.iter_mut().zip(plan.stretches()).enumerate() {
        let open = tally.open.remove(&second);
        if open.is_none() && now != Some(step) {
            continue;
        }
        let at_s = second.cast_signed() - (stretch.measured_ns / SECOND_NS).cast_signed();
        let told = told(at_s, open.as_ref());
        tally.told.push(told);
        last = Some(told);
    }
    last
}

fn told(at_s: i64, of: Option<&OpenSecond>) -> Second {
    let at = |quantile| of.map_or(0.0, |of| micros(of.latency.value_at_quantile(quantile)));
    Second {
        at_s,
        records: of.map_or(0, |of| of.records),
        bytes: of.map_or(0, |of| of.bytes),
        p50_us: at(0.5),
        p99_us: at(0.99),
        max_us: of.map_or(0.0, |of| micros(of.latency.max())),
    }
}

impl StepTally {
    fn add(&mut self, second: u64, held: &Held) -> Result<()> {
        let open = match self.open.entry(second) {
            std::collections::btree_map::Entry::Occupied(open) => open.into_mut(),
            std::collections::btree_map::Entry::Vacant(none) => {
                none.insert(OpenSecond { records: 0, bytes: 0, latency: Latency::empty()? })
            }
        };
        open.records += held.records;
        open.bytes += held.bytes;
        for (nanoseconds, count) in held.samples.first().into_iter().flatten() {
            open.latency.saturating_record_n((*nanoseconds).max(1), *count);
        }
        if !held.place.counted {
            return Ok(());
        }
        self.records += held.records;
        self.bytes += held.bytes;
        for (error, records) in &held.refused {
            *self.refused.entry(error.clone()).or_default() += records;
        }
        for (histogram, samples) in self.latencies.iter_mut().zip(&held.samples) {
            if samples.is_empty() {
                continue;
            }
            if histogram.is_none() {
                *histogram = Some(Latency::empty()?);
            }
            if let Some(histogram) = histogram {
                samples.iter().for_each(|(ns, count)| histogram.saturating_record_n((*ns).max(1), *count));
            }
        }
        Ok(())
    }

    fn flow(&self, role: Role) -> Result<Flow> {
        let mut named = BTreeMap::new();
        for (index, (name, histogram)) in latencies(role).iter().zip(&self.latencies).enumerate() {
            let latency = match histogram {
                Some(histogram) => Latency::of(histogram)?,
                // The flow's first is always there, so that who reads needs no case for it.
                None if index == 0 => Latency::of(&Latency::empty()?)?,
                None => continue,
            };
            named.insert((*name).to_owned(), latency);
        }
        Ok(Flow {
            role,
            records: self.records,
            bytes: self.bytes,
            latencies: named,
            refused: self.refused.clone(),
            seconds: self.told.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;
    use crate::load::recorder::Recorder;
    use crate::load::scenario::{Produce, Scenario};
    use crate::report::hlog::create;

    #[test]
    fn seconds_are_logged_in_the_order_of_time_each_once() {
        let scenario =
            Scenario { warmup_s: 1, duration_s: 2, produce: Some(Produce::default()), ..Scenario::default() };
        let recorder = Recorder::new(Arc::new(Plan::new(&scenario)));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.hlog");
        recorder.log_to(HlogWriter::new(create(&path).unwrap(), "x", 1000).unwrap());
        let meters = [recorder.meter(Role::Produce), recorder.meter(Role::Tail)];
        for (meter, ms) in [(0, 500), (1, 600), (0, 1500), (0, 2500), (1, 2600)] {
            let at = ms * 1_000_000;
            meters.get(meter).unwrap().note(|tally| tally.at(at, at).map(|()| tally.latency(0, at, 1))).unwrap();
            if ms == 600 {
                recorder.turn_seconds(SECOND_NS).unwrap();
            }
        }
        recorder.finish(3 * SECOND_NS).unwrap();
        let log = std::fs::read(&path).unwrap();
        let intervals = IntervalLogIterator::new(&log).filter_map(|entry| match entry.unwrap() {
            LogEntry::Interval(interval) => Some((
                interval.tag().unwrap().as_str(),
                interval.start_timestamp().as_secs(),
                (interval.max() / 1e8).round(),
            )),
            _ => None,
        });
        let expected = [
            ("produce.latency", 0, 5.0),
            ("tail.end_to_end", 0, 6.0),
            ("produce.latency", 1, 15.0),
            ("produce.latency", 2, 25.0),
            ("tail.end_to_end", 2, 26.0),
        ];
        assert_eq!(intervals.collect::<Vec<_>>(), expected);
    }
}
