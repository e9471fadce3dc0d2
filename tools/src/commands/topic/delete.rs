//! `thalweg topic delete`

use clap::Args;
use serde::Serialize;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::DeleteTopicsRequest;
use thalweg_protocol::messages::delete_topics_request::DeleteTopicState;

use crate::cli::Global;
use crate::cluster::{Cluster, topic_name};
use crate::failure::Failure;

/// From this version on, the request names topics in `topics` (KIP-516); before, in `topic_names`.
const VERSION_WITH_TOPIC_STATES: i16 = 6;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    /// A topic that does not exist is fine
    #[arg(long)]
    if_exists: bool,
}

#[derive(Serialize)]
struct Deleted {
    deleted: Vec<String>,
    missing: Vec<String>,
}

pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<(), Failure> {
    let mut cluster = Cluster::connect(global)?;
    let version = cluster.any().version::<DeleteTopicsRequest>()?;
    let answer = cluster.call_controller(&request(version, global, &arguments.topics))?;
    let mut done = Deleted { deleted: Vec::new(), missing: Vec::new() };
    let mut failed = None;
    for result in &answer.responses {
        let name = result.name.as_ref().map(|name| name.0.to_string()).unwrap_or_default();
        match ErrorCode::from_code(result.error_code) {
            Some(ErrorCode::None) => {
                cluster.await_topic(&name, |topic| topic.error_code != 0)?;
                done.deleted.push(name);
            }
            Some(ErrorCode::UnknownTopicOrPartition) if arguments.if_exists => done.missing.push(name),
            Some(ErrorCode::UnknownTopicOrPartition) => failed = failed.or_else(|| Some(cluster.unknown_topic(&name))),
            _ => {
                let what = format!("cannot delete topic `{name}`");
                let refused = Failure::refused(what, result.error_code, result.error_message.as_deref());
                failed = failed.or(Some(refused));
            }
        }
    }
    if failed.is_none() || !done.deleted.is_empty() {
        global.output().emit(&done, text_of)?;
    }
    failed.map_or(Ok(()), Err)
}

fn request(version: i16, global: &Global, names: &[String]) -> DeleteTopicsRequest {
    let request = DeleteTopicsRequest::default().with_timeout_ms(global.timeout_ms());
    if version >= VERSION_WITH_TOPIC_STATES {
        let state = |name: &String| DeleteTopicState::default().with_name(Some(topic_name(name)));
        request.with_topics(names.iter().map(state).collect())
    } else {
        request.with_topic_names(names.iter().map(|name| topic_name(name)).collect())
    }
}

fn text_of(done: &Deleted) -> String {
    let deleted = done.deleted.iter().map(|name| format!("deleted topic {name}\n"));
    deleted.chain(done.missing.iter().map(|name| format!("topic {name} did not exist\n"))).collect()
}
