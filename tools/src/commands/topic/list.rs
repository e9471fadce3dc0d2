//! `thalweg topic list`

use clap::Args;
use serde::Serialize;

use crate::cli::Global;
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::output::{Table, or_dash};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Only topics whose name contains this
    filter: Option<String>,
    /// Also the brokers' own topics, such as __consumer_offsets
    #[arg(short, long)]
    all: bool,
}

#[derive(Serialize)]
struct List {
    topics: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    id: Option<String>,
    internal: bool,
    partitions: usize,
    replication_factor: usize,
}

pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<(), Failure> {
    let topics = Cluster::connect(global)?.topics()?;
    let wanted = arguments.filter.as_deref().unwrap_or_default();
    let topics = topics
        .into_iter()
        .filter(|topic| (arguments.all || !topic.internal) && topic.name.contains(wanted))
        .map(|topic| Row {
            partitions: topic.partitions.len(),
            replication_factor: topic.replication_factor(),
            id: topic.id,
            internal: topic.internal,
            name: topic.name,
        })
        .collect();
    global.output().emit(&List { topics }, |list| {
        let mut table = Table::new(["name", "partitions", "replicas", "id"]);
        for topic in &list.topics {
            table.row([
                topic.name.clone(),
                topic.partitions.to_string(),
                topic.replication_factor.to_string(),
                or_dash(topic.id.as_ref()),
            ]);
        }
        table.render()
    })
}
