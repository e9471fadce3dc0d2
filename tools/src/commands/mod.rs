//! One file per command.

pub(crate) mod cluster;
pub(crate) mod completion;
pub(crate) mod config;
pub(crate) mod consume;
pub(crate) mod group;
pub(crate) mod log;
pub(crate) mod produce;
pub(crate) mod topic;
pub(crate) mod txn;

use crate::cli::{Cli, Command};
use crate::failure::Failure;

pub(crate) fn run(cli: Cli) -> Result<(), Failure> {
    let global = cli.global;
    match cli.command {
        Command::Topic(command) => topic::run(&global, command),
        Command::Produce(arguments) => produce::run(&global, &arguments),
        Command::Consume(arguments) => consume::run(&global, &arguments),
        Command::Group(command) => group::run(&global, command),
        Command::Txn(command) => txn::run(&global, command),
        Command::Cluster(command) => cluster::run(&global, &command),
        Command::Config(command) => config::run(&global, command),
        Command::Log(command) => log::run(&global, &command),
        Command::Completion(arguments) => completion::run(&arguments),
    }
}
