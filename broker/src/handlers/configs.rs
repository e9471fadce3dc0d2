//! What the config APIs share: naming a resource, what is set on it, and asking the controller for a change.

use std::collections::BTreeMap;
use std::sync::Arc;

use thalweg_protocol::error::ErrorCode;

use super::creation::Refused;
use crate::config::alter::{self, AlterError, Alteration, BrokerTarget, Change};
use crate::config::describe::{self, Described, Wanted};
use crate::config::{BrokerLayers, Overrides, client_metrics, group};
use crate::controller::Command;
use crate::dispatch::Context;
use crate::metadata::Topic;

/// Kafka's `ConfigResource.Type`.
pub const TOPIC: i8 = 2;
pub const BROKER: i8 = 4;
pub const BROKER_LOGGER: i8 = 8;
pub const CLIENT_METRICS: i8 = 16;
pub const GROUP: i8 = 32;

/// Longest name of a group that can have settings: that of a group that can be.
const GROUP_NAME_LENGTH_MAX: usize = i16::MAX as usize;

/// Something that has settings.
pub enum Resource {
    Topic(Arc<Topic>),
    Broker(BrokerTarget),
    /// The group need not exist.
    Group(String),
    /// The log level, which is set by the environment and cannot be changed by request.
    Logger,
    /// A subscription to clients' metrics, which may have no settings yet.
    ClientMetrics(String),
}

/// What a request wants of a resource.
pub enum Wish {
    /// IncrementalAlterConfigs
    Alter(Vec<Alteration>),
    /// AlterConfigs: all that is set from now on.
    Replace(Vec<(String, Option<String>)>),
}

impl From<AlterError> for Refused {
    fn from(error: AlterError) -> Self {
        let code = match &error {
            AlterError::InvalidRequest(_) => ErrorCode::InvalidRequest,
            AlterError::InvalidConfig(_) => ErrorCode::InvalidConfig,
        };
        Self::new(code, error.to_string())
    }
}

pub fn find(context: &Context, kind: i8, name: &str) -> Result<Resource, Refused> {
    let config = context.core.config();
    match kind {
        TOPIC => {
            super::topics::check_name(name).map_err(|why| {
                Refused::new(ErrorCode::InvalidTopicException, format!("Topic name is invalid: {why}"))
            })?;
            let topic = context.core.image().topic(name).cloned();
            topic.map(Resource::Topic).ok_or_else(|| {
                Refused::new(ErrorCode::UnknownTopicOrPartition, "This server does not host this topic-partition.")
            })
        }
        BROKER => Ok(Resource::Broker(BrokerTarget::parse(name, &config)?)),
        BROKER_LOGGER => {
            match BrokerTarget::parse(name, &config)? {
                BrokerTarget::This => Ok(Resource::Logger),
                // Each broker has loggers of its own; there are none of all.
                BrokerTarget::Default => Err(Refused::new(ErrorCode::InvalidRequest, "Broker id must not be empty")),
            }
        }
        CLIENT_METRICS if name.is_empty() => {
            Err(Refused::new(ErrorCode::InvalidRequest, "Client metrics subscription name must not be empty"))
        }
        CLIENT_METRICS => Ok(Resource::ClientMetrics(name.to_owned())),
        GROUP if name.is_empty() => {
            Err(Refused::new(ErrorCode::InvalidRequest, "Default group resources are not allowed."))
        }
        GROUP if name.len() > GROUP_NAME_LENGTH_MAX => {
            Err(Refused::new(ErrorCode::InvalidRequest, "The name of the group is too long."))
        }
        GROUP => Ok(Resource::Group(name.to_owned())),
        other => Err(Refused::new(
            ErrorCode::InvalidRequest,
            format!("Unexpected resource type {other} for resource {name}."),
        )),
    }
}

/// What was set on a broker resource while brokers ran.
fn dynamic(context: &Context, target: BrokerTarget) -> Arc<Overrides> {
    let layers = &context.core.config().layers;
    match target {
        BrokerTarget::This => Arc::clone(&layers.dynamic_broker),
        BrokerTarget::Default => Arc::clone(&layers.dynamic_default),
    }
}

/// What was set for a group.
fn of_group(context: &Context, name: &str) -> Arc<Overrides> {
    context.core.image().group_configs.get(name).cloned().unwrap_or_default()
}

/// The settings of a subscription; nobody has to create one first.
fn subscription(context: &Context, name: &str) -> Arc<Overrides> {
    context.core.image().client_metrics.get(name).cloned().unwrap_or_default()
}

pub fn describe(context: &Context, resource: &Resource, wanted: Wanted<'_>) -> Vec<Described> {
    let config = context.core.config();
    match resource {
        Resource::Topic(topic) => describe::topic(&topic.configs, &config.layers, wanted),
        Resource::Broker(BrokerTarget::This) => describe::broker(&config, wanted),
        Resource::Broker(BrokerTarget::Default) => describe::broker_default(&config.layers.dynamic_default, wanted),
        Resource::Group(name) => describe::group(&of_group(context, name), &config.layers, wanted),
        Resource::ClientMetrics(name) => client_metrics::describe(&subscription(context, name), wanted),
        Resource::Logger => describe::loggers(&BTreeMap::from([("root".to_owned(), "INFO".to_owned())]), wanted),
    }
}

/// Checks a wish and, unless it is only to be checked, has it carried out.
pub async fn change(context: &Context, resource: Resource, wish: Wish, validate_only: bool) -> Result<(), Refused> {
    let config = context.core.config();
    let change = match &resource {
        Resource::Topic(topic) => topic_change(&topic.configs, wish, &config.layers)?,
        Resource::Broker(target) => {
            let current = dynamic(context, *target);
            match wish {
                Wish::Alter(alterations) => alter::alter_broker(*target, &current, &alterations, &config)?,
                Wish::Replace(entries) => alter::replace_broker(*target, &current, &entries, &config)?,
            }
        }
        Resource::Group(name) => {
            let current = of_group(context, name);
            match wish {
                Wish::Alter(alterations) => group::alter_group(&current, &alterations, &config.layers)?,
                Wish::Replace(entries) => group::replace_group(&current, &entries, &config.layers)?,
            }
        }
        Resource::ClientMetrics(name) => {
            let current = subscription(context, name);
            match wish {
                Wish::Alter(alterations) => client_metrics::alter(name, &current, &alterations)?,
                Wish::Replace(entries) => client_metrics::replace(name, &current, &entries)?,
            }
        }
        Resource::Logger => {
            let message = "log levels are set by the environment variable THALWEG_LOG at start";
            return Err(Refused::new(ErrorCode::InvalidRequest, message));
        }
    };
    for (key, reason) in &change.without_effect {
        tracing::warn!("{key} was set and has no effect: {reason}");
    }
    if validate_only || (change.set.is_empty() && change.unset.is_empty()) {
        return Ok(());
    }
    context.core.change(command(&resource, config.node_id.0, change)).await?;
    Ok(())
}

fn command(resource: &Resource, node_id: i32, Change { set, unset, .. }: Change) -> Command {
    match resource {
        Resource::Topic(topic) => Command::SetTopicConfigs { id: topic.id, set, unset },
        Resource::Group(name) => Command::SetGroupConfigs { group: name.clone(), set, unset },
        Resource::ClientMetrics(name) => Command::SetClientMetrics { name: name.clone(), set, unset },
        Resource::Broker(BrokerTarget::Default) => Command::SetBrokerConfigs { node_id: None, set, unset },
        Resource::Broker(BrokerTarget::This) | Resource::Logger => {
            Command::SetBrokerConfigs { node_id: Some(node_id), set, unset }
        }
    }
}

fn topic_change(current: &Overrides, wish: Wish, layers: &BrokerLayers) -> Result<Change, AlterError> {
    match wish {
        Wish::Alter(alterations) => alter::alter_topic(current, &alterations, layers),
        Wish::Replace(entries) => alter::replace_topic(current, &entries, layers),
    }
}
