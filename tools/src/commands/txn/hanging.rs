//! `thalweg txn hanging`
//!
//! A transaction hangs when a partition waits for its end and no coordinator will bring it: its producer is unknown to all
//! of them, or has another epoch, or its transaction does not have that partition. Only those that are older than any
//! transaction may be are looked at.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;
use thalweg_protocol::messages::describe_producers_response::ProducerState;
use thalweg_protocol::messages::{ListTransactionsRequest, ProducerId};

use super::{find, producers};
use crate::cli::Global;
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::output::Table;
use crate::time::{format_ms, now_ms, parse_duration};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Only partitions of this topic
    #[arg(long)]
    topic: Option<String>,
    /// Only this partition of the topic
    #[arg(long, requires = "topic")]
    partition: Option<i32>,
    /// What the brokers have as transaction.max.timeout.ms: younger transactions are left alone
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = duration)]
    max_transaction_timeout: i64,
}

fn duration(text: &str) -> Result<i64, String> {
    parse_duration(text).ok_or_else(|| "this is no duration such as 90s, 10m, 2h or PT5M".to_owned())
}

#[derive(Serialize)]
struct Hanging {
    transactions: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    topic: String,
    partition: i32,
    producer_id: i64,
    producer_epoch: i32,
    coordinator_epoch: i32,
    start_offset: i64,
    last_timestamp_ms: i64,
}

pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<(), Failure> {
    let mut cluster = Cluster::connect(global)?;
    let mut transactions = Vec::new();
    for (topic, partition) in partitions(&mut cluster, arguments)? {
        let open = producers::of(&mut cluster, &topic, partition)?;
        let before_ms = now_ms().saturating_sub(arguments.max_transaction_timeout);
        let is_old = |producer: &ProducerState| producer.last_timestamp < before_ms;
        let suspects: Vec<_> =
            open.into_iter().filter(|producer| producer.current_txn_start_offset >= 0 && is_old(producer)).collect();
        let owners = owners(&mut cluster, global, &suspects)?;
        for suspect in suspects {
            if !is_looked_after(
                &mut cluster,
                global,
                owners.get(&suspect.producer_id.0),
                (&topic, partition),
                &suspect,
            )? {
                transactions.push(row(topic.clone(), partition, &suspect));
            }
        }
    }
    global.output().emit(&Hanging { transactions }, text_of)
}

fn row(topic: String, partition: i32, producer: &ProducerState) -> Row {
    Row {
        topic,
        partition,
        producer_id: producer.producer_id.0,
        producer_epoch: producer.producer_epoch,
        coordinator_epoch: producer.coordinator_epoch,
        start_offset: producer.current_txn_start_offset,
        last_timestamp_ms: producer.last_timestamp,
    }
}

/// Those to be looked at: the named ones, or all there are.
fn partitions(cluster: &mut Cluster, arguments: &Arguments) -> Result<Vec<(String, i32)>, Failure> {
    if let (Some(topic), Some(partition)) = (&arguments.topic, arguments.partition) {
        return Ok(vec![(topic.clone(), partition)]);
    }
    let topics = match &arguments.topic {
        Some(topic) => vec![cluster.topic(topic)?],
        None => cluster.topics()?,
    };
    let named = topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|partition| (topic.name.clone(), partition.index)).collect::<Vec<_>>()
    });
    Ok(named.collect())
}

/// The transactional id of each producer, where a coordinator knows it.
fn owners(
    cluster: &mut Cluster,
    global: &Global,
    suspects: &[ProducerState],
) -> Result<BTreeMap<i64, String>, Failure> {
    if suspects.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ids = suspects.iter().map(|producer| ProducerId(producer.producer_id.0)).collect();
    let request = ListTransactionsRequest::default().with_producer_id_filters(ids).with_duration_filter(-1);
    let listed = find::all(cluster, global, &request)?;
    Ok(listed.into_iter().map(|listed| (listed.producer_id, listed.id)).collect())
}

/// Whether a coordinator will end the transaction in this partition.
fn is_looked_after(
    cluster: &mut Cluster,
    global: &Global,
    owner: Option<&String>,
    (topic, partition): (&str, i32),
    suspect: &ProducerState,
) -> Result<bool, Failure> {
    let Some(owner) = owner else { return Ok(false) };
    let state = find::describe(cluster, global, owner)?;
    let has_partition =
        state.topics.iter().any(|known| known.topic.0.as_str() == topic && known.partitions.contains(&partition));
    Ok(has_partition && i32::from(state.producer_epoch) >= suspect.producer_epoch)
}

fn text_of(hanging: &Hanging) -> String {
    let mut table = Table::new(["partition", "producer", "epoch", "coordinator", "start offset", "last written"]);
    for row in &hanging.transactions {
        table.row([
            format!("{}-{}", row.topic, row.partition),
            row.producer_id.to_string(),
            row.producer_epoch.to_string(),
            row.coordinator_epoch.to_string(),
            row.start_offset.to_string(),
            format_ms(row.last_timestamp_ms),
        ]);
    }
    table.render()
}
