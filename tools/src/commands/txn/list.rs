//! `thalweg txn list`

use clap::Args;
use serde::Serialize;
use thalweg_protocol::messages::{ListTransactionsRequest, ProducerId};

use super::find;
use crate::cli::Global;
use crate::cluster::{Cluster, text};
use crate::failure::Failure;
use crate::output::Table;
use crate::time::parse_duration;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Only ids whose name contains this
    filter: Option<String>,
    /// Only transactions in these states: Ongoing, PrepareCommit, CompleteAbort, …
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    state: Vec<String>,
    /// Only the transactions of these producers
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    producer_id: Vec<i64>,
    /// Only transactions that have been running for longer than this: 90s, 10m, 2h, PT5M
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    running_longer_than: Option<i64>,
    /// Only ids that match this regular expression as a whole
    #[arg(long, value_name = "PATTERN")]
    pattern: Option<String>,
}

fn duration(text: &str) -> Result<i64, String> {
    parse_duration(text).ok_or_else(|| "this is no duration such as 90s, 10m, 2h or PT5M".to_owned())
}

#[derive(Serialize)]
struct List {
    transactions: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    transactional_id: String,
    producer_id: i64,
    state: String,
    coordinator: i32,
}

pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<(), Failure> {
    let wanted = arguments.filter.as_deref().unwrap_or_default();
    let listed = find::all(&mut Cluster::connect(global)?, global, &request(arguments))?;
    let transactions = listed
        .into_iter()
        .filter(|listed| listed.id.contains(wanted))
        .map(|listed| Row {
            transactional_id: listed.id,
            producer_id: listed.producer_id,
            state: listed.state,
            coordinator: listed.coordinator,
        })
        .collect();
    global.output().emit(&List { transactions }, |list| {
        let mut table = Table::new(["transactional id", "state", "producer", "coordinator"]);
        for Row { transactional_id, producer_id, state, coordinator } in &list.transactions {
            table.row([transactional_id.clone(), state.clone(), producer_id.to_string(), coordinator.to_string()]);
        }
        table.render()
    })
}

fn request(arguments: &Arguments) -> ListTransactionsRequest {
    ListTransactionsRequest::default()
        .with_state_filters(arguments.state.iter().map(|state| text(state)).collect())
        .with_producer_id_filters(arguments.producer_id.iter().map(|id| ProducerId(*id)).collect())
        .with_duration_filter(arguments.running_longer_than.unwrap_or(-1))
        .with_transactional_id_pattern(arguments.pattern.as_deref().map(text))
}
