//! What many partitions cost beside one: the same load of keyed records over ever more of them, on one broker.

use anyhow::{Context, Result};

use super::latency;
use crate::compare::meter::rss_mib;
use crate::compare::results::{Metrics, Side};
use crate::compare::scenario::keyed;
use crate::compare::session::Session;
use crate::result::Role;

pub(super) fn run(session: &mut Session<'_>) -> Result<()> {
    session.warm_up()?;
    let counts = session.bench.sizes.partitions.clone();
    for count in &counts {
        step(session, *count, counts.first() == Some(count))?;
    }
    if session.system.kind().is_some() {
        restarts(session, counts.iter().sum())?;
    }
    Ok(())
}

fn step(session: &mut Session<'_>, count: u64, is_base: bool) -> Result<()> {
    let topic = format!("partitions-{count}");
    let created = session.create(&topic, count, &[])?;
    let rate = session.bench.sizes.partitions_rate;
    let scenario = session.scenario(&topic, &topic, keyed(100, Some(rate)));
    let done = session.load(&scenario)?;
    let mut metrics: Metrics = vec![("create_ms".to_owned(), created.as_secs_f64() * 1000.0)];
    metrics.extend(done.latency(Role::Produce, "latency", ""));
    metrics.extend(done.refused());
    metrics.extend(done.cost());
    let load = format!("{rate} records/s of 100 B with keys");
    session.row("partitions", &format!("{count}, {load}"), metrics.clone())?;
    let name = session.system.name.clone();
    let flat = format!("{name}, {load}");
    // Above the line what many cost, below it what one did.
    let side = if is_base { Side::Theirs } else { Side::Ours };
    session.row_of("cost by partitions", &flat, &partitions_of(count), side, metrics)?;
    for (which, said) in [("0", "one of "), ("all", "over all ")] {
        if is_base && which == "all" {
            continue;
        }
        let metrics = latency::measure(session, &topic, which)?;
        let case = format!("{name}, 100 B, one at a time, acks=all");
        session.row_of("latency by partitions", &case, &format!("{said}{count}"), side, metrics)?;
    }
    Ok(())
}

fn partitions_of(count: u64) -> String {
    if count == 1 { "1 partition".to_owned() } else { format!("{count} partitions") }
}

/// How long the broker with all of them takes until it serves again.
fn restarts(session: &mut Session<'_>, count: u64) -> Result<()> {
    for kill in [false, true] {
        if kill {
            session.broker.kill()?;
        }
        session.restart()?;
        let rss = rss_mib(session.pid()?).context("the broker's memory cannot be read")?;
        let metrics = vec![("ready_ms".to_owned(), session.broker.ready_ms), ("rss_mib".to_owned(), rss)];
        let how = if kill { "kill -9" } else { "SIGTERM" };
        session.row("partitions restart", &format!("{count} partitions, after {how}"), metrics)?;
    }
    Ok(())
}
