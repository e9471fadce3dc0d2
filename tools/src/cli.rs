//! The command line's grammar. What a command takes stands beside the command.

use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::commands::{cluster, completion, config, consume, group, log, produce, topic, txn};
use crate::output::Output;

/// Works with a Thalweg cluster, or any other that speaks Kafka's protocol.
#[derive(Debug, Parser)]
#[command(name = "thalweg", version, arg_required_else_help = true, subcommand_required = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// Brokers to ask first: HOST:PORT, several with commas
    #[arg(
        short,
        long,
        global = true,
        value_name = "HOST:PORT",
        env = "THALWEG_BOOTSTRAP",
        default_value = "127.0.0.1:9092"
    )]
    pub(crate) bootstrap: String,
    /// Write JSON, for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Seconds to wait for a broker before giving up
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) timeout: u64,
}

impl Global {
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }

    /// The timeout as Kafka's requests carry it.
    pub(crate) fn timeout_ms(&self) -> i32 {
        i32::try_from(self.timeout().as_millis()).unwrap_or(i32::MAX)
    }

    pub(crate) fn output(&self) -> Output {
        Output { json: self.json }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Topics: create, list, describe, alter, delete, add partitions
    #[command(subcommand)]
    Topic(topic::Command),
    /// Write records to a topic
    Produce(produce::Arguments),
    /// Read records from a topic
    Consume(consume::Arguments),
    /// Groups: list, describe, lag, reset offsets, delete
    #[command(subcommand)]
    Group(group::Command),
    /// Transactions: list, describe, abort, find hanging ones
    #[command(subcommand)]
    Txn(txn::Command),
    /// The cluster and its brokers
    #[command(subcommand)]
    Cluster(cluster::Command),
    /// Settings of topics and brokers
    #[command(subcommand)]
    Config(config::Command),
    /// Data files, read without a broker
    #[command(subcommand)]
    Log(log::Command),
    /// Print a completion script for a shell
    Completion(completion::Arguments),
}
