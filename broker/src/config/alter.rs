//! AlterConfigs and IncrementalAlterConfigs, and the settings of CreateTopics, as pure functions over the tables
//! (Kafka's `ConfigAdminManager` and `ConfigurationControlManager`, whose messages these are).

use std::collections::{BTreeMap, BTreeSet};

use super::broker::Config;
use super::layers::{BrokerLayers, Overrides};
use super::schema::{ConfigKey, UpdateMode, Use};
use super::tables;
use super::topic::TopicConfig;

/// What to do with one key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AlterOp {
    Set,
    Delete,
    /// Adds elements to a list.
    Append,
    /// Takes elements out of a list.
    Subtract,
}

impl AlterOp {
    /// Kafka's `AlterConfigOp.OpType`.
    pub fn from_wire(id: i8) -> Result<Self, AlterError> {
        match id {
            0 => Ok(Self::Set),
            1 => Ok(Self::Delete),
            2 => Ok(Self::Append),
            3 => Ok(Self::Subtract),
            other => Err(AlterError::request(format!("Unknown operation type {other}"))),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Set => "SET",
            Self::Delete => "DELETE",
            Self::Append => "APPEND",
            Self::Subtract => "SUBTRACT",
        }
    }
}

/// One entry of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alteration {
    pub name: String,
    pub op: AlterOp,
    pub value: Option<String>,
}

/// Why a resource stays as it is.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AlterError {
    /// INVALID_REQUEST
    #[error("{0}")]
    InvalidRequest(String),
    /// INVALID_CONFIG
    #[error("{0}")]
    InvalidConfig(String),
}

impl AlterError {
    pub(super) fn request(message: impl Into<String>) -> Self {
        Self::InvalidRequest(message.into())
    }

    pub(super) fn config(message: impl Into<String>) -> Self {
        Self::InvalidConfig(message.into())
    }
}

/// What is to be stored. Settings that stay as they are do not appear.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Change {
    pub set: Overrides,
    pub unset: Vec<String>,
    /// Keys that were set but do nothing here, and why: worth a line in the log.
    pub without_effect: Vec<(String, &'static str)>,
}

/// Which broker resource a request names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BrokerTarget {
    /// This broker.
    This,
    /// The default of all brokers: the empty name.
    Default,
}

impl BrokerTarget {
    /// Reads the resource's name; another broker's settings are that broker's affair.
    pub fn parse(name: &str, config: &Config) -> Result<Self, AlterError> {
        if name.is_empty() {
            return Ok(Self::Default);
        }
        let id: i32 = name
            .parse()
            .map_err(|_| AlterError::request(format!("Broker id must be an integer, but it is: {name}")))?;
        if id == config.node_id.0 {
            return Ok(Self::This);
        }
        let expected = config.node_id;
        Err(AlterError::request(format!(
            "Unexpected broker id, expected {expected} or empty string, but received {name}"
        )))
    }
}

/// The settings that a new topic is created with.
pub fn new_topic(entries: &[(String, Option<String>)], layers: &BrokerLayers) -> Result<Overrides, AlterError> {
    let mut overrides = Overrides::new();
    let mut nulls = Vec::new();
    for (name, value) in entries {
        match value {
            Some(value) => drop(overrides.insert(name.clone(), value.clone())),
            None => nulls.push(name.as_str()),
        }
    }
    if !nulls.is_empty() {
        return Err(AlterError::config(format!("Null value not supported for topic configs: {}", nulls.join(","))));
    }
    check_topic(&overrides, layers)?;
    Ok(overrides)
}

/// IncrementalAlterConfigs of a topic whose own settings are `current`.
pub fn alter_topic(
    current: &Overrides,
    alterations: &[Alteration],
    layers: &BrokerLayers,
) -> Result<Change, AlterError> {
    let after = apply(current, alterations, Of::Topic)?;
    check_topic(&after, layers)?;
    Ok(difference(current, after, tables::topic_key))
}

/// AlterConfigs of a topic: `entries` are all that it sets itself from now on.
pub fn replace_topic(
    current: &Overrides,
    entries: &[(String, Option<String>)],
    layers: &BrokerLayers,
) -> Result<Change, AlterError> {
    let after = apply(&Overrides::new(), &as_alterations(entries), Of::Topic)?;
    check_topic(&after, layers)?;
    Ok(difference(current, after, tables::topic_key))
}

/// IncrementalAlterConfigs of a broker resource whose own dynamic settings are `current`.
pub fn alter_broker(
    target: BrokerTarget,
    current: &Overrides,
    alterations: &[Alteration],
    config: &Config,
) -> Result<Change, AlterError> {
    let after = apply(current, alterations, Of::Broker)?;
    check_broker(target, &after, config)?;
    Ok(difference(current, after, tables::broker_key))
}

/// AlterConfigs of a broker resource.
pub fn replace_broker(
    target: BrokerTarget,
    current: &Overrides,
    entries: &[(String, Option<String>)],
    config: &Config,
) -> Result<Change, AlterError> {
    let after = apply(&Overrides::new(), &as_alterations(entries), Of::Broker)?;
    check_broker(target, &after, config)?;
    Ok(difference(current, after, tables::broker_key))
}

pub(super) fn as_alterations(entries: &[(String, Option<String>)]) -> Vec<Alteration> {
    let set = |(name, value): &(String, Option<String>)| Alteration {
        name: name.clone(),
        op: AlterOp::Set,
        value: value.clone(),
    };
    entries.iter().map(set).collect()
}

pub(super) type Lookup = fn(&str) -> Option<&'static ConfigKey>;

/// What kind of resource is changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Of {
    Topic,
    Broker,
    Group,
    ClientMetrics,
}

/// What the settings are after `alterations`; nothing is checked but the form of the request.
pub(super) fn apply(current: &Overrides, alterations: &[Alteration], of: Of) -> Result<Overrides, AlterError> {
    check_form(alterations)?;
    let lookup: Lookup = match of {
        Of::Topic => tables::topic_key,
        Of::Broker => tables::broker_key,
        Of::Group => tables::group_key,
        // Kafka does not know their keys where it adds to lists and takes from them.
        Of::ClientMetrics => |_| None,
    };
    let mut after = current.clone();
    for alteration in alterations {
        let (name, value) = (&alteration.name, alteration.value.as_deref().unwrap_or_default());
        match alteration.op {
            AlterOp::Set => drop(after.insert(name.clone(), value.to_owned())),
            AlterOp::Delete => drop(after.remove(name)),
            op @ (AlterOp::Append | AlterOp::Subtract) => {
                let Some(key) = lookup(name).filter(|key| key.is_list()) else {
                    return Err(AlterError::config(not_a_list(op, name, of)));
                };
                let old = after.get(name).map(String::as_str).or(key.default.text()).unwrap_or_default();
                after.insert(name.clone(), change_list(old, op, value));
            }
        }
    }
    Ok(after)
}

/// Topics and groups are altered by Kafka's controller, brokers by themselves; each has its own words.
fn not_a_list(op: AlterOp, name: &str, of: Of) -> String {
    if of == Of::Broker {
        format!("Config value {} is not allowed for config key: {name}", op.name().to_lowercase())
    } else {
        format!("Can't {} to key {name} because its type is not LIST.", op.name())
    }
}

/// What is wrong with a request whatever its values mean.
pub(super) fn check_form(alterations: &[Alteration]) -> Result<(), AlterError> {
    let names: BTreeSet<&str> = alterations.iter().map(|alteration| alteration.name.as_str()).collect();
    if names.len() != alterations.len() {
        return Err(AlterError::request("Error due to duplicate config keys"));
    }
    let null = |alteration: &&Alteration| alteration.op != AlterOp::Delete && alteration.value.is_none();
    let nulls: Vec<&str> = alterations.iter().filter(null).map(|alteration| alteration.name.as_str()).collect();
    if nulls.is_empty() {
        return Ok(());
    }
    Err(AlterError::request(format!("Null value not supported for : {}", nulls.join(","))))
}

/// Elements keep their order; one that is there already is not added again.
fn change_list(old: &str, op: AlterOp, value: &str) -> String {
    let parts = |text: &str| super::value::split_list(text).into_iter().filter(|part| !part.is_empty());
    let mut list: Vec<String> = parts(old).collect();
    for part in parts(value) {
        match op {
            AlterOp::Subtract => list.retain(|element| *element != part),
            _ if !list.contains(&part) => list.push(part),
            _ => {}
        }
    }
    list.join(",")
}

/// Kafka's `LogConfig.validate`: names, then values, then what does not go together.
fn check_topic(overrides: &Overrides, layers: &BrokerLayers) -> Result<(), AlterError> {
    for (name, text) in overrides {
        let Some(key) = tables::topic_key(name) else {
            return Err(AlterError::config(format!("Unknown topic config name: {name}")));
        };
        key.parse(text).map_err(|invalid| AlterError::config(invalid.to_string()))?;
        if let Use::Refused(reason) = key.usage
            && !key.is_harmless(text)
        {
            return Err(AlterError::config(format!("Invalid value {text} for configuration {name}: {reason}")));
        }
    }
    let config = TopicConfig::resolve(overrides, layers).map_err(|invalid| AlterError::config(invalid.to_string()))?;
    if config.min_compaction_lag_ms > config.max_compaction_lag_ms {
        return Err(AlterError::config(format!(
            "conflict topic config setting min.compaction.lag.ms ({}) > max.compaction.lag.ms ({})",
            config.min_compaction_lag_ms, config.max_compaction_lag_ms
        )));
    }
    Ok(())
}

/// Kafka's `DynamicBrokerConfig.validateConfigs`. Whatever is wrong is INVALID_REQUEST there (KAFKA-13609).
fn check_broker(target: BrokerTarget, overrides: &Overrides, config: &Config) -> Result<(), AlterError> {
    if let Some(name) = overrides.keys().find(|name| tables::broker_key(name).is_none()) {
        return Err(AlterError::request(super::load::unknown(name)));
    }
    let none = |message: &str, wrong: &dyn Fn(&ConfigKey) -> bool| none_of(overrides, message, wrong);
    none("Cannot update these configs dynamically", &|key| key.mode == UpdateMode::ReadOnly)?;
    none("These security configs can be dynamically updated only per-listener using the listener prefix", &|key| {
        key.mode == UpdateMode::PerBroker && key.name.starts_with("ssl.")
    })?;
    for (name, text) in overrides {
        check_broker_value(name, text)?;
    }
    if target == BrokerTarget::Default {
        none("Cannot update these configs at default cluster level, broker id must be specified", &|key| {
            key.mode == UpdateMode::PerBroker
        })?;
    }
    let layers = &config.layers;
    let after = match target {
        BrokerTarget::This => config.with_dynamic(overrides.clone().into(), layers.dynamic_default.clone()),
        BrokerTarget::Default => config.with_dynamic(layers.dynamic_broker.clone(), overrides.clone().into()),
    };
    let checked = after.and_then(|after| super::relations::check(&after));
    checked.map_err(|invalid| AlterError::request(invalid.to_string()))
}

/// Refuses all keys that are `wrong`, with `message` before their list.
fn none_of(overrides: &Overrides, message: &str, wrong: &dyn Fn(&ConfigKey) -> bool) -> Result<(), AlterError> {
    let names = overrides.keys().filter(|name| tables::broker_key(name).is_some_and(wrong));
    let names: Vec<&str> = names.map(String::as_str).collect();
    if names.is_empty() { Ok(()) } else { Err(AlterError::request(format!("{message}: [{}]", names.join(", ")))) }
}

fn check_broker_value(name: &str, text: &str) -> Result<(), AlterError> {
    let Some(key) = tables::broker_key(name) else { return Ok(()) };
    key.parse(text).map_err(|invalid| AlterError::request(invalid.to_string()))?;
    match key.usage {
        Use::Refused(reason) if !key.is_harmless(text) => {
            Err(AlterError::request(format!("Invalid value {text} for configuration {name}: {reason}")))
        }
        Use::Used | Use::NoEffect(_) | Use::Refused(_) => Ok(()),
    }
}

pub(super) fn difference(before: &Overrides, after: Overrides, lookup: Lookup) -> Change {
    let unset = before.keys().filter(|name| !after.contains_key(*name)).cloned().collect();
    let set: BTreeMap<String, String> =
        after.into_iter().filter(|(name, value)| before.get(name) != Some(value)).collect();
    let without_effect = |name: &String| match lookup(name)?.usage {
        Use::NoEffect(reason) => Some((name.clone(), reason)),
        Use::Used | Use::Refused(_) => None,
    };
    let without_effect = set.keys().filter_map(without_effect).collect();
    Change { set, unset, without_effect }
}
