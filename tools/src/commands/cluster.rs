//! `thalweg cluster info`

use clap::{Args, Subcommand};
use serde::Serialize;
use thalweg_protocol::messages::ApiKey;

use crate::cli::Global;
use crate::cluster::{Cluster, join, known};
use crate::failure::Failure;
use crate::output::{Table, or_dash};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the cluster's id, its brokers and how much they hold
    Info(Arguments),
}

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Also the requests that the broker answers, with their versions
    #[arg(long)]
    apis: bool,
}

#[derive(Serialize)]
struct Info {
    cluster_id: Option<String>,
    controller: Option<i32>,
    brokers: Vec<Broker>,
    topics: usize,
    partitions: usize,
    partitions_without_leader: usize,
    partitions_under_replicated: usize,
    /// Only with `--apis`.
    apis: Option<Vec<Api>>,
}

#[derive(Serialize)]
struct Broker {
    id: i32,
    address: String,
    rack: Option<String>,
    controller: bool,
    /// Partitions that this broker leads.
    leads: usize,
    replicas: usize,
}

#[derive(Serialize)]
struct Api {
    key: i16,
    name: Option<String>,
    version_min: i16,
    version_max: i16,
}

pub(crate) fn run(global: &Global, command: &Command) -> Result<(), Failure> {
    let Command::Info(arguments) = command;
    let mut cluster = Cluster::connect(global)?;
    let info = gather(&mut cluster, arguments.apis)?;
    global.output().emit(&info, text_of)
}

fn gather(cluster: &mut Cluster, apis: bool) -> Result<Info, Failure> {
    let metadata = cluster.metadata(None)?;
    let partitions: Vec<_> = metadata.topics.iter().flat_map(|topic| &topic.partitions).collect();
    let controller = known(metadata.controller_id.0);
    let mut brokers: Vec<Broker> = metadata
        .brokers
        .iter()
        .map(|broker| Broker {
            id: broker.node_id.0,
            address: join(&broker.host, broker.port),
            rack: broker.rack.as_ref().map(ToString::to_string),
            controller: controller == Some(broker.node_id.0),
            leads: partitions.iter().filter(|partition| partition.leader_id == broker.node_id).count(),
            replicas: partitions.iter().filter(|partition| partition.replica_nodes.contains(&broker.node_id)).count(),
        })
        .collect();
    brokers.sort_by_key(|broker| broker.id);
    Ok(Info {
        cluster_id: metadata.cluster_id.as_ref().map(ToString::to_string),
        controller,
        brokers,
        topics: metadata.topics.len(),
        partitions_without_leader: partitions.iter().filter(|partition| partition.leader_id.0 < 0).count(),
        partitions_under_replicated: partitions
            .iter()
            .filter(|partition| partition.isr_nodes.len() < partition.replica_nodes.len())
            .count(),
        partitions: partitions.len(),
        apis: apis.then(|| cluster.any().apis().into_iter().map(api).collect()),
    })
}

fn api((key, version_min, version_max): (i16, i16, i16)) -> Api {
    let name = ApiKey::try_from(key).ok().map(|name| format!("{name:?}"));
    Api { key, name, version_min, version_max }
}

fn text_of(info: &Info) -> String {
    let mut text = format!(
        "cluster     {}\ntopics      {}\npartitions  {} ({} without leader, {} under-replicated)\n\n",
        or_dash(info.cluster_id.as_ref()),
        info.topics,
        info.partitions,
        info.partitions_without_leader,
        info.partitions_under_replicated,
    );
    let mut brokers = Table::new(["broker", "address", "rack", "leads", "replicas", "role"]);
    for broker in &info.brokers {
        brokers.row([
            broker.id.to_string(),
            broker.address.clone(),
            or_dash(broker.rack.as_ref()),
            broker.leads.to_string(),
            broker.replicas.to_string(),
            if broker.controller { "controller".to_owned() } else { String::new() },
        ]);
    }
    text.push_str(&brokers.render());
    if let Some(apis) = &info.apis {
        let mut table = Table::new(["api", "name", "versions"]);
        for api in apis {
            table.row([
                api.key.to_string(),
                or_dash(api.name.as_ref()),
                format!("{}-{}", api.version_min, api.version_max),
            ]);
        }
        text.push('\n');
        text.push_str(&table.render());
    }
    text
}
