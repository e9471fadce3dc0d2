//! `thalweg-bench`, run as a person does.

use std::fmt;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::{BENCH, running};

/// No run of these tests has a reason to take this long.
const TIME_MAX: Duration = Duration::from_secs(240);

pub(crate) struct Running(running::Running);

pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) fn start(arguments: &[&str]) -> Running {
    Running(running::Running::start(Command::new(BENCH).args(arguments).stdin(Stdio::null())))
}

impl Running {
    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.child.try_wait().unwrap().is_some()
    }

    pub(crate) fn wait(self) -> Outcome {
        let ended = self.0.wait(TIME_MAX);
        let outcome = Outcome {
            code: ended.status.and_then(|status| status.code()),
            stdout: String::from_utf8_lossy(&ended.stdout).into_owned(),
            stderr: ended.stderr,
        };
        assert!(ended.status.is_some(), "not ended within {TIME_MAX:?}: {outcome}");
        outcome
    }
}

impl Outcome {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {:?}\nstdout: {}\nstderr: {}", self.code, self.stdout, self.stderr)
    }
}
