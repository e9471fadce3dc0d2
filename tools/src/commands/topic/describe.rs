//! `thalweg topic describe`

use std::collections::HashMap;

use clap::Args;
use serde::Serialize;
use thalweg_protocol::messages::DescribeLogDirsRequest;
use thalweg_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;

use crate::cli::Global;
use crate::cluster::{Cluster, Partition, Topic, known, topic_name};
use crate::commands::config::{Entry, Resource, describe};
use crate::failure::Failure;
use crate::offsets::{self, EARLIEST, LATEST, by_leader};
use crate::output::{Table, bytes, commas, count, or_dash};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
}

#[derive(Serialize)]
struct Described {
    topics: Vec<DescribedTopic>,
}

#[derive(Serialize)]
struct DescribedTopic {
    name: String,
    id: Option<String>,
    internal: bool,
    replication_factor: usize,
    partitions: Vec<DescribedPartition>,
    /// The settings that differ from the brokers' defaults.
    config: Vec<Entry>,
}

#[derive(Serialize)]
struct DescribedPartition {
    partition: i32,
    leader: Option<i32>,
    leader_epoch: Option<i32>,
    replicas: Vec<i32>,
    in_sync: Vec<i32>,
    offline: Vec<i32>,
    start_offset: Option<i64>,
    end_offset: Option<i64>,
    /// On the leader's disk.
    size_bytes: Option<i64>,
}

pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<(), Failure> {
    let mut cluster = Cluster::connect(global)?;
    let mut topics = Vec::new();
    for name in &arguments.topics {
        topics.push(describe_topic(&mut cluster, global, name)?);
    }
    global
        .output()
        .emit(&Described { topics }, |described| described.topics.iter().map(text_of).collect::<Vec<_>>().join("\n"))
}

fn describe_topic(cluster: &mut Cluster, global: &Global, name: &str) -> Result<DescribedTopic, Failure> {
    let topic = cluster.topic(name)?;
    let starts = offsets::at(cluster, global, &topic, EARLIEST)?;
    let ends = offsets::at(cluster, global, &topic, LATEST)?;
    let sizes = sizes(cluster, &topic)?;
    let config = describe(cluster, &Resource::Topic(name.to_owned()), &[])?;
    let partition = |partition: &Partition| DescribedPartition {
        partition: partition.index,
        leader: partition.leader,
        leader_epoch: partition.leader_epoch,
        replicas: partition.replicas.clone(),
        in_sync: partition.in_sync.clone(),
        offline: partition.offline.clone(),
        start_offset: starts.get(&partition.index).copied(),
        end_offset: ends.get(&partition.index).copied(),
        size_bytes: sizes.get(&partition.index).copied(),
    };
    Ok(DescribedTopic {
        replication_factor: topic.replication_factor(),
        partitions: topic.partitions.iter().map(partition).collect(),
        config: config.into_iter().filter(Entry::is_set_on_topic).collect(),
        name: topic.name,
        id: topic.id,
        internal: topic.internal,
    })
}

fn sizes(cluster: &mut Cluster, topic: &Topic) -> Result<HashMap<i32, i64>, Failure> {
    let mut found = HashMap::new();
    for (leader, partitions) in by_leader(topic) {
        let wanted =
            DescribableLogDirTopic::default().with_topic(topic_name(&topic.name)).with_partitions(partitions.clone());
        let request = DescribeLogDirsRequest::default().with_topics(Some(vec![wanted]));
        let answer = cluster.node(leader)?.call(&request)?;
        let answered = answer.results.iter().flat_map(|dir| &dir.topics).flat_map(|topic| &topic.partitions);
        found.extend(
            answered
                .filter(|partition| !partition.is_future_key)
                .filter_map(|partition| Some((partition.partition_index, known(partition.partition_size)?))),
        );
    }
    Ok(found)
}

fn text_of(topic: &DescribedTopic) -> String {
    let mut text = format!(
        "topic {}{}\nid    {}\n{}, {} of each\n",
        topic.name,
        if topic.internal { " (internal)" } else { "" },
        or_dash(topic.id.as_ref()),
        count(topic.partitions.len() as u64, "partition"),
        count(topic.replication_factor as u64, "replica"),
    );
    for entry in &topic.config {
        text.push_str(&format!("config {}={}\n", entry.key, entry.value.as_deref().unwrap_or("(hidden)")));
    }
    let mut table =
        Table::new(["partition", "leader", "epoch", "replicas", "in sync", "offline", "start", "end", "size"]);
    for partition in &topic.partitions {
        table.row([
            partition.partition.to_string(),
            or_dash(partition.leader),
            or_dash(partition.leader_epoch),
            commas(&partition.replicas),
            commas(&partition.in_sync),
            or_dash((!partition.offline.is_empty()).then(|| commas(&partition.offline))),
            or_dash(partition.start_offset),
            or_dash(partition.end_offset),
            or_dash(partition.size_bytes.and_then(|size| u64::try_from(size).ok()).map(bytes)),
        ]);
    }
    text + &table.render()
}
