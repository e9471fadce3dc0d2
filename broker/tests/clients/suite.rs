//! Running one suite and judging what it printed.
//!
//! A suite is a program that gets `<bootstrap> <prefix>` as its last arguments, names everything it creates with that
//! prefix, and prints one line per check: `ok NAME` or `not ok NAME: why`. Other lines are its own affair.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Signal, Target, send};

/// What one suite must deliver.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    pub suite: &'static str,
    /// An empty or cut-off run must not pass: raise this with every check that is added.
    pub checks_min: usize,
    pub timeout: Duration,
}

/// The checks of one run.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub passed: BTreeSet<String>,
    /// The whole line, as it was printed.
    pub failed: Vec<String>,
    /// Names seen more than once: one of them hides the other.
    pub repeated: Vec<String>,
}

impl Outcome {
    pub fn parse(output: &str) -> Self {
        let mut outcome = Self::default();
        for line in output.lines().map(str::trim_end) {
            if let Some(name) = line.strip_prefix("ok ") {
                outcome.pass(name);
            } else if line.starts_with("not ok ") {
                outcome.failed.push(line.to_owned());
            }
        }
        outcome
    }

    pub fn pass(&mut self, name: &str) {
        if !self.passed.insert(name.to_owned()) {
            self.repeated.push(name.to_owned());
        }
    }

    /// Every reason why this run does not count as passed.
    pub fn complaints(&self, checks_min: usize) -> Vec<String> {
        let mut complaints = self.failed.clone();
        complaints.extend(self.repeated.iter().map(|name| format!("the name {name} was used twice")));
        if self.passed.len() < checks_min {
            complaints.push(format!("only {} checks passed, at least {checks_min} are expected", self.passed.len()));
        }
        complaints
    }
}

/// Runs the program to its end or its timeout; panics unless every check passed, there were enough of them, and it
/// exited with 0. `log` gets its stdout and stderr.
pub fn run(expected: Expected, command: Command, log: &Path) {
    run_beside(expected, command, log, |_| {});
}

/// As [`run`]; `meanwhile` is called again and again with what the program has said by then.
pub fn run_beside(expected: Expected, mut command: Command, log: &Path, mut meanwhile: impl FnMut(&str)) {
    let started = Instant::now();
    let output = File::create(log).expect("the suite's log");
    command
        .stdin(Stdio::null())
        .stdout(output.try_clone().expect("dup"))
        .stderr(output)
        // A group of its own, so that what it started ends with it.
        .process_group(0);
    let status = wait(&mut command, expected.timeout, || meanwhile(&read(log)));
    let text = read(log);
    let mut complaints = Outcome::parse(&text).complaints(expected.checks_min);
    match status {
        Some(status) if status.success() => {}
        Some(status) => complaints.push(format!("it ended with {status}")),
        None => complaints.push(format!("it was killed after {:?}", expected.timeout)),
    }
    report(expected, &Outcome::parse(&text), &complaints, started.elapsed(), &text);
}

/// `None`: killed at the timeout.
fn wait(command: &mut Command, timeout: Duration, mut meanwhile: impl FnMut()) -> Option<ExitStatus> {
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let deadline = Instant::now() + timeout;
    let status = loop {
        std::thread::sleep(Duration::from_millis(20));
        match child.try_wait().expect("wait") {
            Some(status) => break Some(status),
            None if Instant::now() > deadline => break None,
            None => meanwhile(),
        }
    };
    send(Signal::Kill, Target::Group(child.id()));
    if status.is_none() {
        child.wait().expect("wait");
    }
    status
}

/// One line that is seen even where the test passes, and everything where it does not.
pub fn report(expected: Expected, outcome: &Outcome, complaints: &[String], took: Duration, log: &str) {
    let Expected { suite, .. } = expected;
    let passed = outcome.passed.len();
    say(&format!("{suite}: {passed} checks ok, {} complaints, {:.1} s", complaints.len(), took.as_secs_f64()));
    assert!(
        complaints.is_empty(),
        "{suite}:\n  {}\nthe end of its output:\n{}",
        complaints.join("\n  "),
        crate::support::tail(log, 120)
    );
}

/// Writes past the test harness, which would keep the output of a test that passes to itself.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

/// Where a suite's log lies.
pub fn log_path(suite: &str) -> PathBuf {
    let dir = super::toolchain::clients_dir().join("logs");
    std::fs::create_dir_all(&dir).expect("a directory for logs");
    dir.join(format!("{suite}.log"))
}

mod tests {
    use super::*;

    #[test]
    fn lines_become_checks() {
        let outcome = Outcome::parse("noise\nok a\nnot ok b: broken\nok c \nokay d\n");
        assert_eq!(outcome.passed.iter().map(String::as_str).collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!(outcome.failed, ["not ok b: broken"]);
        assert_eq!(outcome.complaints(2), ["not ok b: broken"]);
    }

    #[test]
    fn an_empty_run_and_a_repeated_name_are_complaints() {
        assert_eq!(Outcome::parse("").complaints(1).len(), 1);
        assert_eq!(Outcome::parse("ok a\nok a").complaints(1), ["the name a was used twice"]);
    }

    #[test]
    fn a_suite_that_hangs_is_killed_with_its_children() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 60 & wait"]).process_group(0);
        let started = Instant::now();
        assert!(wait(&mut command, Duration::from_millis(100), || {}).is_none());
        assert!(started.elapsed() < Duration::from_secs(20));
    }
}
