//! `thalweg-bench`: measures the device, the host, and any broker that speaks Kafka's protocol.
//!
//! **Invariant:** never links the broker: it must be able to drive any Kafka.

mod client;
mod compare;
mod groups;
mod host;
mod latency;
mod load;
mod merge;
mod probe;
mod ready;
mod report;
mod result;
mod stalls;
mod summary;
mod topic;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "thalweg-bench", version, about = "Measures a device, a host, and any Kafka-protocol broker")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// What the device and the loopback interface take, without any broker
    Probe(probe::Args),
    /// Latency of one Produce request at a time over one connection
    Latency(latency::Args),
    /// Records at a given rate, or as fast as the broker takes them
    Run(Box<load::Args>),
    /// Many groups rebalancing at once, and offsets committed at a given rate
    Groups(groups::Args),
    /// Text, an HTML page and plots out of kept results
    Report(report::Args),
    /// The results of several processes or hosts as one
    Merge(merge::Args),
    /// Whether a broker keeps its word: records written, read back and judged, while it is disturbed
    Verify(Box<verify::Args>),
    /// Create a topic and wait until every partition has a leader
    Topic(topic::Args),
    /// Wait until a broker serves, and say how long that took
    Ready(ready::Args),
    /// How long the host holds up a thread on each core; `compare` has it beside its loads
    Stalls(stalls::Args),
    /// Thalweg beside Apache Kafka and others on this machine: each alone, in turns, with tables of ratios
    Compare(Box<compare::Args>),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Probe(args) => probe::run(&args),
        Command::Latency(args) => latency::run(&args),
        Command::Run(args) => load::run(&args),
        Command::Groups(args) => groups::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Merge(args) => merge::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Topic(args) => topic::run(&args),
        Command::Ready(args) => ready::run(&args),
        Command::Stalls(args) => stalls::run(&args),
        Command::Compare(args) => compare::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("thalweg-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
        let ready = ["thalweg-bench", "ready", "--http", "127.0.0.1:1", "--pid", "1", "--since", "1.5"];
        assert!(super::Cli::command().try_get_matches_from(ready).is_ok());
        assert!(super::Cli::command().try_get_matches_from(["thalweg-bench", "ready"]).is_err());
        let latency = ["thalweg-bench", "latency", "--bootstrap", "h:1", "--topic", "t", "--acks", "-1"];
        assert!(super::Cli::command().try_get_matches_from(latency).is_ok());
    }
}
