//! What all threads of a run share: its settings, its clock, what was measured, and what went wrong.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use thalweg_protocol::messages::ProduceResponse;
use thalweg_protocol::records::Compression;

use super::lane::InFlight;
use super::measured::Measured;
use crate::client::cluster::error_name;

/// To which partition the next record goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Spread {
    /// The next one after each record: many small batches
    Record,
    /// The same one until its batch is full, as Kafka's producer does without keys
    Batch,
}

/// What is asked of a run.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) topic: String,
    /// Records have a moment at which they are due.
    pub(super) open_loop: bool,
    pub(super) acks: i16,
    pub(super) size: usize,
    pub(super) compressible: u8,
    pub(super) compression: Compression,
    pub(super) keys: bool,
    pub(super) spread: Spread,
    pub(super) batch_bytes: usize,
    pub(super) linger: Duration,
    pub(super) in_flight: usize,
    pub(super) buffer_bytes: usize,
    pub(super) warmup: Duration,
    /// Of what is measured, behind the warm-up.
    pub(super) duration: Duration,
}

impl Settings {
    pub(super) fn end(&self) -> Duration {
        self.warmup + self.duration
    }
}

pub(super) struct Shared {
    pub(super) settings: Settings,
    began: Instant,
    pub(super) measured: Mutex<Measured>,
    failure: Mutex<Option<anyhow::Error>>,
    failed: AtomicBool,
}

impl Shared {
    pub(super) fn new(settings: Settings) -> Result<Self> {
        Ok(Self {
            settings,
            began: Instant::now(),
            measured: Mutex::new(Measured::new()?),
            failure: Mutex::default(),
            failed: AtomicBool::new(false),
        })
    }

    /// Time since the run began.
    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// The first failure ends the run; the others follow from it.
    pub(super) fn fail(&self, error: anyhow::Error) {
        self.failed.store(true, Ordering::Release);
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    pub(super) fn take_failure(&self) -> Option<anyhow::Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// In an open loop what counts is what was due behind the warm-up, however late it is acknowledged; in a closed loop
    /// what is acknowledged between its end and the end of the run.
    pub(super) fn account(&self, request: InFlight, answer: &ProduceResponse, now: Duration) -> Result<()> {
        let mut measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        let InFlight { sent, mut batches, .. } = request;
        let partitions = answer.responses.iter().flat_map(|topic| &topic.partition_responses);
        for partition in partitions {
            let Some(batch) = batches.remove(&partition.index) else { continue };
            let settings = &self.settings;
            let in_time = settings.open_loop || (settings.warmup..settings.end()).contains(&now);
            let due = batch.due.iter().filter(|due| in_time && (!settings.open_loop || **due >= settings.warmup));
            match error_name(partition.error_code) {
                None => {
                    let bytes = batch.value_bytes / batch.due.len().max(1) as u64;
                    due.for_each(|due| measured.acknowledged(now.saturating_sub(*due), now - sent, bytes));
                }
                Some(error) => measured.refused(&error, due.count() as u64),
            }
        }
        let unanswered: usize = batches.values().map(|batch| batch.due.len()).sum();
        if unanswered > 0 {
            measured.refused("no answer for the partition", unanswered as u64);
        }
        Ok(())
    }
}
