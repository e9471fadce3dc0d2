//! One record at a time, beside what the device and the loopback interface take in the same minute.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::compare::load::cost;
use crate::compare::process::output;
use crate::compare::results::{Metrics, Side};
use crate::compare::session::Session;
use crate::compare::stalls::real_time;

const CASE: &str = "100 B, one at a time, acks=all";
const LIMIT: Duration = Duration::from_secs(200);

/// What a line of `latency --tsv` and `probe --tsv` is of, and its figures; durations in microseconds.
fn figures(line: &str) -> Option<(String, Metrics)> {
    let mut fields = line.split('\t').map(|field| field.split_once('='));
    let ("what", what) = fields.next()?? else { return None };
    let figure =
        |field: Option<(&str, &str)>| field.and_then(|(name, value)| Some((name.to_owned(), value.parse().ok()?)));
    Some((what.to_owned(), fields.map(figure).collect::<Option<Metrics>>()?))
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
    command.args(["latency", "--size", "100", "--seconds", "120", "--tsv", "--partitions", partitions]);
    command.args(["--bootstrap", &session.broker.bootstrap, "--topic", &session.topic(topic)]);
    command.args(["--records", &records.to_string(), "--warmup", &(records / 5).to_string()]);
    session.settle()?;
    let (text, samples) = session.beside(&mut command, "latency", LIMIT)?.successful()?;
    let (_, mut metrics) =
        figures(text.trim()).with_context(|| format!("what `latency` printed cannot be read: {text}"))?;
    #[expect(clippy::cast_precision_loss, reason = "a number of records")]
    metrics.extend(cost(&samples.whole(), (records + records / 5) as f64, 0.0));
    Ok(metrics)
}

/// The floor must be the device's and not the scheduler's: on a busy machine a thread of ordinary priority that waits for
/// a write gets its core back up to a tick (4 ms) after the write is done, which would flatter every broker beside it.
fn probe(session: &mut Session<'_>) -> Result<()> {
    let records = session.bench.sizes.latency_records.to_string();
    let program = &session.bench.programs.bench;
    let mut command = real_time(program).unwrap_or_else(|| {
        eprintln!("thalweg-bench: no real-time priority for the probe: on a busy machine its figures are too high");
        Command::new(program)
    });
    command.arg("probe").arg(&session.bench.work);
    command.args(["--writes", &records, "--round-trips", &records, "--tsv"]);
    let text = output(&mut command, "the probe", &session.bench.out, LIMIT, &session.bench.interrupt)?;
    for line in text.lines() {
        let (what, metrics) = figures(line).with_context(|| format!("what `probe` printed cannot be read: {line}"))?;
        session.row_of("latency", CASE, &what, Side::Theirs, metrics)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    #[test]
    fn a_line_of_figures_is_read() {
        let (what, figures) = super::figures("what=a b\tcount=10\tp50_us=1.5").unwrap();
        assert_eq!(what, "a b");
        assert_eq!(figures, [("count".to_owned(), 10.0), ("p50_us".to_owned(), 1.5)]);
        assert!(super::figures("").is_none() && super::figures("what=a\tcount=x").is_none());
    }
}
