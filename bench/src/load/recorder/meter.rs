//! One thread's measurements, until the totals take them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;

use super::totals::Totals;
use crate::load::plan::{Place, Plan, SECOND_NS};
use crate::result::Role;

/// Latencies held before the totals take them: a meter is some tens of KiB.
const SAMPLES_MAX: usize = 2048;

pub(crate) struct Meter(Mutex<Tally>);

/// What has been noted since the totals took the last. All of it is of one second and one place.
pub(crate) struct Tally {
    role: Role,
    plan: Arc<Plan>,
    totals: Arc<Mutex<Totals>>,
    /// Moments of which `held.place` is true.
    bounds: (u64, u64),
    held: Held,
}

#[derive(Default)]
pub(super) struct Held {
    pub(super) second: u64,
    pub(super) place: Place,
    pub(super) records: u64,
    pub(super) bytes: u64,
    /// By index: nanoseconds, and how many took so long.
    pub(super) samples: [Vec<(u64, u64)>; 3],
    pub(super) refused: BTreeMap<String, u64>,
}

impl Meter {
    pub(super) fn new(role: Role, plan: Arc<Plan>, totals: Arc<Mutex<Totals>>) -> Self {
        Self(Mutex::new(Tally { role, plan, totals, bounds: (0, 0), held: Held::default() }))
    }

    /// Notes what came at one time. The lock is the thread's own but for a moment in each second.
    pub(crate) fn note(&self, note: impl FnOnce(&mut Tally) -> Result<()>) -> Result<()> {
        note(&mut self.lock())
    }

    pub(super) fn empty(&self) -> Result<()> {
        self.lock().empty()
    }

    fn lock(&self) -> MutexGuard<'_, Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tally {
    /// What is noted from here on came at `now_ns` and counts for what `counts_ns` lies in: in an open loop the moment
    /// when it was due, otherwise when it came.
    pub(crate) fn at(&mut self, now_ns: u64, counts_ns: u64) -> Result<()> {
        let second = now_ns / SECOND_NS;
        let same = (self.bounds.0..self.bounds.1).contains(&counts_ns) && second == self.held.second;
        let full = self.held.samples.iter().any(|samples| samples.len() >= SAMPLES_MAX);
        if !same || full {
            self.empty()?;
        }
        if !same {
            self.bounds = self.plan.bounds(counts_ns);
            (self.held.place, self.held.second) = (self.plan.place(counts_ns), second);
        }
        Ok(())
    }

    /// `bytes` are those of values.
    pub(crate) fn records(&mut self, records: u64, bytes: u64) {
        self.held.records += records;
        self.held.bytes += bytes;
    }

    /// A latency by its index in [`latencies`](super::latencies), as often as `count`.
    pub(crate) fn latency(&mut self, index: usize, nanoseconds: u64, count: u64) {
        let Some(samples) = self.held.samples.get_mut(index) else { return };
        match samples.last_mut() {
            Some((same, so_far)) if *same == nanoseconds => *so_far += count,
            _ => samples.push((nanoseconds, count)),
        }
    }

    /// Records (of consumers: requests) that failed, by the broker's error.
    pub(crate) fn refused(&mut self, error: &str, records: u64) {
        match self.held.refused.get_mut(error) {
            Some(so_far) => *so_far += records,
            None => drop(self.held.refused.insert(error.to_owned(), records)),
        }
    }

    fn empty(&mut self) -> Result<()> {
        let held = &mut self.held;
        if held.records == 0 && held.refused.is_empty() && held.samples.iter().all(Vec::is_empty) {
            return Ok(());
        }
        self.totals.lock().unwrap_or_else(PoisonError::into_inner).add(self.role, held)?;
        (held.records, held.bytes) = (0, 0);
        held.samples.iter_mut().for_each(Vec::clear);
        held.refused.clear();
        Ok(())
    }
}
