//! `thalweg` from outside: the binary against a broker, by its arguments, its output and its exit code.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

#[path = "cli/cluster_and_config.rs"]
mod cluster_and_config;
#[path = "cli/consume.rs"]
mod consume;
#[path = "cli/groups.rs"]
mod groups;
#[path = "cli/log.rs"]
mod log;
#[path = "cli/produce.rs"]
mod produce;
#[path = "cli/topics.rs"]
mod topics;
#[path = "cli/transactions.rs"]
mod transactions;
#[path = "cli/usage.rs"]
mod usage;
