//! One run of the load generator, and what it says about the broker: the same generator for every broker.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::meter::Usage;
use super::plots;
use super::results::Metrics;
use super::session::Session;
use crate::load::scenario::Scenario;
use crate::result::{Flow, Role, RunResult};

/// Beyond its warm-up and its duration, for connecting and for answers that are late.
pub(super) const EXTRA: Duration = Duration::from_secs(120);

/// What a load is called that only writes what others read.
pub(super) const FILL: &str = "fill";

/// What a load measured, and what it cost.
pub(super) struct Measured {
    flows: Vec<Flow>,
    seconds: f64,
    pub(super) usage: Usage,
}

/// Runs it. The whole result is kept in a file, for plots.
pub(super) fn run(session: &mut Session<'_>, scenario: &Scenario) -> Result<Measured> {
    let keep = session.run_file(&scenario.name);
    let (file, result) = (keep.with_extension("toml"), keep.with_extension("json"));
    let mut command = command(session, scenario, &file)?;
    let limit = Duration::from_secs(scenario.warmup_s + scenario.duration_s) + EXTRA;
    let watched = session.beside(&mut command, &scenario.name, limit)?;
    // Also of a load that broke off there is something to keep.
    if !watched.text.is_empty() {
        std::fs::write(&result, &watched.text).with_context(|| format!("cannot write {}", result.display()))?;
    }
    let (text, samples) = watched.successful()?;
    let result: RunResult = serde_json::from_str(&text).context("what the load generator printed cannot be read")?;
    if let Some(failure) = result.failure {
        bail!("{}: {failure}", scenario.name);
    }
    if session.rep == plots::REPETITION && scenario.name != FILL {
        session.bench.plots.add(&scenario.name, &session.system.name, result.clone());
    }
    let step = result.steps.into_iter().next_back().context("the load generator measured nothing")?;
    let acknowledged = step.flows.iter().any(|flow| flow.role == Role::Produce && flow.records > 0);
    ensure!(
        acknowledged,
        "{}: no record was acknowledged in the {:.1} s that were measured",
        scenario.name,
        step.measured_s
    );
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 and seconds of a run")]
    let begin_s = result.began_ms as f64 / 1000.0 + scenario.warmup_s as f64;
    let usage = samples.between(begin_s, begin_s + step.measured_s);
    Ok(Measured { flows: step.flows, seconds: step.measured_s, usage })
}

/// The generator's command line for a scenario, which is left in `file`.
pub(super) fn command(session: &Session<'_>, scenario: &Scenario, file: &Path) -> Result<Command> {
    std::fs::write(file, toml::to_string(scenario)?).with_context(|| format!("cannot write {}", file.display()))?;
    let mut command = Command::new(&session.bench.programs.bench);
    command.arg("run").arg(file).arg("--json");
    Ok(command)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
impl Measured {
    pub(super) fn flow(&self, role: Role) -> Option<&Flow> {
        self.flows.iter().find(|flow| flow.role == role)
    }

    pub(super) fn records(&self, role: Role) -> f64 {
        self.flow(role).map_or(0.0, |flow| flow.records as f64)
    }

    pub(super) fn bytes(&self, role: Role) -> f64 {
        self.flow(role).map_or(0.0, |flow| flow.bytes as f64)
    }

    pub(super) fn records_s(&self, role: Role) -> f64 {
        self.records(role) / self.seconds.max(0.001)
    }

    /// Records and megabytes per second.
    pub(super) fn throughput(&self, role: Role, prefix: &str) -> Metrics {
        let mb_s = self.bytes(role) / 1e6 / self.seconds.max(0.001);
        vec![(format!("{prefix}records_s"), self.records_s(role)), (format!("{prefix}mb_s"), mb_s)]
    }

    /// Percentiles in microseconds; nothing when none was measured.
    pub(super) fn latency(&self, role: Role, name: &str, prefix: &str) -> Metrics {
        let latency = self.flow(role).and_then(|flow| flow.latencies.get(name)).filter(|latency| latency.count > 0);
        let Some(latency) = latency else { return Metrics::new() };
        let us = latency.us;
        let figures = [("p50_us", us.p50), ("p99_us", us.p99), ("p999_us", us.p999), ("max_us", us.max)];
        figures.iter().map(|(name, value)| (format!("{prefix}{name}"), *value)).collect()
    }

    /// Records that the broker refused, when there are any.
    pub(super) fn refused(&self) -> Metrics {
        let refused: u64 = self.flows.iter().flat_map(|flow| flow.refused.values()).sum();
        if refused == 0 { Metrics::new() } else { vec![("refused".to_owned(), refused as f64)] }
    }

    /// The broker's processor time per record and byte produced, its memory, and the load beside.
    pub(super) fn cost(&self) -> Metrics {
        cost(&self.usage, self.records(Role::Produce), self.bytes(Role::Produce))
    }
}

/// Of work on so many records and bytes.
pub(super) fn cost(usage: &Usage, records: f64, bytes: f64) -> Metrics {
    let Some(broker) = usage.broker else { return Metrics::new() };
    let mut metrics = Vec::new();
    if records > 0.0 {
        metrics.push(("broker_cpu_s_per_million".to_owned(), broker.cpu_s * 1e6 / records));
    }
    if bytes > 0.0 {
        metrics.push(("broker_cpu_s_per_gb".to_owned(), broker.cpu_s * 1e9 / bytes));
    }
    metrics.push(("rss_mib".to_owned(), broker.rss_mib));
    metrics.push(("others_pct".to_owned(), broker.others_pct));
    if let Some(stalled) = usage.stalled {
        metrics.push(("stalled_pct".to_owned(), stalled.pct));
        metrics.push(("stall_max_ms".to_owned(), stalled.max_ms));
    }
    metrics
}
