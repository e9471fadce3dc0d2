//! `thalweg group describe`

use clap::Args;
use serde::Serialize;

use super::find;
use super::members::{self, Assigned, Described};
use crate::cli::Global;
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::output::{Table, commas, count, or_dash};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[arg(required = true, value_name = "GROUP")]
    groups: Vec<String>,
}

#[derive(Serialize)]
struct Groups {
    groups: Vec<Described>,
}

pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<(), Failure> {
    let mut cluster = Cluster::connect(global)?;
    let all = find::all(&mut cluster, global)?;
    let mut groups = Vec::new();
    for name in &arguments.groups {
        groups.push(members::describe(&mut cluster, global, find::one(&all, name)?)?);
    }
    global.output().emit(&Groups { groups }, |groups| groups.groups.iter().map(text_of).collect::<Vec<_>>().join("\n"))
}

fn text_of(group: &Described) -> String {
    let mut text = format!(
        "group {}\n{}, {}, {}, coordinator {}\n",
        group.group,
        group.kind,
        group.state,
        count(group.members.len() as u64, "member"),
        group.coordinator
    );
    if let Some(assignor) = &group.assignor {
        text.push_str(&format!("assignor {assignor}\n"));
    }
    if let (Some(epoch), Some(assignment)) = (group.epoch, group.assignment_epoch) {
        text.push_str(&format!("epoch {epoch}, of the assignment {assignment}\n"));
    }
    if group.members.is_empty() {
        return text;
    }
    let mut table = Table::new(["member", "instance", "client", "host", "epoch", "reads"]);
    for member in &group.members {
        table.row([
            member.member.clone(),
            or_dash(member.instance_id.as_ref()),
            member.client_id.clone(),
            member.host.clone(),
            or_dash(member.epoch),
            or_dash((!member.assigned.is_empty()).then(|| reads(&member.assigned))),
        ]);
    }
    text + &table.render()
}

/// `orders:0,2 payments:1`.
fn reads(assigned: &[Assigned]) -> String {
    let topics = assigned.iter().map(|assigned| format!("{}:{}", assigned.topic, commas(&assigned.partitions)));
    topics.collect::<Vec<_>>().join(" ")
}
