//! `thalweg group lag`

use std::collections::{BTreeMap, BTreeSet, HashMap};

use clap::Args;
use serde::Serialize;
use thalweg_protocol::error::ErrorCode;

use super::committed::{self, Offsets};
use super::find::{self, Listed};
use super::members::{self, Described};
use crate::cli::Global;
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::offsets::{self, LATEST};
use crate::output::{Table, or_dash};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Groups; all that have offsets if none is named
    #[arg(value_name = "GROUP")]
    groups: Vec<String>,
    /// Only these topics
    #[arg(long = "topic", value_name = "TOPIC")]
    topics: Vec<String>,
}

#[derive(Serialize)]
struct Lags {
    groups: Vec<GroupLag>,
}

#[derive(Serialize)]
struct GroupLag {
    group: String,
    state: String,
    /// Of the partitions whose lag is known.
    lag: i64,
    partitions: Vec<PartitionLag>,
}

#[derive(Serialize)]
struct PartitionLag {
    topic: String,
    partition: i32,
    committed: Option<i64>,
    committed_leader_epoch: Option<i32>,
    metadata: Option<String>,
    end_offset: Option<i64>,
    lag: Option<i64>,
    member: Option<String>,
    client_id: Option<String>,
    host: Option<String>,
}

/// End offsets by topic; a topic that is gone has none.
type Ends = BTreeMap<String, HashMap<i32, i64>>;

pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<(), Failure> {
    let mut cluster = Cluster::connect(global)?;
    let all = find::all(&mut cluster, global)?;
    let mut wanted: Vec<&Listed> = Vec::new();
    for name in &arguments.groups {
        wanted.push(reader(find::one(&all, name)?)?);
    }
    if arguments.groups.is_empty() {
        wanted.extend(all.iter().filter(|listed| listed.kind != "Share"));
    }
    let mut ends = Ends::new();
    let mut groups = Vec::new();
    for listed in wanted {
        groups.push(lag(&mut cluster, global, listed, &arguments.topics, &mut ends)?);
    }
    global.output().emit(&Lags { groups }, |lags| lags.groups.iter().map(text_of).collect::<Vec<_>>().join("\n"))
}

/// Share groups keep no offsets: records are acknowledged one by one.
fn reader(listed: &Listed) -> Result<&Listed, Failure> {
    if listed.kind == "Share" {
        return Err(Failure::new(format!("group `{}` is a share group, which commits no offsets", listed.group))
            .hint(format!("its members: thalweg group describe {}", listed.group)));
    }
    Ok(listed)
}

fn lag(
    cluster: &mut Cluster,
    global: &Global,
    listed: &Listed,
    topics: &[String],
    ends: &mut Ends,
) -> Result<GroupLag, Failure> {
    let described = members::describe(cluster, global, listed)?;
    let committed = committed::fetch(cluster, global, &listed.group)?;
    let mut partitions = Vec::new();
    for (topic, partition) in shown(&described, &committed) {
        if topics.is_empty() || topics.contains(&topic) {
            let end = end_offset(cluster, global, ends, &topic, partition)?;
            partitions.push(row(&described, &committed, topic, partition, end));
        }
    }
    let lag = partitions.iter().filter_map(|row| row.lag).sum();
    Ok(GroupLag { group: listed.group.clone(), state: described.state, lag, partitions })
}

/// What was committed, and what is assigned and not committed yet.
fn shown(described: &Described, committed: &Offsets) -> BTreeSet<(String, i32)> {
    let assigned = described.members.iter().flat_map(|member| &member.assigned);
    let assigned = assigned.flat_map(|topic| topic.partitions.iter().map(|index| (topic.topic.clone(), *index)));
    committed.keys().cloned().chain(assigned).collect()
}

fn end_offset(
    cluster: &mut Cluster,
    global: &Global,
    ends: &mut Ends,
    topic: &str,
    partition: i32,
) -> Result<Option<i64>, Failure> {
    if !ends.contains_key(topic) {
        let found = match cluster.topic(topic) {
            Ok(topic) => offsets::at(cluster, global, &topic, LATEST)?,
            Err(failure) if failure.code() == Some(ErrorCode::UnknownTopicOrPartition) => HashMap::new(),
            Err(failure) => return Err(failure),
        };
        ends.insert(topic.to_owned(), found);
    }
    Ok(ends.get(topic).and_then(|ends| ends.get(&partition)).copied())
}

fn row(described: &Described, committed: &Offsets, topic: String, partition: i32, end: Option<i64>) -> PartitionLag {
    let key = (topic, partition);
    let commit = committed.get(&key);
    let member = described.members.iter().find(|member| member.reads(&key.0, partition));
    PartitionLag {
        committed: commit.map(|commit| commit.offset),
        committed_leader_epoch: commit.and_then(|commit| commit.leader_epoch),
        metadata: commit.and_then(|commit| commit.metadata.clone()),
        end_offset: end,
        // A topic that was deleted and made again may end before what was committed of the old one.
        lag: commit.zip(end).map(|(commit, end)| (end - commit.offset).max(0)),
        member: member.map(|member| member.member.clone()),
        client_id: member.map(|member| member.client_id.clone()),
        host: member.map(|member| member.host.clone()),
        topic: key.0,
        partition,
    }
}

fn text_of(group: &GroupLag) -> String {
    let mut text = format!("group {}: {}, lag {}\n", group.group, group.state, group.lag);
    if group.partitions.is_empty() {
        return text + "nothing committed\n";
    }
    let mut table = Table::new(["topic", "partition", "committed", "end", "lag", "member", "client", "host"]);
    for row in &group.partitions {
        table.row([
            row.topic.clone(),
            row.partition.to_string(),
            or_dash(row.committed),
            or_dash(row.end_offset),
            or_dash(row.lag),
            or_dash(row.member.as_ref()),
            or_dash(row.client_id.as_ref()),
            or_dash(row.host.as_ref()),
        ]);
    }
    text.push_str(&table.render());
    text
}
