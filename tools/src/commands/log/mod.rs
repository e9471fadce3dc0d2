//! `thalweg log …`: data files, read without a broker.

mod batch;
mod dump;
mod files;
mod index;
mod segment;
mod verify;
mod wal;

use clap::Subcommand;

use crate::cli::Global;
use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what data files hold
    Dump(dump::Arguments),
    /// Check every byte of data files
    Verify(verify::Arguments),
}

pub(crate) fn run(global: &Global, command: &Command) -> Result<(), Failure> {
    match command {
        Command::Dump(arguments) => dump::run(global, arguments),
        Command::Verify(arguments) => verify::run(global, arguments),
    }
}
