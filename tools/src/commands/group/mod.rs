//! `thalweg group …`

mod committed;
mod delete;
mod describe;
mod find;
mod lag;
mod list;
mod members;
mod reset;
mod reset_commit;
mod reset_file;
mod reset_plan;
mod reset_scope;

use clap::Subcommand;

use crate::cli::Global;
use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List groups
    #[command(visible_alias = "ls")]
    List(list::Arguments),
    /// Show groups with their members and what each reads
    Describe(describe::Arguments),
    /// Show how far groups are behind
    Lag(lag::Arguments),
    /// Move a group's offsets while none of its members runs
    ResetOffsets(reset::Arguments),
    /// Delete groups and their offsets
    #[command(visible_alias = "rm")]
    Delete(delete::Arguments),
}

pub(crate) fn run(global: &Global, command: Command) -> Result<(), Failure> {
    match command {
        Command::List(arguments) => list::run(global, &arguments),
        Command::Describe(arguments) => describe::run(global, &arguments),
        Command::Lag(arguments) => lag::run(global, &arguments),
        Command::ResetOffsets(arguments) => reset::run(global, &arguments),
        Command::Delete(arguments) => delete::run(global, &arguments),
    }
}
