//! `thalweg config …`: settings of topics and brokers.

mod get;
pub(crate) mod keys;
mod set;
mod unset;

use std::str::FromStr;

use clap::Subcommand;
use serde::Serialize;
use thalweg_protocol::messages::describe_configs_request::DescribeConfigsResource;
use thalweg_protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use thalweg_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use thalweg_protocol::messages::{DescribeConfigsRequest, IncrementalAlterConfigsRequest};

use crate::cli::Global;
use crate::cluster::{Cluster, text};
use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show settings
    Get(get::Arguments),
    /// Give settings a value
    Set(set::Arguments),
    /// Take settings back to their default
    Unset(unset::Arguments),
}

pub(crate) fn run(global: &Global, command: Command) -> Result<(), Failure> {
    match command {
        Command::Get(arguments) => get::run(global, &arguments),
        Command::Set(arguments) => set::run(global, &arguments),
        Command::Unset(arguments) => unset::run(global, &arguments),
    }
}

/// What kind of thing a setting belongs to, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    Topic,
    Broker,
}

/// What settings belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resource {
    Topic(String),
    Broker(i32),
    /// The defaults of all brokers.
    Brokers,
}

impl Resource {
    pub(crate) fn parse(kind: Kind, name: &str) -> Result<Self, Failure> {
        match kind {
            Kind::Topic => Ok(Self::Topic(name.to_owned())),
            Kind::Broker if name == "default" => Ok(Self::Brokers),
            Kind::Broker => i32::from_str(name).map(Self::Broker).map_err(|_| {
                Failure::usage(format!("`{name}` is no broker id"))
                    .hint("a number from `thalweg cluster info`, or `default` for all brokers")
            }),
        }
    }

    /// `org.apache.kafka.common.config.ConfigResource.Type`.
    const fn kafka_type(&self) -> i8 {
        match self {
            Self::Topic(_) => 2,
            Self::Broker(_) | Self::Brokers => 4,
        }
    }

    fn kafka_name(&self) -> String {
        match self {
            Self::Topic(name) => name.clone(),
            Self::Broker(id) => id.to_string(),
            Self::Brokers => String::new(),
        }
    }

    /// A broker's own settings must be asked of that broker; everything else of any.
    fn node(&self) -> Option<i32> {
        match self {
            Self::Broker(id) => Some(*id),
            Self::Topic(_) | Self::Brokers => None,
        }
    }
}

impl std::fmt::Display for Resource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Topic(name) => write!(f, "topic `{name}`"),
            Self::Broker(id) => write!(f, "broker {id}"),
            Self::Brokers => f.write_str("all brokers"),
        }
    }
}

/// One setting.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Entry {
    pub(crate) key: String,
    /// `None` when it is secret.
    pub(crate) value: Option<String>,
    /// Where the value comes from, in Kafka's words.
    pub(crate) source: &'static str,
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) read_only: bool,
    pub(crate) sensitive: bool,
    pub(crate) documentation: Option<String>,
}

impl Entry {
    pub(crate) fn is_set_on_topic(&self) -> bool {
        self.source == "DYNAMIC_TOPIC_CONFIG"
    }

    pub(crate) fn is_default(&self) -> bool {
        self.source == "DEFAULT_CONFIG"
    }

    fn from_answer(entry: &DescribeConfigsResourceResult) -> Self {
        Self {
            key: entry.name.to_string(),
            value: entry.value.as_ref().map(ToString::to_string),
            source: source(entry.config_source),
            kind: kind(entry.config_type),
            read_only: entry.read_only,
            sensitive: entry.is_sensitive,
            documentation: entry.documentation.as_ref().map(ToString::to_string),
        }
    }
}

/// `DescribeConfigsResponse.ConfigSource`.
const fn source(id: i8) -> &'static str {
    match id {
        1 => "DYNAMIC_TOPIC_CONFIG",
        2 => "DYNAMIC_BROKER_CONFIG",
        3 => "DYNAMIC_DEFAULT_BROKER_CONFIG",
        4 => "STATIC_BROKER_CONFIG",
        5 => "DEFAULT_CONFIG",
        6 => "DYNAMIC_BROKER_LOGGER_CONFIG",
        7 => "CLIENT_METRICS_CONFIG",
        8 => "GROUP_CONFIG",
        _ => "UNKNOWN",
    }
}

/// `DescribeConfigsResponse.ConfigType`.
const fn kind(id: i8) -> &'static str {
    match id {
        1 => "BOOLEAN",
        2 => "STRING",
        3 => "INT",
        4 => "SHORT",
        5 => "LONG",
        6 => "DOUBLE",
        7 => "LIST",
        8 => "CLASS",
        9 => "PASSWORD",
        _ => "UNKNOWN",
    }
}

/// The settings of one resource, by key; all of them where `keys` is empty.
pub(crate) fn describe(cluster: &mut Cluster, resource: &Resource, keys: &[String]) -> Result<Vec<Entry>, Failure> {
    if let Resource::Topic(name) = resource {
        cluster.topic(name)?;
    }
    let wanted = DescribeConfigsResource::default()
        .with_resource_type(resource.kafka_type())
        .with_resource_name(text(&resource.kafka_name()))
        .with_configuration_keys((!keys.is_empty()).then(|| keys.iter().map(|key| text(key)).collect()));
    let request = DescribeConfigsRequest::default().with_resources(vec![wanted]).with_include_documentation(true);
    let answer = match resource.node() {
        Some(node) => cluster.node(node)?.call(&request)?,
        None => cluster.any().call(&request)?,
    };
    let result =
        answer.results.first().ok_or_else(|| Failure::new(format!("the broker says nothing about {resource}")))?;
    if result.error_code != 0 {
        let what = format!("cannot read the settings of {resource}");
        return Err(Failure::refused(what, result.error_code, result.error_message.as_deref()));
    }
    let mut entries: Vec<Entry> = result.configs.iter().map(Entry::from_answer).collect();
    entries.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(entries)
}

/// One setting to change; no value takes it back to its default.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Change {
    key: String,
    value: Option<String>,
}

impl Change {
    pub(crate) fn set(key: &str, value: &str) -> Self {
        Self { key: key.to_owned(), value: Some(value.to_owned()) }
    }

    pub(crate) fn unset(key: &str) -> Self {
        Self { key: key.to_owned(), value: None }
    }

    /// `AlterConfigOp.OpType`: 0 sets, 1 deletes.
    fn to_request(&self) -> AlterableConfig {
        AlterableConfig::default()
            .with_name(text(&self.key))
            .with_config_operation(i8::from(self.value.is_none()))
            .with_value(self.value.as_deref().map(text))
    }
}

#[derive(Serialize)]
struct Altered<'a> {
    resource: AlteredResource<'a>,
    changes: &'a [Change],
    validate_only: bool,
}

#[derive(Serialize)]
struct AlteredResource<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    name: String,
}

/// Changes settings (KIP-339: only those named) and says which.
pub(crate) fn alter_and_say(
    cluster: &mut Cluster,
    global: &Global,
    resource: &Resource,
    changes: &[Change],
    validate_only: bool,
) -> Result<(), Failure> {
    alter(cluster, resource, changes, validate_only)?;
    let kind = if matches!(resource, Resource::Topic(_)) { "topic" } else { "broker" };
    let altered = Altered { resource: AlteredResource { kind, name: resource.kafka_name() }, changes, validate_only };
    global.output().emit(&altered, |altered| {
        let would = if validate_only { "could be " } else { "" };
        let line = |change: &Change| match &change.value {
            Some(value) => format!("{resource}: {would}set {}={value}\n", change.key),
            None => format!("{resource}: {would}unset {}\n", change.key),
        };
        altered.changes.iter().map(line).collect()
    })
}

fn alter(cluster: &mut Cluster, resource: &Resource, changes: &[Change], validate_only: bool) -> Result<(), Failure> {
    if let Resource::Topic(name) = resource {
        cluster.topic(name)?;
    }
    let wanted = AlterConfigsResource::default()
        .with_resource_type(resource.kafka_type())
        .with_resource_name(text(&resource.kafka_name()))
        .with_configs(changes.iter().map(Change::to_request).collect());
    let request =
        IncrementalAlterConfigsRequest::default().with_resources(vec![wanted]).with_validate_only(validate_only);
    let answer = match resource.node() {
        Some(node) => cluster.node(node)?.call(&request)?,
        None => cluster.call_controller(&request)?,
    };
    let Some(refused) = answer.responses.iter().find(|response| response.error_code != 0) else { return Ok(()) };
    let what = format!("cannot change the settings of {resource}");
    let failure = Failure::refused(what, refused.error_code, refused.error_message.as_deref());
    Err(keys::with_suggestion_for(failure, cluster, resource, changes.iter().map(|change| change.key.as_str())))
}
