//! `thalweg topic add-partitions`

use clap::Args;
use serde::Serialize;
use thalweg_protocol::messages::CreatePartitionsRequest;
use thalweg_protocol::messages::create_partitions_request::CreatePartitionsTopic;

use crate::cli::Global;
use crate::cluster::{Cluster, is_ready, topic_name};
use crate::failure::Failure;

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("how-many").required(true).args(["to", "add"]))]
pub(crate) struct Arguments {
    topic: String,
    /// How many partitions the topic shall have then
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    to: Option<i32>,
    /// How many to add
    #[arg(value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    add: Option<i32>,
    /// Only check whether it would work
    #[arg(long)]
    validate_only: bool,
}

#[derive(Serialize)]
struct Added {
    topic: String,
    partitions_before: usize,
    partitions_after: i32,
    validate_only: bool,
}

pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<(), Failure> {
    let mut cluster = Cluster::connect(global)?;
    let before = cluster.topic(&arguments.topic)?.partitions.len();
    let after = wanted(arguments, before)?;
    let topic = CreatePartitionsTopic::default()
        .with_name(topic_name(&arguments.topic))
        .with_count(after)
        .with_assignments(None);
    let request = CreatePartitionsRequest::default()
        .with_topics(vec![topic])
        .with_timeout_ms(global.timeout_ms())
        .with_validate_only(arguments.validate_only);
    let answer = cluster.call_controller(&request)?;
    if let Some(result) = answer.results.iter().find(|result| result.error_code != 0) {
        let what = format!("cannot add partitions to topic `{}`", arguments.topic);
        return Err(Failure::refused(what, result.error_code, result.error_message.as_deref()));
    }
    if !arguments.validate_only {
        let partitions = usize::try_from(after).unwrap_or(usize::MAX);
        cluster.await_topic(&arguments.topic, |topic| is_ready(topic, partitions))?;
    }
    let added = Added {
        topic: arguments.topic.clone(),
        partitions_before: before,
        partitions_after: after,
        validate_only: arguments.validate_only,
    };
    global.output().emit(&added, |added| {
        let would = if added.validate_only { "could have" } else { "has" };
        format!("topic {} {would} {after} partitions; before: {before}", added.topic)
    })
}

fn wanted(arguments: &Arguments, before: usize) -> Result<i32, Failure> {
    let before = i32::try_from(before).unwrap_or(i32::MAX);
    let after = match (arguments.to, arguments.add) {
        (Some(to), _) => Some(to),
        (None, add) => before.checked_add(add.unwrap_or(0)),
    };
    after.filter(|after| *after > before).ok_or_else(|| {
        Failure::new(format!("topic `{}` has {before} partitions already", arguments.topic))
            .hint("the number can only grow; to have fewer, create another topic and copy the records")
    })
}
