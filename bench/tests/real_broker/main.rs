//! `thalweg-bench` with a real broker of ours, started, killed and lied about.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod compare;
mod groups;
mod harness;
#[path = "../../../tools/tests/support/program.rs"]
mod program;
#[path = "../../../tools/tests/support/running.rs"]
mod running;
mod verify;

/// The program under test.
const BENCH: &str = env!("CARGO_BIN_EXE_thalweg-bench");
