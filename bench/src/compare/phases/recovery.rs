//! How long a broker with data takes until it serves and until it takes a record: after a clean stop, and after kill -9
//! under load.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::compare::admin::await_acknowledged;
use crate::compare::load;
use crate::compare::process::Process;
use crate::compare::scenario::plain;
use crate::compare::session::Session;
use crate::host::now_s;

const UNDER_LOAD: Duration = Duration::from_secs(3);
const ACKNOWLEDGED: Duration = Duration::from_secs(120);
/// Records of 1 KiB per second while it is killed.
const RATE: u64 = 10_000;

pub(super) fn run(session: &mut Session<'_>) -> Result<()> {
    let mib = session.bench.sizes.recovery_mib;
    session.create("recovery", 6, &[])?;
    session.fill("recovery", mib * 1024, &plain(1024, None))?;
    session.restart()?;
    row(session, "start with data", &format!("{mib} MiB in 6 partitions, after SIGTERM"))?;

    let scenario = {
        let mut scenario = session.scenario("recovery", "recovery", plain(1024, Some(RATE)));
        scenario.duration_s = 60;
        scenario
    };
    let file = session.run_file("recovery");
    let mut command: Command = load::command(session, &scenario, &file)?;
    let mut load = Process::start(&mut command, "the load", &file.with_extension("log"))?;
    session.bench.interrupt.sleep(UNDER_LOAD)?;
    session.broker.check()?;
    anyhow::ensure!(load.alive(), "{}", load.obituary());
    session.broker.kill()?;
    load.kill()?;
    session.broker.start_again(&session.bench.programs, &session.bench.interrupt)?;
    row(session, "recovery", &format!("{mib} MiB in 6 partitions, kill -9 under {RATE} records/s"))
}

fn row(session: &mut Session<'_>, phase: &str, case: &str) -> Result<()> {
    let topic = session.topic("recovery");
    let outcome = await_acknowledged(&session.broker.bootstrap, &topic, ACKNOWLEDGED, &session.bench.interrupt);
    let acknowledged_ms = (now_s() - session.broker.started_s) * 1000.0;
    session.explain(outcome).with_context(|| format!("after {:.0} ms", acknowledged_ms))?;
    let metrics =
        vec![("ready_ms".to_owned(), session.broker.ready_ms), ("acknowledged_ms".to_owned(), acknowledged_ms)];
    session.row(phase, case, metrics)
}
