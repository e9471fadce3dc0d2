//! `thalweg config set`

use clap::Args;

use crate::cli::Global;
use crate::cluster::Cluster;
use crate::failure::Failure;

use super::{Change, Kind, Resource, alter_and_say, keys};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Whose settings
    kind: Kind,
    /// The topic; or the broker's id, or `default` for all brokers
    name: String,
    #[arg(required = true, value_name = "KEY=VALUE", value_parser = keys::pair)]
    settings: Vec<(String, String)>,
    /// Only check whether it would work
    #[arg(long)]
    validate_only: bool,
}

pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<(), Failure> {
    let resource = Resource::parse(arguments.kind, &arguments.name)?;
    let changes: Vec<Change> = arguments.settings.iter().map(|(key, value)| Change::set(key, value)).collect();
    alter_and_say(&mut Cluster::connect(global)?, global, &resource, &changes, arguments.validate_only)
}
