//! Text scripts against a shard with a hand-turned clock: a command, `----`, what comes of it. The scripts are in
//! `../testdata`; `THALWEG_REWRITE=1` writes what came out into them: commit that only if you know why it changed.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod bench;
mod consumer;
mod consumer_print;
mod consumer_walk;
mod golden;
mod limits;
mod mixed_walk;
mod print;
mod share;
mod walk;

use std::path::PathBuf;

use bench::Bench;

use crate::coordinator::script;

fn testdata() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/coordinator/group/testdata")
}

/// Runs a script and gives it back with the results in place.
fn run(text: &str) -> String {
    let mut bench = Bench::new();
    script::map_blocks(text, |command| bench.command(command))
}

#[test]
fn scripts_give_what_they_say() {
    script::run_all(&testdata(), 10, run);
}
