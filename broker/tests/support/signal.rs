//! Signals to processes that a test started itself.

use std::process::{Command, Stdio};

#[derive(Debug, Clone, Copy)]
pub enum Signal {
    Term,
    Kill,
    Stop,
    Continue,
}

#[derive(Debug, Clone, Copy)]
pub enum Target {
    Process(u32),
    /// Every process of the group that this process leads.
    Group(u32),
}

/// Sends one signal; a target that is gone already is not an error. Through the shell's own `kill`, because the system
/// call would need `unsafe` and the `kill` program is not installed everywhere.
pub fn send(signal: Signal, target: Target) {
    let name = match signal {
        Signal::Term => "TERM",
        Signal::Kill => "KILL",
        Signal::Stop => "STOP",
        Signal::Continue => "CONT",
    };
    let target = match target {
        Target::Process(pid) => pid.to_string(),
        Target::Group(pid) => format!("-{pid}"),
    };
    Command::new("sh")
        .args(["-c", r#"kill -s "$1" -- "$2""#, "kill", name, &target])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("sh");
}
