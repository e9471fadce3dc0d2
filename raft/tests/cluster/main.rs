//! Several nodes in memory, with a hand-turned clock, a network and disks that obey the test: text scripts under
//! `testdata/`, and random runs from seeds.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod checker;
mod disk;
mod harness;
mod random;
mod scripts;
mod simulation;
