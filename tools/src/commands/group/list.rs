//! `thalweg group list`

use clap::Args;
use serde::Serialize;

use super::find;
use crate::cli::Global;
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::output::{Table, or_dash};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Only groups whose name contains this
    filter: Option<String>,
    /// Only groups in these states: stable, empty, preparingrebalance, …
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    state: Vec<String>,
    /// Only groups of these types: classic, consumer, share, streams
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',')]
    kind: Vec<String>,
}

#[derive(Serialize)]
struct List {
    groups: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    group: String,
    #[serde(rename = "type")]
    kind: String,
    protocol: Option<String>,
    state: Option<String>,
    coordinator: i32,
}

pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<(), Failure> {
    let groups = find::all(&mut Cluster::connect(global)?, global)?;
    let wanted = arguments.filter.as_deref().unwrap_or_default();
    let groups = groups
        .into_iter()
        .filter(|group| group.group.contains(wanted))
        .filter(|group| among(&arguments.state, group.state.as_deref().unwrap_or_default()))
        .filter(|group| among(&arguments.kind, &group.kind))
        .map(|group| Row {
            group: group.group,
            kind: group.kind,
            protocol: (!group.protocol.is_empty()).then_some(group.protocol),
            state: group.state,
            coordinator: group.coordinator,
        })
        .collect();
    global.output().emit(&List { groups }, |list| {
        let mut table = Table::new(["group", "type", "protocol", "state", "coordinator"]);
        for group in &list.groups {
            table.row([
                group.group.clone(),
                group.kind.clone(),
                or_dash(group.protocol.as_ref()),
                or_dash(group.state.as_ref()),
                group.coordinator.to_string(),
            ]);
        }
        table.render()
    })
}

/// Without a wish, everything is wanted. Kafka's tools compare states and types without regard to case, and so do we.
fn among(wanted: &[String], found: &str) -> bool {
    wanted.is_empty() || wanted.iter().any(|word| word.eq_ignore_ascii_case(found))
}

#[cfg(test)]
mod tests {
    use super::among;

    #[test]
    fn filters_do_not_care_for_case() {
        let wanted = ["stable".to_owned(), "EMPTY".to_owned()];
        assert!(among(&wanted, "Stable") && among(&wanted, "Empty") && among(&[], "Dead"));
        assert!(!among(&wanted, "Dead") && !among(&wanted, ""));
    }
}
