//! Kafka's own performance tools, as clients that know nothing of this program. Their throughput is mostly the client's:
//! what they say of a broker is its processor time per record.

use std::time::Duration;

use anyhow::{Context, Result};

use super::{Phase, left_out};
use crate::compare::launch::tool;
use crate::compare::load::cost;
use crate::compare::results::Metrics;
use crate::compare::session::Session;

const LIMIT: Duration = Duration::from_secs(600);

pub(super) fn run(session: &mut Session<'_>) -> Result<()> {
    if session.bench.programs.kafka_version().is_none() {
        return left_out(session, Phase::Java, "there are no jars of Kafka");
    }
    session.warm_up()?;
    let records = session.bench.sizes.java_records;
    let large = if session.is_durable() { session.bench.sizes.java_durable_records } else { records };
    session.create("java-1k", 6, &[])?;
    let metrics = produce(session, "java-1k", large, 1024, &[])?;
    session.row("java produce", "1 KiB, 6 partitions, acks=all", metrics)?;
    if session.is_durable() {
        // What follows does not depend on it, or would take minutes.
        return Ok(());
    }
    session.create("java-small", 100, &[])?;
    let metrics = produce(session, "java-small", records, 100, &["linger.ms=0"])?;
    session.row("java small", "100 B, 100 partitions, linger.ms=0, acks=all", metrics)?;
    let metrics = consume(session, "java-1k", large)?;
    session.row("java consume", "1 KiB, 6 partitions, just written", metrics)?;
    from_device(session, large)
}

/// A broker that has just started reads another topic first, so that it is not its compilers that are measured.
fn from_device(session: &mut Session<'_>, records: u64) -> Result<()> {
    if session.system.kind().is_none() || !rustix::process::geteuid().is_root() {
        return left_out(
            session,
            Phase::Java,
            "reading from the device: only root can drop caches, and only of brokers started here",
        );
    }
    session.restart()?;
    consume(session, "warm", session.bench.sizes.warm_records)?;
    rustix::fs::sync();
    std::fs::write("/proc/sys/vm/drop_caches", "3").context("cannot drop caches")?;
    let metrics = consume(session, "java-1k", records)?;
    session.row("java consume", "1 KiB, 6 partitions, after a restart, caches dropped", metrics)
}

fn produce(session: &mut Session<'_>, topic: &str, records: u64, size: u64, properties: &[&str]) -> Result<Metrics> {
    let class = "org.apache.kafka.tools.ProducerPerformance";
    let mut command = tool(&session.bench.programs, &session.bench.out, class)?;
    command.args(["--bootstrap-server", &session.broker.bootstrap, "--topic", &session.topic(topic)]);
    command.args(["--num-records", &records.to_string(), "--record-size", &size.to_string()]);
    command.args(["--throughput", "-1", "--reporting-interval", "600000", "--command-property", "acks=all"]);
    command.args(properties.iter().flat_map(|property| ["--command-property", property]));
    session.settle()?;
    let (text, samples) = session.beside(&mut command, "kafka-producer-perf-test", LIMIT)?.successful()?;
    let mut metrics = produced(&text).with_context(|| format!("kafka-producer-perf-test printed no result: {text}"))?;
    #[expect(clippy::cast_precision_loss, reason = "numbers of records and bytes")]
    metrics.extend(cost(&samples.whole(), records as f64, (records * size) as f64));
    Ok(metrics)
}

fn consume(session: &mut Session<'_>, topic: &str, records: u64) -> Result<Metrics> {
    let class = "org.apache.kafka.tools.ConsumerPerformance";
    let mut command = tool(&session.bench.programs, &session.bench.out, class)?;
    command.args(["--bootstrap-server", &session.broker.bootstrap, "--topic", &session.topic(topic)]);
    command.args(["--num-records", &records.to_string(), "--timeout", "60000"]);
    session.settle()?;
    let (text, samples) = session.beside(&mut command, "kafka-consumer-perf-test", LIMIT)?.successful()?;
    let mut metrics = consumed(&text).with_context(|| format!("kafka-consumer-perf-test printed no result: {text}"))?;
    #[expect(clippy::cast_precision_loss, reason = "a number of records")]
    metrics.extend(cost(&samples.whole(), records as f64, 0.0));
    Ok(metrics)
}

/// Of `500000 records sent, 104341.2 records/sec (101.90 MB/sec), 240.1 ms avg latency, …, 244 ms 50th, …, 386 ms 99th, …`.
fn produced(text: &str) -> Option<Metrics> {
    let line = text.lines().rev().find(|line| line.contains("99.9th"))?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let before = |word: &str, back: usize| {
        let at = words.iter().position(|found| found.trim_end_matches([',', '.']) == word)?;
        words.get(at.checked_sub(back)?)?.trim_start_matches('(').parse::<f64>().ok()
    };
    let figures = [
        ("records_s", before("records/sec", 1)?),
        ("mb_s", before("MB/sec)", 1)?),
        ("p50_ms", before("50th", 2)?),
        ("p99_ms", before("99th", 2)?),
    ];
    Some(figures.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect())
}

/// Of start, end, MB, MB/s, records, records/s, rebalance ms, fetch ms, fetch MB/s, fetch records/s.
fn consumed(text: &str) -> Option<Metrics> {
    let line = text.lines().find(|line| line.starts_with("20"))?;
    let fields: Vec<&str> = line.split(',').map(str::trim).collect();
    let field = |at: usize| fields.get(at)?.parse::<f64>().ok();
    let figures = [
        ("records", field(4)?),
        ("fetch_records_s", field(9)?),
        ("fetch_mb_s", field(8)?),
        ("run_records_s", field(5)?),
    ];
    Some(figures.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn figures(metrics: Metrics) -> Vec<f64> {
        metrics.into_iter().map(|(_, value)| value).collect()
    }

    #[test]
    fn what_the_tools_print_is_read() {
        let text = "500000 records sent, 104341.2 records/sec (101.90 MB/sec), 240.10 ms avg latency, 400.00 ms max latency, \
                    244 ms 50th, 350 ms 95th, 386 ms 99th, 399 ms 99.9th.\n";
        assert_eq!(figures(produced(text).unwrap()), [104_341.2, 101.9, 244.0, 386.0]);
        let text = "start.time, end.time, …\n2026-01-01 00:00:00:000, 2026-01-01 00:00:05:000, 488.2813, 96.0, 500000, \
                    98309.5, 3400, 1339, 364.6, 373413.0\n";
        assert_eq!(figures(consumed(text).unwrap()), [500_000.0, 373_413.0, 364.6, 98_309.5]);
        assert!(produced("it failed").is_none() && consumed("").is_none());
    }
}
