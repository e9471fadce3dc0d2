//! What the threads of a run share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use thalweg_protocol::records::Compression;

use super::check::Checker;
use super::outage::Outages;
use super::record::Format;

/// What is asked of a run.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) producers: u32,
    pub(crate) records: u64,
    pub(crate) duration: Option<Duration>,
    /// Records per second of all producers; without it, as many as are taken.
    pub(crate) rate: Option<f64>,
    pub(crate) batch_records: u64,
    pub(crate) acks: i16,
    pub(crate) idempotent: bool,
    pub(crate) in_flight: usize,
    pub(crate) compression: Compression,
    pub(crate) read_every: Duration,
    pub(crate) unavailable_max: Duration,
    pub(crate) format: Format,
}

pub(crate) struct Shared {
    pub(crate) settings: Settings,
    began: Instant,
    checker: Mutex<Checker>,
    pub(crate) outages: Mutex<Outages>,
    /// Records that producers took upon themselves.
    taken: AtomicU64,
    /// Batches that were sent more than once.
    pub(crate) retries: AtomicU64,
    pub(crate) readings: AtomicU64,
    pub(crate) disturbances: AtomicU64,
    /// No new records.
    stopping: AtomicBool,
    /// No more reading beside production.
    pub(crate) produced: AtomicBool,
    failure: Mutex<Option<String>>,
    failed: AtomicBool,
}

impl Shared {
    pub(crate) fn new(settings: Settings, checker: Checker) -> Self {
        Self {
            settings,
            began: Instant::now(),
            checker: Mutex::new(checker),
            outages: Mutex::default(),
            taken: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            readings: AtomicU64::new(0),
            disturbances: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
            produced: AtomicBool::new(false),
            failure: Mutex::default(),
            failed: AtomicBool::new(false),
        }
    }

    /// Time since the run began.
    pub(crate) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn checker(&self) -> MutexGuard<'_, Checker> {
        self.checker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes up to `wanted` records of those that are left to write.
    pub(crate) fn take_records(&self, wanted: u64) -> u64 {
        if self.is_stopping() {
            return 0;
        }
        let limit = self.settings.records;
        let take = |taken: u64| Some(taken + wanted.min(limit - taken.min(limit)));
        let before = self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).unwrap_or(limit);
        wanted.min(limit - before.min(limit))
    }

    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Acquire)
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// The first failure ends the run; the others follow from it.
    pub(crate) fn fail(&self, why: String) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        self.failed.store(true, Ordering::Release);
        self.stop();
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    pub(crate) fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Growing pauses between attempts.
#[derive(Default, Debug)]
pub(crate) struct Backoff(u32);

const PAUSE_FIRST: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_millis(500);

impl Backoff {
    pub(crate) fn pause(&mut self) {
        std::thread::sleep((PAUSE_FIRST * 2u32.saturating_pow(self.0)).min(PAUSE_MAX));
        self.0 = (self.0 + 1).min(10);
    }

    pub(crate) const fn reset(&mut self) {
        self.0 = 0;
    }
}
