//! What all threads of a run share: what is asked, the clock, what was measured, and what went wrong.

use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::consume::Arrivals;
use super::plan::Plan;
use super::recorder::Recorder;
use super::scenario::Scenario;

pub(crate) struct Shared {
    pub(crate) scenario: Scenario,
    pub(crate) plan: Arc<Plan>,
    /// In each record's head, so that consumers tell records of this run from others.
    pub(crate) run_id: u32,
    /// Of this process alone, whatever the run's number.
    pub(crate) process_id: u32,
    pub(crate) recorder: Recorder,
    pub(crate) arrivals: Arrivals,
    begun: OnceLock<Begun>,
    producing: AtomicBool,
    failure: Mutex<Option<anyhow::Error>>,
    failed: AtomicBool,
}

/// The run's beginning, by both clocks.
#[derive(Clone, Copy, Debug)]
struct Begun {
    instant: Instant,
    unix_ns: u64,
}

impl Shared {
    pub(crate) fn new(scenario: Scenario) -> Self {
        let plan = Arc::new(Plan::new(&scenario));
        let random = std::hash::RandomState::new().build_hasher().finish();
        #[expect(clippy::cast_possible_truncation, reason = "any 32 bits of it")]
        let process_id = random as u32;
        Self {
            run_id: if scenario.run == 0 { process_id } else { scenario.run },
            process_id,
            scenario,
            recorder: Recorder::new(Arc::clone(&plan)),
            arrivals: Arrivals::default(),
            plan,
            begun: OnceLock::new(),
            producing: AtomicBool::new(true),
            failure: Mutex::default(),
            failed: AtomicBool::new(false),
        }
    }

    /// Begins the run, which all threads wait for with [`await_beginning`](Self::await_beginning).
    pub(crate) fn begin(&self) {
        let unix_ns = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        let unix_ns = u64::try_from(unix_ns).unwrap_or(u64::MAX);
        self.begun.get_or_init(|| Begun { instant: Instant::now(), unix_ns });
    }

    /// Waits until the run begins, or has failed before.
    pub(crate) fn await_beginning(&self) {
        while self.begun.get().is_none() && !self.has_failed() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Nanoseconds since the run began; 0 before.
    pub(crate) fn now_ns(&self) -> u64 {
        self.begun.get().map_or(0, |begun| u64::try_from(begun.instant.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// A moment of the run as nanoseconds since 1970, as records carry it; and back with
    /// [`since_beginning`](Self::since_beginning).
    pub(crate) fn unix_ns(&self, at_ns: u64) -> u64 {
        self.begun.get().map_or(0, |begun| begun.unix_ns + at_ns)
    }
    pub(crate) fn since_beginning(&self, unix_ns: u64) -> u64 {
        self.begun.get().map_or(0, |begun| unix_ns.saturating_sub(begun.unix_ns))
    }

    /// Whether records may still be written: until the plan's end and the last answer behind it. Consumers at the tail go
    /// on until this is over and they have read what is there.
    pub(crate) fn is_producing(&self) -> bool {
        self.producing.load(Ordering::Acquire) && !self.has_failed()
    }

    pub(crate) fn end_producing(&self) {
        self.producing.store(false, Ordering::Release);
    }

    /// The first failure ends the run; the others follow from it.
    pub(crate) fn fail(&self, error: anyhow::Error) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.failed.store(true, Ordering::Release);
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    pub(crate) fn take_failure(&self) -> Option<anyhow::Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_stands_until_the_run_begins_and_both_ways_agree() {
        let shared = Shared::new(Scenario::default());
        assert_eq!(shared.now_ns(), 0);
        shared.begin();
        shared.await_beginning();
        assert_eq!(shared.since_beginning(shared.unix_ns(1234)), 1234);
        assert!(shared.is_producing());
        shared.fail(anyhow::anyhow!("first"));
        shared.fail(anyhow::anyhow!("second"));
        assert!(!shared.is_producing());
        assert_eq!(shared.take_failure().map(|failure| failure.to_string()).as_deref(), Some("first"));
    }
}
