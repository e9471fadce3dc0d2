//! Memory and processor time of a broker that no client has ever asked.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::compare::meter::{cpu_s, rss_mib};
use crate::compare::session::Session;

const SETTLE: Duration = Duration::from_secs(5);

pub(super) fn run(session: &mut Session<'_>) -> Result<()> {
    let pid = session.pid()?;
    session.broker.check()?;
    let cpu = || cpu_s(pid).context("the broker's processor time cannot be read");
    let sizes = &session.bench.sizes;
    session.bench.interrupt.sleep(SETTLE.min(Duration::from_secs(sizes.idle_s)))?;
    let (before, began) = (cpu()?, std::time::Instant::now());
    session.bench.interrupt.sleep(Duration::from_secs(sizes.idle_s))?;
    session.broker.check()?;
    let used = cpu()? - before;
    let metrics = vec![
        ("rss_mib".to_owned(), rss_mib(pid).context("the broker's memory cannot be read")?),
        ("cpu_pct_of_a_core".to_owned(), 100.0 * used / began.elapsed().as_secs_f64()),
    ];
    session.row("idle", "empty directory, no client", metrics)
}
