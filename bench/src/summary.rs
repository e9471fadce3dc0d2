//! Durations gathered into a histogram, and the few figures that are printed of it.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use hdrhistogram::Histogram;
use serde::Serialize;

use crate::result::micros;

/// Nothing measured here takes longer; what does counts as this much.
const LONGEST_NS: u64 = 600_000_000_000;

/// How results are printed.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct Output {
    /// One JSON object per measurement
    #[arg(long, conflicts_with = "tsv")]
    json: bool,
    /// One line of tab-separated key=value pairs per measurement
    #[arg(long)]
    tsv: bool,
}

impl Output {
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    pub(crate) fn is_tsv(self) -> bool {
        self.tsv
    }
}

/// Durations in nanoseconds, three digits exact.
pub(crate) struct Timings(Histogram<u64>);

impl Timings {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(Histogram::new_with_bounds(1, LONGEST_NS, 3)?))
    }

    pub(crate) fn record(&mut self, took: Duration) {
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(LONGEST_NS);
        self.0.saturating_record(nanoseconds.max(1));
    }

    pub(crate) fn summary(&self, what: impl Into<String>) -> Summary {
        let at = |quantile| micros(self.0.value_at_quantile(quantile));
        Summary {
            what: what.into(),
            count: self.0.len(),
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: micros(self.0.max()),
        }
    }
}

/// One measurement; all durations in microseconds.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) what: String,
    pub(crate) count: u64,
    pub(crate) p50_us: f64,
    pub(crate) p90_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
    pub(crate) max_us: f64,
}

pub(crate) fn print(output: Output, summaries: &[Summary]) -> Result<()> {
    if output.json {
        for summary in summaries {
            println!("{}", serde_json::to_string(summary)?);
        }
        return Ok(());
    }
    if !output.tsv {
        println!("{:<44} {:>8} {:>9} {:>9} {:>9} {:>9} {:>9}", "µs", "count", "p50", "p90", "p99", "p99.9", "max");
    }
    for s in summaries {
        if output.tsv {
            println!(
                "what={}\tcount={}\tp50_us={}\tp90_us={}\tp99_us={}\tp999_us={}\tmax_us={}",
                s.what, s.count, s.p50_us, s.p90_us, s.p99_us, s.p999_us, s.max_us
            );
        } else {
            println!(
                "{:<44} {:>8} {:>9.1} {:>9.1} {:>9.1} {:>9.1} {:>9.1}",
                s.what, s.count, s.p50_us, s.p90_us, s.p99_us, s.p999_us, s.max_us
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn percentiles_are_of_what_was_recorded() {
        let mut timings = Timings::new().unwrap();
        for microseconds in 1..=1000 {
            timings.record(Duration::from_micros(microseconds));
        }
        let summary = timings.summary("x");
        assert_eq!(summary.count, 1000);
        assert!((summary.p50_us - 500.0).abs() < 1.0, "{summary:?}");
        assert!((summary.p99_us - 990.0).abs() < 2.0, "{summary:?}");
        assert!((summary.max_us - 1000.0).abs() < 2.0, "{summary:?}");
    }

    #[test]
    fn absurdly_long_durations_count_as_the_longest() {
        let mut timings = Timings::new().unwrap();
        timings.record(Duration::MAX);
        assert_eq!(timings.summary("x").count, 1);
    }
}
