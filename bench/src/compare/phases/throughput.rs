//! As many records as a broker takes, and what they cost it: a closed loop.

use anyhow::Result;

use crate::compare::load::Measured;
use crate::compare::results::Metrics;
use crate::compare::scenario::plain;
use crate::compare::session::Session;
use crate::result::Role;

pub(super) fn run(session: &mut Session<'_>) -> Result<()> {
    largest_1k(session)?;
    let done = closed_loop(session, "p100", 100)?;
    let metrics = metrics(&done);
    session.row("throughput", "100 B, 6 partitions, acks=all", metrics)
}

/// The records of 1 KiB per second that the system takes. What was found first holds for the whole comparison, so that
/// all repetitions of `rates` are offered the same.
pub(super) fn maximum(session: &mut Session<'_>) -> Result<f64> {
    match known(session) {
        Some(maximum) => Ok(maximum),
        None => largest_1k(session),
    }
}

fn known(session: &Session<'_>) -> Option<f64> {
    let name = &session.system.name;
    session.bench.maxima.iter().find(|(system, _)| system == name).map(|(_, maximum)| *maximum)
}

fn largest_1k(session: &mut Session<'_>) -> Result<f64> {
    let done = closed_loop(session, "p1k", 1024)?;
    let maximum = done.records_s(Role::Produce);
    if known(session).is_none() {
        session.bench.maxima.push((session.system.name.clone(), maximum));
    }
    let metrics = metrics(&done);
    session.row("throughput", "1 KiB, 6 partitions, acks=all", metrics)?;
    Ok(maximum)
}

fn closed_loop(session: &mut Session<'_>, topic: &str, size: u32) -> Result<Measured> {
    session.warm_up()?;
    session.create(topic, 6, &[])?;
    let scenario = session.scenario(&format!("throughput-{size}"), topic, plain(size, None));
    session.load(&scenario)
}

/// Latency is left out: in a closed loop it is the time that records wait in the client.
pub(super) fn metrics(done: &Measured) -> Metrics {
    let mut metrics = done.throughput(Role::Produce, "");
    metrics.extend(done.refused());
    metrics.extend(done.cost());
    metrics
}
