//! Times in which the host held up this machine while it was measured: `thalweg-bench stalls` beside each load.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use super::load::EXTRA;

/// At real-time priority, where the user may; otherwise there is none, as an ordinary thread waits for the load itself.
pub(super) struct Watch {
    child: Child,
    file: PathBuf,
}

impl Watch {
    pub(super) fn start(bench: &Path, dir: &Path) -> Option<Self> {
        let mut command = real_time(bench)?;
        let file = dir.join("stalls.tsv");
        command.arg("stalls").arg("--seconds").arg((10 * EXTRA.as_secs()).to_string());
        command.stdin(Stdio::null()).stdout(File::create(&file).ok()?).stderr(Stdio::null());
        Some(Self { child: command.spawn().ok()?, file })
    }

    pub(super) fn finish(mut self) -> Stalls {
        self.end();
        Stalls::parse(&std::fs::read_to_string(&self.file).unwrap_or_default())
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.end();
        let _ = std::fs::remove_file(&self.file);
    }
}

/// A program at real-time priority; none where the user may not have that.
pub(super) fn real_time(program: &Path) -> Option<Command> {
    static ALLOWED: LazyLock<bool> = LazyLock::new(|| {
        Command::new("chrt").args(["-f", "1", "true"]).output().is_ok_and(|done| done.status.success())
    });
    ALLOWED.then(|| {
        let mut command = Command::new("chrt");
        command.args(["-f", "1"]).arg(program);
        command
    })
}

/// When each ended, in seconds since 1970, and how long it was, in milliseconds.
#[derive(Debug, Default)]
pub(super) struct Stalls(Vec<(f64, f64)>);

/// What they came to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Stalled {
    pub(super) max_ms: f64,
    /// Of the time of all cores.
    pub(super) pct: f64,
}

impl Stalls {
    /// A line that was cut off by the end is left out.
    fn parse(text: &str) -> Self {
        let number = |field: Option<&str>| field?.parse::<f64>().ok();
        let stall = |line: &str| {
            let mut fields = line.split('\t');
            Some((number(fields.next())?, number(fields.next())?))
        };
        Self(text.lines().filter_map(stall).collect())
    }

    pub(super) fn between(&self, from_s: f64, to_s: f64, cores: f64) -> Stalled {
        let inside = self.0.iter().filter(|(at_s, _)| (from_s..=to_s).contains(at_s)).map(|(_, ms)| *ms);
        let max_ms = inside.clone().fold(0.0, f64::max);
        Stalled { max_ms, pct: inside.fold(0.0, |sum, ms| sum + ms) / 10.0 / (to_s - from_s).max(0.001) / cores }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stalls_count_where_they_are_measured() {
        let stalls = Stalls::parse("9.0\t500.0\n10.5\t20.0\n11.0\t30.0\n13.0\t7.0\n13.5\n");
        let stalled = stalls.between(10.0, 12.0, 2.0);
        // 50 ms of twice two seconds.
        assert!((stalled.max_ms - 30.0).abs() < 1e-9 && (stalled.pct - 1.25).abs() < 1e-9, "{stalled:?}");
        assert!(Stalls::parse("").between(0.0, 1.0, 1.0).max_ms == 0.0);
    }
}
