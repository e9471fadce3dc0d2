//! `thalweg log …`: data files, read without a broker.

use clap::Subcommand;

use crate::cli::Global;
use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {}

pub(crate) fn run(_: &Global, command: &Command) -> Result<(), Failure> {
    match *command {}
}
