//! Many small batches with keys: the hard case, since each request touches many partitions a little.

use anyhow::Result;

use super::throughput;
use crate::compare::scenario::keyed;
use crate::compare::session::Session;

pub(super) fn run(session: &mut Session<'_>) -> Result<()> {
    session.warm_up()?;
    for partitions in session.bench.sizes.small_partitions.clone() {
        let topic = format!("small-{partitions}");
        session.create(&topic, partitions, &[])?;
        let scenario = session.scenario(&topic, &topic, keyed(100, None));
        let done = session.load(&scenario)?;
        let case = format!("100 B with keys, {partitions} partitions, linger 0, acks=all");
        session.row("small", &case, throughput::metrics(&done))?;
    }
    Ok(())
}
