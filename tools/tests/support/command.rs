//! Running `thalweg` as a person does.

use std::fmt;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::running::Running;

/// No command of these tests has a reason to take this long.
const TIME_MAX: Duration = Duration::from_secs(60);

pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Outcome {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Stdout of a command that must succeed.
    pub(crate) fn ok(&self) -> String {
        assert_eq!(self.code, Some(0), "{self}");
        self.text()
    }

    /// Stdout of a command that must succeed, as one JSON document.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.ok()).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// Stdout of a command that must succeed, as one JSON document per line.
    pub(crate) fn json_lines(&self) -> Vec<serde_json::Value> {
        self.ok().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Stderr of a command that must fail with 1.
    pub(crate) fn failed(&self) -> &str {
        assert_eq!(self.code, Some(1), "{self}");
        &self.stderr
    }

    /// Stderr of a command line that must be refused with 2.
    pub(crate) fn refused(&self) -> &str {
        assert_eq!(self.code, Some(2), "{self}");
        &self.stderr
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {:?}\nstdout: {}\nstderr: {}", self.code, self.text(), self.stderr)
    }
}

pub(crate) fn thalweg(bootstrap: &str, arguments: &[&str]) -> Outcome {
    thalweg_with_input(bootstrap, arguments, b"")
}

pub(crate) fn thalweg_with_input(bootstrap: &str, arguments: &[&str], input: &[u8]) -> Outcome {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thalweg"));
    command.args(arguments).env("THALWEG_BOOTSTRAP", bootstrap).stdin(Stdio::piped());
    let mut running = Running::start(&mut command);
    // A command that reads no input may be gone before it is written.
    let _ = running.child.stdin.take().unwrap().write_all(input);
    let ended = running.wait(TIME_MAX);
    let code = ended.status.and_then(|status| status.code());
    let outcome = Outcome { code, stdout: ended.stdout, stderr: ended.stderr };
    assert!(ended.status.is_some(), "thalweg {arguments:?} did not end within {TIME_MAX:?}: {outcome}");
    outcome
}
