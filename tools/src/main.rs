//! `thalweg`: the command line for operators and developers.
//!
//! Records go through librdkafka (`client`), as any application's would. Everything else is one request and one answer
//! on a plain connection (`wire`), because a client library keeps the broker's error messages to itself and lacks
//! several of the calls.

mod cli;
mod client;
mod cluster;
mod commands;
mod coordinator;
mod encoding;
mod failure;
mod near;
mod offsets;
mod output;
mod progress;
mod time;
mod wire;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let json = cli.global.json;
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(json),
    }
}
