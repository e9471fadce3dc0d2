//! What a run measures, gathered from all its threads.
//!
//! Each thread has a [`Meter`]: a small buffer behind a lock that nobody else wants, emptied into the totals when it is
//! full, when a second is over, and by who watches the run. So a record costs no shared lock, and memory is bounded
//! whatever the rate: one histogram per step and latency, and one per second that is not over yet.

mod meter;
mod totals;

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;

pub(crate) use self::meter::{Meter, Tally};
use self::totals::Totals;
use super::plan::{Plan, SECOND_NS};
use crate::report::hlog::{HlogFile, HlogWriter};
use crate::result::{Role, Step};

/// The latencies of a flow, in the order of their indices. The first is what its seconds show.
pub(crate) const fn latencies(role: Role) -> &'static [&'static str] {
    match role {
        Role::Produce => &["latency", "service", "commit"],
        Role::Tail => &["end_to_end", "fetch"],
        Role::CatchUp => &["fetch"],
    }
}

pub(crate) struct Recorder {
    plan: Arc<Plan>,
    totals: Arc<Mutex<Totals>>,
    meters: Mutex<Vec<Arc<Meter>>>,
}

/// How far a flow is, for who watches.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Progress {
    pub(crate) role: Role,
    /// In the last second that is over.
    pub(crate) records: u64,
    pub(crate) p99_us: f64,
    /// Since measuring began.
    pub(crate) refused: u64,
}

impl Recorder {
    pub(crate) fn new(plan: Arc<Plan>) -> Self {
        let totals = Arc::new(Mutex::new(Totals::new(Arc::clone(&plan))));
        Self { plan, totals, meters: Mutex::default() }
    }

    /// From here on each second's histograms are written there when it is over.
    pub(crate) fn log_to(&self, hlog: HlogWriter<HlogFile>) {
        self.lock_totals().log_to(hlog);
    }

    /// For one thread.
    pub(crate) fn meter(&self, role: Role) -> Arc<Meter> {
        let meter = Arc::new(Meter::new(role, Arc::clone(&self.plan), Arc::clone(&self.totals)));
        self.lock_totals().add_flow(role);
        self.meters.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&meter));
        meter
    }

    /// Ends the seconds that are over; says how the last one was.
    pub(crate) fn turn_seconds(&self, now_ns: u64) -> Result<Vec<Progress>> {
        self.empty_meters()?;
        self.lock_totals().fold(now_ns / SECOND_NS)
    }

    /// All steps that began before the end.
    pub(crate) fn finish(&self, ended_ns: u64) -> Result<Vec<Step>> {
        self.empty_meters()?;
        self.lock_totals().steps(ended_ns)
    }

    fn empty_meters(&self) -> Result<()> {
        let meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        meters.iter().try_for_each(|meter| meter.empty())
    }

    fn lock_totals(&self) -> std::sync::MutexGuard<'_, Totals> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;
    use crate::load::scenario::{Produce, Scenario};

    const MS: u64 = 1_000_000;

    /// A second of warm-up, two that are measured; then two at another rate, of which one is measured not at all.
    fn recorder() -> Recorder {
        let produce = Produce { steps: vec![10, 20], ..Produce::default() };
        let scenario =
            Scenario { warmup_s: 1, settle_s: 1, duration_s: 2, produce: Some(produce), ..Scenario::default() };
        Recorder::new(Arc::new(Plan::new(&scenario)))
    }

    #[test]
    fn what_counts_is_where_it_was_due_and_shows_in_the_second_in_which_it_came() {
        let recorder = recorder();
        let meter = recorder.meter(Role::Produce);
        let note = |due_ms: u64, came_ms: u64| {
            meter
                .note(|tally| {
                    tally.at(came_ms * MS, due_ms * MS)?;
                    tally.records(1, 100);
                    tally.latency(0, (came_ms - due_ms) * MS, 1);
                    Ok(())
                })
                .unwrap();
        };
        note(500, 501);
        note(1500, 1502);
        note(1600, 1700);
        note(2900, 3100); // late: of the first step, in the second's second
        note(4500, 4505);
        let steps = recorder.finish(6000 * MS).unwrap();
        assert_eq!(steps.iter().map(|step| step.offered_records_s).collect::<Vec<_>>(), [Some(10.0), Some(20.0)]);
        let flow = &steps[0].flows[0];
        assert_eq!((flow.records, flow.bytes, flow.latencies["latency"].count), (3, 300, 3));
        assert_eq!(
            flow.seconds.iter().map(|s| (s.at_s, s.records)).collect::<Vec<_>>(),
            [(-1, 1), (0, 2), (1, 0), (2, 1)]
        );
        assert!((flow.seconds[1].max_us - 100_000.0).abs() < 100.0, "{flow:?}");
        let flow = &steps[1].flows[0];
        assert_eq!(flow.records, 1);
        assert_eq!(flow.seconds.iter().map(|s| (s.at_s, s.records)).collect::<Vec<_>>(), [(-1, 0), (0, 1), (1, 0)]);
    }

    #[test]
    fn seconds_add_up_to_the_whole_however_meters_are_emptied() {
        let recorder = recorder();
        let meters = [recorder.meter(Role::Produce), recorder.meter(Role::Produce)];
        for ms in 1000..3000 {
            for meter in &meters {
                meter
                    .note(|tally| {
                        tally.at(ms * MS, ms * MS)?;
                        for n in 0..10 {
                            tally.latency(0, (ms + n) * 1000, 1);
                        }
                        tally.records(10, 10);
                        Ok(())
                    })
                    .unwrap();
            }
            if ms % 700 == 0 {
                recorder.turn_seconds(ms * MS).unwrap();
            }
        }
        // One that was held up: its second is told already, so it shows in the next.
        recorder.turn_seconds(3000 * MS).unwrap();
        meters[0].note(|tally| tally.at(2999 * MS, 2999 * MS).map(|()| tally.records(1, 1))).unwrap();
        let flow = recorder.finish(6000 * MS).unwrap().remove(0).flows.remove(0);
        assert_eq!((flow.records, flow.latencies["latency"].count), (40_001, 40_000));
        assert_eq!(flow.seconds.iter().map(|s| s.records).sum::<u64>(), 40_001);
        let last = flow.seconds.iter().map(|s| s.max_us).fold(0.0, f64::max);
        assert!((last - flow.latencies["latency"].us.max).abs() < 0.01);
    }

    #[test]
    fn a_run_that_ends_early_has_the_steps_that_began() {
        let recorder = recorder();
        let meter = recorder.meter(Role::Produce);
        meter.note(|tally| tally.at(1500 * MS, 1500 * MS).map(|()| tally.refused("NO", 3))).unwrap();
        let steps = recorder.finish(2000 * MS).unwrap();
        assert_eq!(steps.len(), 1);
        assert!((steps[0].measured_s - 1.0).abs() < 1e-9);
        assert_eq!(steps[0].flows[0].refused["NO"], 3);
    }
}
