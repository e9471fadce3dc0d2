//! `thalweg txn describe`

use clap::Args;
use serde::Serialize;

use super::find;
use crate::cli::Global;
use crate::cluster::{Cluster, known};
use crate::failure::Failure;
use crate::output::{commas, or_dash};
use crate::time::{format_ms, now_ms};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[arg(required = true, value_name = "TRANSACTIONAL_ID")]
    ids: Vec<String>,
}

#[derive(Serialize)]
struct Described {
    transactions: Vec<Transaction>,
}

#[derive(Serialize)]
struct Transaction {
    transactional_id: String,
    state: String,
    producer_id: i64,
    producer_epoch: i16,
    timeout_ms: i32,
    started_ms: Option<i64>,
    running_ms: Option<i64>,
    /// Of a transaction that is being ended, those that do not know it yet.
    partitions: Vec<Partitions>,
}

#[derive(Serialize)]
struct Partitions {
    topic: String,
    partitions: Vec<i32>,
}

pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<(), Failure> {
    let mut cluster = Cluster::connect(global)?;
    let mut transactions = Vec::new();
    for id in &arguments.ids {
        transactions.push(describe(&mut cluster, global, id)?);
    }
    global.output().emit(&Described { transactions }, |described| {
        described.transactions.iter().map(text_of).collect::<Vec<_>>().join("\n")
    })
}

fn describe(cluster: &mut Cluster, global: &Global, id: &str) -> Result<Transaction, Failure> {
    let state = find::describe(cluster, global, id)?;
    let started_ms = known(state.transaction_start_time_ms);
    let is_over = state.transaction_state.starts_with("Complete");
    let partitions = state.topics.into_iter().map(|topic| {
        let mut partitions = topic.partitions;
        partitions.sort_unstable();
        Partitions { topic: topic.topic.0.to_string(), partitions }
    });
    Ok(Transaction {
        transactional_id: id.to_owned(),
        state: state.transaction_state.to_string(),
        producer_id: state.producer_id.0,
        producer_epoch: state.producer_epoch,
        timeout_ms: state.transaction_timeout_ms,
        started_ms,
        running_ms: started_ms.filter(|_| !is_over).map(|started_ms| now_ms().saturating_sub(started_ms)),
        partitions: partitions.collect(),
    })
}

fn text_of(transaction: &Transaction) -> String {
    let Transaction { transactional_id, state, producer_id, producer_epoch, timeout_ms, .. } = transaction;
    let mut text = format!(
        "{transactional_id}: {state}\n  producer {producer_id}, epoch {producer_epoch}\n  timeout {timeout_ms} ms, began {}{}\n",
        or_dash(transaction.started_ms.map(format_ms)),
        transaction.running_ms.map_or_else(String::new, |ms| format!(", running for {ms} ms")),
    );
    for Partitions { topic, partitions } in &transaction.partitions {
        text += &format!("  {topic}: {}\n", commas(partitions));
    }
    text
}
