//! What `tail` measures, while another consumer reads the same topic from its beginning, over and over.

use anyhow::Result;

use super::tail;
use crate::compare::scenario::{one_reader, plain};
use crate::compare::session::Session;
use crate::result::Role;

pub(super) fn run(session: &mut Session<'_>) -> Result<()> {
    session.warm_up()?;
    session.create("catch-up", 6, &[])?;
    let (mib, rate) = (session.bench.sizes.catch_up_mib, session.bench.sizes.tail_rate);
    session.fill("catch-up", mib * 1024, &plain(1024, None))?;
    let mut scenario = session.scenario("catch-up", "catch-up", plain(1024, Some(rate)));
    (scenario.tail, scenario.catch_up) = (Some(one_reader()), Some(one_reader()));
    let done = session.load(&scenario)?;
    let mut metrics = done.throughput(Role::CatchUp, "read_");
    metrics.extend(tail::metrics(&done));
    let case = format!("{mib} MiB read from the beginning beside {rate} records/s of 1 KiB, 6 partitions");
    session.row("catch-up", &case, metrics)
}
