//! One record at a time, beside what the device and the loopback interface take in the same minute.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::compare::load::cost;
use crate::compare::process::output;
use crate::compare::results::{Metrics, Side};
use crate::compare::session::Session;

const CASE: &str = "100 B, one at a time, acks=all";
const LIMIT: Duration = Duration::from_secs(200);

/// A line of `latency --json` and `probe --json`; durations in microseconds.
#[derive(Deserialize)]
struct Line {
    what: String,
    count: u64,
    p50_us: f64,
    p90_us: f64,
    p99_us: f64,
    p999_us: f64,
    max_us: f64,
}

impl Line {
    /// As `--tsv` prints it: `name=value`, between tabs.
    fn of_tsv(line: &str) -> Result<Self> {
        let pairs = line.split('\t').filter_map(|pair| pair.split_once('='));
        let typed = |value: &str| value.parse::<serde_json::Number>().map_or_else(|_| value.into(), Into::into);
        let fields: serde_json::Map<_, serde_json::Value> =
            pairs.map(|(name, value)| (name.to_owned(), typed(value))).collect();
        Ok(serde_json::from_value(fields.into())?)
    }

    #[expect(clippy::cast_precision_loss, reason = "a number of records")]
    fn metrics(&self) -> Metrics {
        let figures = [
            ("count", self.count as f64),
            ("p50_us", self.p50_us),
            ("p90_us", self.p90_us),
            ("p99_us", self.p99_us),
            ("p999_us", self.p999_us),
            ("max_us", self.max_us),
        ];
        figures.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
    }
}

pub(super) fn run(session: &mut Session<'_>) -> Result<()> {
    session.warm_up()?;
    session.create("latency", 1, &[])?;
    let metrics = measure(session, "latency", "0")?;
    session.row("latency", CASE, metrics)?;
    if session.broker.dir().is_some() {
        probe(session)?;
    }
    Ok(())
}

/// `partitions`: one, or `all` in turn.
pub(super) fn measure(session: &mut Session<'_>, topic: &str, partitions: &str) -> Result<Metrics> {
    let records = session.bench.sizes.latency_records;
    let mut command = Command::new(&session.bench.programs.bench);
    command.args(["latency", "--size", "100", "--seconds", "120", "--json", "--partitions", partitions]);
    command.args(["--bootstrap", &session.broker.bootstrap, "--topic", &session.topic(topic)]);
    command.args(["--records", &records.to_string(), "--warmup", &(records / 5).to_string()]);
    session.settle()?;
    let (text, samples) = session.beside(&mut command, "latency", LIMIT)?.successful()?;
    let line: Line = serde_json::from_str(&text).context("what `latency` printed cannot be read")?;
    let mut metrics = line.metrics();
    #[expect(clippy::cast_precision_loss, reason = "a number of records")]
    metrics.extend(cost(&samples.whole(), (records + records / 5) as f64, 0.0));
    Ok(metrics)
}

/// The floor must be the device's and not the scheduler's: on a busy machine a thread of ordinary priority that waits for
/// a write gets its core back up to a tick (4 ms) after the write is done, which would flatter every broker beside it.
fn probe(session: &mut Session<'_>) -> Result<()> {
    let records = session.bench.sizes.latency_records.to_string();
    let real_time = Command::new("chrt").args(["-f", "1", "true"]).output().is_ok_and(|done| done.status.success());
    let mut command = if real_time {
        let mut command = Command::new("chrt");
        command.args(["-f", "1"]).arg(&session.bench.programs.bench);
        command
    } else {
        eprintln!("thalweg-bench: no real-time priority for the probe: on a busy machine its figures are too high");
        Command::new(&session.bench.programs.bench)
    };
    command.arg("probe").arg(&session.bench.work);
    command.args(["--writes", &records, "--round-trips", &records, "--tsv"]);
    let text = output(&mut command, "the probe", &session.bench.out, LIMIT, &session.bench.interrupt)?;
    for line in text.lines() {
        let line = Line::of_tsv(line).with_context(|| format!("what `probe` printed cannot be read: {line}"))?;
        session.row_of("latency", CASE, &line.what, Side::Theirs, line.metrics())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_line_of_the_probe_is_read_and_anything_else_is_not() {
        let line = "what=device: 4 KiB\tcount=5\tp50_us=1.5\tp90_us=2\tp99_us=3\tp999_us=4\tmax_us=5";
        let line = Line::of_tsv(line).unwrap();
        assert_eq!(line.what, "device: 4 KiB");
        assert!(line.metrics().iter().any(|(name, value)| name == "p50_us" && (*value - 1.5).abs() < 1e-9));
        assert!(Line::of_tsv("device: 4 KiB 5").is_err());
    }
}
