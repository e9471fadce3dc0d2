//! `thalweg topic …`

mod add_partitions;
mod alter;
mod create;
mod delete;
mod describe;
mod list;

use clap::Subcommand;

use crate::cli::Global;
use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create topics
    Create(create::Arguments),
    /// List topics
    #[command(visible_alias = "ls")]
    List(list::Arguments),
    /// Show topics with their partitions, offsets, sizes and settings
    Describe(describe::Arguments),
    /// Change a topic's settings
    Alter(alter::Arguments),
    /// Delete topics and everything in them
    #[command(visible_alias = "rm")]
    Delete(delete::Arguments),
    /// Give a topic more partitions
    AddPartitions(add_partitions::Arguments),
}

pub(crate) fn run(global: &Global, command: Command) -> Result<(), Failure> {
    match command {
        Command::Create(arguments) => create::run(global, &arguments),
        Command::List(arguments) => list::run(global, &arguments),
        Command::Describe(arguments) => describe::run(global, &arguments),
        Command::Alter(arguments) => alter::run(global, &arguments),
        Command::Delete(arguments) => delete::run(global, &arguments),
        Command::AddPartitions(arguments) => add_partitions::run(global, &arguments),
    }
}
