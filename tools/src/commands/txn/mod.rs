//! `thalweg txn …`

mod abort;
mod describe;
mod find;
mod hanging;
mod list;
mod producers;

use clap::Subcommand;

use crate::cli::Global;
use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List transactional ids and where their transactions are
    #[command(visible_alias = "ls")]
    List(list::Arguments),
    /// Show the transactions of transactional ids in full
    Describe(describe::Arguments),
    /// End a transaction over its producer's head
    Abort(abort::Arguments),
    /// Find transactions that no coordinator will ever end
    Hanging(hanging::Arguments),
}

pub(crate) fn run(global: &Global, command: Command) -> Result<(), Failure> {
    match command {
        Command::List(arguments) => list::run(global, &arguments),
        Command::Describe(arguments) => describe::run(global, &arguments),
        Command::Abort(arguments) => abort::run(global, &arguments),
        Command::Hanging(arguments) => hanging::run(global, &arguments),
    }
}
