//! `thalweg topic create`

use clap::Args;
use serde::Serialize;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::CreateTopicsRequest;
use thalweg_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use thalweg_protocol::messages::create_topics_response::CreatableTopicResult;
use thalweg_protocol::uuid_text;

use crate::cli::Global;
use crate::cluster::{Cluster, is_ready, known, text, topic_name};
use crate::commands::config::keys;
use crate::failure::Failure;
use crate::output::count;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    /// How many partitions; the broker's num.partitions where not given
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// How many replicas of each; the broker's default.replication.factor where not given
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i16).range(1..))]
    replication_factor: Option<i16>,
    /// A setting, for example retention.ms=3600000; may be repeated
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = keys::pair)]
    config: Vec<(String, String)>,
    /// A topic that exists is fine
    #[arg(long)]
    if_not_exists: bool,
    /// Only check whether it would work
    #[arg(long)]
    validate_only: bool,
}

#[derive(Serialize)]
struct Created {
    topics: Vec<CreatedTopic>,
    validate_only: bool,
}

#[derive(Serialize)]
struct CreatedTopic {
    name: String,
    /// False for one that existed, with `--if-not-exists`, and with `--validate-only`.
    created: bool,
    id: Option<String>,
    partitions: Option<i32>,
    replication_factor: Option<i16>,
}

pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<(), Failure> {
    let mut cluster = Cluster::connect(global)?;
    let request = CreateTopicsRequest::default()
        .with_topics(arguments.topics.iter().map(|name| creatable(name, arguments)).collect())
        .with_timeout_ms(global.timeout_ms())
        .with_validate_only(arguments.validate_only);
    let answer = cluster.call_controller(&request)?;
    let mut created = Created { topics: Vec::new(), validate_only: arguments.validate_only };
    let mut failed = None;
    for result in &answer.topics {
        match outcome(&mut cluster, arguments, result) {
            Ok(topic) => created.topics.push(topic),
            Err(failure) => failed = failed.or(Some(failure)),
        }
    }
    if !created.topics.is_empty() {
        global.output().emit(&created, text_of)?;
    }
    failed.map_or(Ok(()), Err)
}

fn creatable(name: &str, arguments: &Arguments) -> CreatableTopic {
    let config = |(key, value): &(String, String)| {
        CreatableTopicConfig::default().with_name(text(key)).with_value(Some(text(value)))
    };
    CreatableTopic::default()
        .with_name(topic_name(name))
        // -1: the broker's default (KIP-464).
        .with_num_partitions(arguments.partitions.unwrap_or(-1))
        .with_replication_factor(arguments.replication_factor.unwrap_or(-1))
        .with_configs(arguments.config.iter().map(config).collect())
}

fn outcome(
    cluster: &mut Cluster,
    arguments: &Arguments,
    result: &CreatableTopicResult,
) -> Result<CreatedTopic, Failure> {
    let name = result.name.0.to_string();
    let exists = result.error_code == ErrorCode::TopicAlreadyExists.code();
    if result.error_code != 0 && !(exists && arguments.if_not_exists) {
        let what = format!("cannot create topic `{name}`");
        let failure = Failure::refused(what, result.error_code, result.error_message.as_deref());
        return Err(keys::with_suggestion(failure, cluster, arguments.config.iter().map(|(key, _)| key.as_str())));
    }
    if !exists && !arguments.validate_only {
        cluster.await_topic(&name, |topic| is_ready(topic, 1))?;
    }
    Ok(CreatedTopic {
        name,
        created: !exists && !arguments.validate_only,
        id: (!result.topic_id.is_nil()).then(|| uuid_text(result.topic_id.as_bytes())),
        partitions: known(result.num_partitions).filter(|_| !exists),
        replication_factor: known(result.replication_factor).filter(|_| !exists),
    })
}

fn text_of(created: &Created) -> String {
    let line = |topic: &CreatedTopic| {
        if created.validate_only {
            return format!("topic {} could be created\n", topic.name);
        }
        if !topic.created {
            return format!("topic {} exists already\n", topic.name);
        }
        let partitions = u64::try_from(topic.partitions.unwrap_or(0)).unwrap_or(0);
        let replicas = u64::try_from(topic.replication_factor.unwrap_or(0)).unwrap_or(0);
        format!(
            "created topic {}: {}, {} of each\n",
            topic.name,
            count(partitions, "partition"),
            count(replicas, "replica")
        )
    };
    created.topics.iter().map(line).collect()
}
