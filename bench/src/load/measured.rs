//! What a run has measured: latencies, counts, and errors by name.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use hdrhistogram::Histogram;

/// Nothing counts as longer.
const LONGEST_NS: u64 = 3_600_000_000_000;

/// Of one connection, or of all of them together.
pub(crate) struct Measured {
    /// From the moment a record was due until it was acknowledged, in nanoseconds.
    pub(crate) latency: Histogram<u64>,
    /// From the moment its request was sent.
    pub(crate) service: Histogram<u64>,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    /// Records refused, by the broker's error.
    pub(crate) errors: BTreeMap<String, u64>,
}

impl Measured {
    pub(crate) fn new() -> Result<Self> {
        let histogram = || Histogram::new_with_bounds(1, LONGEST_NS, 3);
        Ok(Self { latency: histogram()?, service: histogram()?, records: 0, bytes: 0, errors: BTreeMap::new() })
    }

    pub(crate) fn acknowledged(&mut self, latency: Duration, service: Duration, bytes: u64) {
        self.latency.saturating_record(nanoseconds(latency));
        self.service.saturating_record(nanoseconds(service));
        self.records += 1;
        self.bytes += bytes;
    }

    pub(crate) fn refused(&mut self, error: &str, records: u64) {
        *self.errors.entry(error.to_owned()).or_default() += records;
    }

    pub(crate) fn refused_records(&self) -> u64 {
        self.errors.values().sum()
    }

    pub(crate) fn add(&mut self, other: &Self) -> Result<()> {
        self.latency.add(&other.latency)?;
        self.service.add(&other.service)?;
        self.records += other.records;
        self.bytes += other.bytes;
        for (error, records) in &other.errors {
            self.refused(error, *records);
        }
        Ok(())
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(LONGEST_NS).max(1)
}
