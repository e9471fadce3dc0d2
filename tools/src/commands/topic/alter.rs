//! `thalweg topic alter`: the same as `config set` and `config unset`, in one request.

use clap::Args;

use crate::cli::Global;
use crate::cluster::Cluster;
use crate::commands::config::{Change, Resource, alter_and_say, keys};
use crate::failure::Failure;

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true).args(["set", "unset"]))]
pub(crate) struct Arguments {
    topic: String,
    /// Give a setting a value; may be repeated
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = keys::pair)]
    set: Vec<(String, String)>,
    /// Take a setting back to the broker's default; may be repeated
    #[arg(short, long, value_name = "KEY")]
    unset: Vec<String>,
    /// Only check whether it would work
    #[arg(long)]
    validate_only: bool,
}

pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<(), Failure> {
    let mut cluster = Cluster::connect(global)?;
    let set = arguments.set.iter().map(|(key, value)| Change::set(key, value));
    let changes: Vec<Change> = set.chain(arguments.unset.iter().map(|key| Change::unset(key))).collect();
    alter_and_say(&mut cluster, global, &Resource::Topic(arguments.topic.clone()), &changes, arguments.validate_only)
}
