//! A broker that is being measured: started, waited for, stopped, killed, started again.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::interrupt::Interrupt;
use super::launch::Launch;
use super::process::Process;
use super::programs::Programs;
use crate::host::now_s;
use crate::ready::await_ready;

const READY_LIMIT: Duration = Duration::from_secs(300);
const STOP_LIMIT: Duration = Duration::from_secs(90);

pub(super) struct Broker {
    pub(super) bootstrap: String,
    /// Of its last start: from before the fork until it served.
    pub(super) ready_ms: f64,
    /// When that start was, in seconds since 1970.
    pub(super) started_s: f64,
    own: Option<Own>,
    /// Of one that was running before.
    foreign_pid: Option<u32>,
}

/// What only one that was started here has.
struct Own {
    launch: Launch,
    process: Process,
}

impl Broker {
    pub(super) fn start(launch: Launch, programs: &Programs, interrupt: &Interrupt) -> Result<Self> {
        let bootstrap = launch.bootstrap();
        let (process, started_s, ready_ms) = up(&launch, programs, interrupt)?;
        Ok(Self { bootstrap, ready_ms, started_s, own: Some(Own { launch, process }), foreign_pid: None })
    }

    pub(super) fn foreign(bootstrap: &str, pid: Option<u32>) -> Self {
        Self { bootstrap: bootstrap.to_owned(), ready_ms: 0.0, started_s: 0.0, own: None, foreign_pid: pid }
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.own.as_ref().map(|own| own.process.pid()).or(self.foreign_pid)
    }

    pub(super) fn dir(&self) -> Option<&Path> {
        self.own.as_ref().map(|own| own.launch.dir.as_path())
    }

    /// That it has not ended by itself.
    pub(super) fn check(&mut self) -> Result<()> {
        let Some(own) = &mut self.own else { return Ok(()) };
        if !own.process.alive() {
            bail!("{}", own.process.obituary());
        }
        Ok(())
    }

    pub(super) fn is_gone(&mut self) -> bool {
        self.check().is_err()
    }

    pub(super) fn stop(&mut self) -> Result<()> {
        self.own.as_mut().map_or(Ok(()), |own| own.process.stop(STOP_LIMIT))
    }

    /// As `kill -9` does.
    pub(super) fn kill(&mut self) -> Result<()> {
        self.own.as_mut().map_or(Ok(()), |own| own.process.kill())
    }

    /// Starts one that was stopped or killed, where its data lies.
    pub(super) fn start_again(&mut self, programs: &Programs, interrupt: &Interrupt) -> Result<()> {
        let own = self.own.as_mut().context("a broker that was not started here cannot be started again")?;
        (own.process, self.started_s, self.ready_ms) = up(&own.launch, programs, interrupt)?;
        Ok(())
    }
}

fn up(launch: &Launch, programs: &Programs, interrupt: &Interrupt) -> Result<(Process, f64, f64)> {
    let mut command = launch.command(programs, interrupt)?;
    let what = format!("the broker ({})", command.get_program().display());
    let began = now_s();
    let mut process = Process::start(&mut command, &what, &launch.log())?;
    let ready = await_ready(&launch.sign(), READY_LIMIT, || {
        interrupt.check()?;
        if !process.alive() {
            bail!("it ended before it was ready");
        }
        Ok(())
    });
    match ready {
        Ok(()) => Ok((process, began, (now_s() - began) * 1000.0)),
        Err(error) if interrupt.came() => Err(error),
        Err(error) => Err(error.context(process.obituary())),
    }
}
