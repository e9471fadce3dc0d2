//! Consumers beside the producers: at the tail, and from the beginning.

use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Result, bail};

use super::shared::Shared;
use super::topics::Cluster;

/// Starts the consumers that `[tail]` and `[catch_up]` of the scenario ask for, a thread each.
///
/// It is called before the run begins and returns when those at the tail know the end of each of their partitions, so that
/// nothing which is produced then escapes them. The threads wait for [`Shared::await_beginning`]. Those that catch up
/// begin to read at `plan.measured_ns()`. Each thread has a [`Meter`](super::recorder::Meter) from
/// `shared.recorder.meter(Role::Tail)` or `Role::CatchUp` and notes there what each answer held:
/// `tally.at(now_ns, counts_ns)` before the records, with the moment a record was due as `counts_ns` for the end-to-end
/// latency and `now_ns` for everything else; the indices of latencies are those of
/// [`latencies`](super::recorder::latencies).
///
/// They end when [`Shared::is_producing`] does: those at the tail once they have read what was written by then (within a
/// limit of their own), those that catch up at once; and when [`Shared::has_failed`]. What fails in a thread it gives to
/// [`Shared::fail`].
pub(super) fn start(shared: &Arc<Shared>, _cluster: &Arc<Cluster>) -> Result<Vec<JoinHandle<()>>> {
    if shared.scenario.tail.is_some() || shared.scenario.catch_up.is_some() {
        bail!("consumers ([tail] and [catch_up]) are not there yet: leave them out of the scenario");
    }
    Ok(Vec::new())
}
