//! What a run found, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use serde::Serialize;

use super::measured::Measured;

/// Durations in microseconds.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub(super) struct Percentiles {
    pub(super) mean: f64,
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) p999: f64,
    pub(super) p9999: f64,
    pub(super) max: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Records per second that were asked for; none in a closed loop.
    pub(super) offered_records_s: Option<u64>,
    pub(super) measured_s: f64,
    pub(super) records: u64,
    pub(super) records_s: f64,
    pub(super) mb_s: f64,
    /// From when a record was due.
    pub(super) latency_us: Percentiles,
    /// From when its request was sent.
    pub(super) service_us: Percentiles,
    pub(super) refused: BTreeMap<String, u64>,
    #[serde(skip)]
    hgrm: String,
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
impl Report {
    pub(super) fn new(offered: Option<u64>, ran: Duration, measured: &Measured) -> Self {
        let seconds = ran.as_secs_f64();
        let per_second = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        Self {
            offered_records_s: offered,
            measured_s: seconds,
            records: measured.records,
            records_s: per_second(measured.records),
            mb_s: per_second(measured.bytes) / 1e6,
            latency_us: percentiles(&measured.latency),
            service_us: percentiles(&measured.service),
            refused: measured.errors.clone(),
            hgrm: hgrm(&measured.latency),
        }
    }

    pub(super) fn print(&self, json: bool, hgrm: Option<&Path>) -> Result<()> {
        if let Some(path) = hgrm {
            std::fs::write(path, &self.hgrm).with_context(|| format!("cannot write {}", path.display()))?;
        }
        if json {
            println!("{}", serde_json::to_string(self)?);
        } else {
            print!("{}", self.text());
        }
        Ok(())
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let offered =
            self.offered_records_s.map_or("as many as it takes".to_owned(), |rate| format!("{rate} records/s"));
        let _ = writeln!(text, "offered   {offered}, for {:.1} s", self.measured_s);
        let _ = writeln!(
            text,
            "taken     {} records, {:.0} records/s, {:.2} MB/s",
            self.records, self.records_s, self.mb_s
        );
        let _ = writeln!(
            text,
            "{:<9} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}",
            "µs", "p50", "p90", "p99", "p99.9", "p99.99", "max"
        );
        for (name, of) in [("latency", self.latency_us), ("service", self.service_us)] {
            let Percentiles { p50, p90, p99, p999, p9999, max, .. } = of;
            let _ =
                writeln!(text, "{name:<9} {p50:>10.1} {p90:>10.1} {p99:>10.1} {p999:>10.1} {p9999:>10.1} {max:>10.1}");
        }
        for (error, records) in &self.refused {
            let _ = writeln!(text, "refused   {records} records: {error}");
        }
        text
    }
}

#[expect(clippy::cast_precision_loss, reason = "an hour in nanoseconds is far below 2^53")]
fn micros(nanoseconds: u64) -> f64 {
    (nanoseconds as f64 / 100.0).round() / 10.0
}

fn percentiles(of: &Histogram<u64>) -> Percentiles {
    let at = |quantile| micros(of.value_at_quantile(quantile));
    Percentiles {
        mean: (of.mean() / 100.0).round() / 10.0,
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        p9999: at(0.9999),
        max: micros(of.max()),
    }
}

/// The percentile distribution as HdrHistogram's own tools print and plot it, in microseconds.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn hgrm(of: &Histogram<u64>) -> String {
    let mut text = format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    for step in of.iter_quantiles(5) {
        let (value, quantile) = (step.value_iterated_to() as f64 / 1000.0, step.quantile_iterated_to());
        let count = of.count_between(0, step.value_iterated_to());
        let _ = if quantile < 1.0 {
            writeln!(text, "{value:>12.3} {quantile:>14.12} {count:>10} {:>14.2}", 1.0 / (1.0 - quantile))
        } else {
            writeln!(text, "{value:>12.3} {quantile:>14.12} {count:>10}")
        };
    }
    let (mean, deviation) = (of.mean() / 1000.0, of.stdev() / 1000.0);
    let _ = writeln!(text, "#[Mean    = {mean:>12.3}, StdDeviation   = {deviation:>12.3}]");
    let _ = writeln!(text, "#[Max     = {:>12.3}, Total count    = {:>12}]", of.max() as f64 / 1000.0, of.len());
    let _ = writeln!(text, "#[Buckets = {:>12}, SubBuckets     = {:>12}]", of.buckets(), 2048);
    text
}
