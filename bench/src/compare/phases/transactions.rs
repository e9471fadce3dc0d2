//! What a transaction costs: its commit, and the way of its records to a consumer that reads only what is committed.

use anyhow::Result;

use crate::compare::results::Metrics;
use crate::compare::scenario::{one_reader, plain};
use crate::compare::session::Session;
use crate::load::scenario::{Consume, Produce};
use crate::result::Role;

/// Of each producer's transactions, which also end after [`LENGTH_MS`].
const RECORDS: u64 = 100;
const LENGTH_MS: u64 = 20;

pub(super) fn run(session: &mut Session<'_>) -> Result<()> {
    session.warm_up()?;
    session.create("transactions", 6, &[])?;
    let rate = session.bench.sizes.tail_rate;
    let produce = Produce {
        idempotent: true,
        transactional: true,
        transaction_records: RECORDS,
        transaction_ms: LENGTH_MS,
        ..plain(1024, Some(rate))
    };
    let mut scenario = session.scenario("transactions", "transactions", produce);
    scenario.tail = Some(Consume { read_committed: true, ..one_reader() });
    let done = session.load(&scenario)?;
    let mut metrics: Metrics = done.latency(Role::Produce, "commit", "commit_");
    metrics.extend(done.latency(Role::Produce, "latency", "produce_"));
    metrics.extend(done.latency(Role::Tail, "end_to_end", "tail_"));
    metrics.extend(done.throughput(Role::Produce, ""));
    metrics.extend(done.refused());
    metrics.extend(done.cost());
    let case = format!("1 KiB, 6 partitions, {RECORDS} records or {LENGTH_MS} ms each, {rate} records/s");
    session.row("transactions", &case, metrics)
}
