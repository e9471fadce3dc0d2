//! A process that was started here. Nothing else is ever signalled, and none outlives its owner.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::interrupt::Interrupt;

const POLL: Duration = Duration::from_millis(5);
/// Of a log, what an error shows.
const END_LINES: usize = 20;

pub(super) struct Process {
    child: Child,
    what: String,
    /// Where it writes what goes wrong.
    log: PathBuf,
}

impl Process {
    /// All it writes goes to the end of `log`.
    pub(super) fn start(command: &mut Command, what: &str, log: &Path) -> Result<Self> {
        let file = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        let out = file.try_clone()?;
        Self::start_into(command, what, out, file, log)
    }

    fn start_into(command: &mut Command, what: &str, out: File, err: File, log: &Path) -> Result<Self> {
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        Ok(Self { child, what: what.to_owned(), log: log.to_owned() })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks it to end, and kills it when it has not within `limit`.
    pub(super) fn stop(&mut self, limit: Duration) -> Result<()> {
        if self.alive() {
            kill_process(Pid::from_child(&self.child), Signal::TERM)
                .with_context(|| format!("cannot stop {}", self.what))?;
        }
        let deadline = Instant::now() + limit;
        while self.alive() {
            if Instant::now() > deadline {
                eprintln!("thalweg-bench: {} did not stop within {} s and is killed", self.what, limit.as_secs());
                break;
            }
            std::thread::sleep(POLL);
        }
        self.kill()
    }

    pub(super) fn kill(&mut self) -> Result<()> {
        if self.alive() {
            self.child.kill().with_context(|| format!("cannot kill {}", self.what))?;
        }
        self.child.wait()?;
        Ok(())
    }

    /// How it ended, and the end of its log.
    pub(super) fn obituary(&mut self) -> String {
        let how = match self.child.try_wait() {
            Ok(Some(status)) => format!("ended ({status})"),
            _ => "runs".to_owned(),
        };
        format!("{} {how}; the end of its log:\n{}", self.what, log_end(&self.log))
    }

    fn wait(&mut self, limit: Duration, mut meanwhile: impl FnMut() -> Result<()>) -> Result<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            meanwhile()?;
            if Instant::now() > deadline {
                bail!("{} was not done within {} s", self.what, limit.as_secs());
            }
            std::thread::sleep(POLL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!("thalweg-bench: {error:#}");
        }
    }
}

fn log_end(log: &Path) -> String {
    let text =
        std::fs::read(log).map_or_else(|error| error.to_string(), |text| String::from_utf8_lossy(&text).into_owned());
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(END_LINES)..).unwrap_or_default().join("\n")
}

/// A program that does its work and ends: what it prints is read when it has.
pub(super) struct Tool {
    process: Process,
    out: PathBuf,
}

impl Tool {
    /// Keeps its output in files in `dir`.
    pub(super) fn start(command: &mut Command, what: &str, dir: &Path) -> Result<Self> {
        let (out, err) = (dir.join("tool.out"), dir.join("tool.err"));
        let process = Process::start_into(command, what, File::create(&out)?, File::create(&err)?, &err)?;
        Ok(Self { process, out })
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// What it printed, and the error when it failed: a load that broke off has printed what it measured until then.
    pub(super) fn finish(
        mut self,
        limit: Duration,
        meanwhile: impl FnMut() -> Result<()>,
    ) -> Result<(String, Option<String>)> {
        let status = self.process.wait(limit, meanwhile)?;
        let mut text = String::new();
        File::open(&self.out)?.read_to_string(&mut text).context("what a tool printed is not text")?;
        let failure = (!status.success())
            .then(|| format!("{} failed ({status}): {}", self.process.what, log_end(&self.process.log)));
        Ok((text, failure))
    }
}

/// What a program printed; that it failed is an error.
pub(super) fn output(
    command: &mut Command,
    what: &str,
    dir: &Path,
    limit: Duration,
    interrupt: &Interrupt,
) -> Result<String> {
    match Tool::start(command, what, dir)?.finish(limit, || interrupt.check())? {
        (text, None) => Ok(text),
        (_, Some(failure)) => bail!("{failure}"),
    }
}
