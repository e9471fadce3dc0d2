//! A command of the user's that disturbs the broker now and then.

use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::shared::Shared;

const NAP: Duration = Duration::from_millis(20);
/// A command that runs longer hangs: no broker's restart takes that.
const RUN_MAX: Duration = Duration::from_secs(300);

/// Runs the command every so often until production is to stop; one that has begun is waited for, because it may be about
/// to start the broker again.
pub(crate) fn disturb(shared: &Shared, command: &str, every: Duration) -> Result<()> {
    let mut next = shared.now() + every;
    while !shared.is_stopping() {
        if shared.now() < next {
            std::thread::sleep(NAP);
            continue;
        }
        run(command).with_context(|| format!("--disturb `{command}`"))?;
        shared.disturbances.fetch_add(1, Ordering::AcqRel);
        next = shared.now() + every;
    }
    Ok(())
}

fn run(command: &str) -> Result<()> {
    // Its output is not the verdict's; what it says on stderr is for the user.
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .context("cannot be run by sh")?;
    let status = wait(&mut child)?;
    if !status.success() {
        bail!("ended with {status}");
    }
    Ok(())
}

fn wait(child: &mut Child) -> Result<std::process::ExitStatus> {
    let deadline = Instant::now() + RUN_MAX;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            bail!("had not ended after {} s", RUN_MAX.as_secs());
        }
        std::thread::sleep(NAP);
    }
}
