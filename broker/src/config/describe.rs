//! DescribeConfigs as pure functions over the tables (Kafka's `ConfigHelper`).

use std::collections::BTreeMap;

use super::broker::Config;
use super::layers::{BrokerLayers, Overrides, Source};
use super::schema::{ConfigKey, UpdateMode, ValueKind};
use super::tables;

/// What the client wants to know.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// Only these keys; `None` or none of them: all.
    pub keys: Option<&'a [String]>,
    /// Also where else each value is set.
    pub synonyms: bool,
    /// Also the sentence for people.
    pub documentation: bool,
}

impl Wanted<'_> {
    pub(super) fn wants(&self, name: &str) -> bool {
        match self.keys {
            None | Some([]) => true,
            Some(keys) => keys.iter().any(|key| key == name),
        }
    }
}

/// One entry of the answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Described {
    pub name: String,
    /// `None` where it is null, and for secrets.
    pub value: Option<String>,
    pub source: Source,
    pub read_only: bool,
    pub sensitive: bool,
    /// `DescribeConfigsResponse.ConfigType`.
    pub config_type: i8,
    pub documentation: Option<&'static str>,
    /// The one that counts first; empty unless asked for.
    pub synonyms: Vec<DescribedSynonym>,
}

/// A place where a value, or one that stands in for it, is set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DescribedSynonym {
    pub name: String,
    /// `None` for secrets.
    pub value: Option<String>,
    pub source: Source,
}

/// The settings of a topic that sets `overrides` itself. Sorted by name.
///
/// All broker keys that a default may come from are listed. Kafka leaves out those before the first that has the
/// main key's name, by which `segment.ms` would never show `log.roll.hours`.
pub fn topic(overrides: &Overrides, layers: &BrokerLayers, wanted: Wanted<'_>) -> Vec<Described> {
    let shown = |key: &&ConfigKey| !key.internal || overrides.contains_key(key.name);
    let keys = tables::topic_keys().filter(|key| wanted.wants(key.name)).filter(shown);
    sorted(keys.map(|key| topic_entry(key, overrides, layers, wanted)).collect())
}

fn topic_entry(key: &'static ConfigKey, overrides: &Overrides, layers: &BrokerLayers, wanted: Wanted<'_>) -> Described {
    let chain = tables::topic_synonyms(key.name);
    let own = overrides.get(key.name);
    let inherited =
        || layers.topic_default(chain).map(|(_, text)| text).or_else(|| key.default.text().map(str::to_owned));
    let value = own.cloned().or_else(inherited).map(|text| canonical(key, &text));
    let mut synonyms: Vec<DescribedSynonym> = Vec::new();
    if own.is_some() {
        let name = key.name.to_owned();
        synonyms.push(DescribedSynonym { name, value: value.clone(), source: Source::DynamicTopic });
    }
    let names: Vec<&'static str> = chain.iter().map(|synonym| synonym.name).collect();
    synonyms.extend(layers.all(&names).into_iter().map(|place| synonym(key, place)));
    entry(key, value, false, synonyms, wanted)
}

/// The settings of a group that sets `overrides` itself. Sorted by name.
pub fn group(overrides: &Overrides, layers: &BrokerLayers, wanted: Wanted<'_>) -> Vec<Described> {
    let keys = tables::GROUP_KEYS.iter().filter(|key| wanted.wants(key.name));
    sorted(keys.map(|key| group_entry(key, overrides, layers, wanted)).collect())
}

fn group_entry(key: &'static ConfigKey, overrides: &Overrides, layers: &BrokerLayers, wanted: Wanted<'_>) -> Described {
    let of_broker: Vec<&'static str> = tables::group_synonyms(key.name).default.into_iter().collect();
    let own = overrides.get(key.name).map(|text| (key.name, text.as_str(), Source::DynamicGroup));
    let places: Vec<_> = own.into_iter().chain(layers.all(&of_broker)).collect();
    let value = places.first().map(|(_, text, _)| *text).or(key.default.text()).map(|text| canonical(key, text));
    let synonyms = places.into_iter().map(|place| synonym(key, place)).collect();
    entry(key, value, false, synonyms, wanted)
}

/// The settings of this broker. Sorted by name.
pub fn broker(config: &Config, wanted: Wanted<'_>) -> Vec<Described> {
    let shown = |key: &&ConfigKey| !key.internal || config.layers.is_set(key.name);
    let keys = tables::broker_keys().filter(|key| wanted.wants(key.name)).filter(shown);
    sorted(keys.map(|key| broker_entry(key, config, wanted)).collect())
}

fn broker_entry(key: &'static ConfigKey, config: &Config, wanted: Wanted<'_>) -> Described {
    let value = match key.name {
        // One number, whichever of its names it was set by.
        "node.id" | "broker.id" => Some(config.node_id.to_string()),
        // Their defaults depend on the machine.
        "thalweg.cores" => Some(config.cores.to_string()),
        "thalweg.memory.bytes" => Some(config.memory_bytes.to_string()),
        "thalweg.read.cache.bytes" => Some(config.read_cache_bytes.to_string()),
        name => config.layers.text(name).map(|text| canonical(key, text)),
    };
    let names: Vec<&'static str> = std::iter::once(key.name).chain(tables::broker_synonyms(key.name)).collect();
    // As Kafka: what is listed begins with the key itself, so that its source is where the key itself is set.
    let places = config.layers.all(&names).into_iter().skip_while(|(name, _, _)| *name != key.name);
    let synonyms = places.map(|place| synonym(key, place)).collect();
    entry(key, value, key.mode == UpdateMode::ReadOnly, synonyms, wanted)
}

/// What is set as the default of all brokers: only what somebody set. Sorted by name.
pub fn broker_default(dynamic_default: &Overrides, wanted: Wanted<'_>) -> Vec<Described> {
    let set = dynamic_default.iter().filter(|(name, _)| wanted.wants(name));
    let entries = set.filter_map(|(name, text)| {
        let key = tables::broker_key(name)?;
        let place = (key.name, text.as_str(), Source::DynamicDefaultBroker);
        Some(entry(key, Some(canonical(key, text)), false, vec![synonym(key, place)], wanted))
    });
    sorted(entries.collect())
}

/// The loggers of this broker and their levels, in Kafka's words (TRACE, DEBUG, INFO, WARN, ERROR).
pub fn loggers(levels: &BTreeMap<String, String>, wanted: Wanted<'_>) -> Vec<Described> {
    let entry = |(name, level): (&String, &String)| Described {
        name: name.clone(),
        value: Some(level.clone()),
        source: Source::DynamicBrokerLogger,
        read_only: false,
        sensitive: false,
        config_type: ValueKind::String.wire_id(),
        documentation: None,
        synonyms: Vec::new(),
    };
    levels.iter().filter(|(name, _)| wanted.wants(name)).map(entry).collect()
}

fn synonym(key: &ConfigKey, (name, text, source): (&'static str, &str, Source)) -> DescribedSynonym {
    let value = (!key.is_sensitive()).then(|| text.to_owned());
    DescribedSynonym { name: name.to_owned(), value, source }
}

pub(super) fn entry(
    key: &'static ConfigKey,
    value: Option<String>,
    read_only: bool,
    synonyms: Vec<DescribedSynonym>,
    wanted: Wanted<'_>,
) -> Described {
    Described {
        name: key.name.to_owned(),
        value: value.filter(|_| !key.is_sensitive()),
        source: synonyms.first().map_or(Source::Default, |first| first.source),
        read_only,
        sensitive: key.is_sensitive(),
        config_type: key.kind.wire_id(),
        documentation: wanted.documentation.then_some(key.doc),
        synonyms: if wanted.synonyms { synonyms } else { Vec::new() },
    }
}

/// As Kafka writes it after parsing: no space around list elements, `0.50` as `0.5`.
pub(super) fn canonical(key: &ConfigKey, text: &str) -> String {
    key.parse(text).map_or_else(|_| text.to_owned(), |value| value.to_string())
}

pub(super) fn sorted(mut entries: Vec<Described>) -> Vec<Described> {
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    entries
}
