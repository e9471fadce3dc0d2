//! From producer to consumer at a moderate fixed rate.

use anyhow::Result;

use crate::compare::load::Measured;
use crate::compare::results::Metrics;
use crate::compare::scenario::{one_reader, plain};
use crate::compare::session::Session;
use crate::result::Role;

pub(super) fn run(session: &mut Session<'_>) -> Result<()> {
    session.warm_up()?;
    session.create("tail", 6, &[])?;
    let rate = session.bench.sizes.tail_rate;
    let mut scenario = session.scenario("tail", "tail", plain(1024, Some(rate)));
    scenario.tail = Some(one_reader());
    let done = session.load(&scenario)?;
    session.row("tail", &format!("1 KiB, 6 partitions, acks=all, {rate} records/s"), metrics(&done))
}

pub(super) fn metrics(done: &Measured) -> Metrics {
    let mut metrics = done.latency(Role::Tail, "end_to_end", "tail_");
    metrics.extend(done.latency(Role::Produce, "latency", "produce_"));
    metrics.extend(done.throughput(Role::Tail, "tail_"));
    metrics.extend(done.refused());
    metrics.extend(done.cost());
    metrics
}
