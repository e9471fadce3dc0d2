//! What is set for a broker and where: the layers that a value is looked up in (KIP-226).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::schema::ConfigKey;
use super::tables::{self, Synonym};
use super::value::{InvalidValue, Value};

/// Keys and values that somebody set on one resource.
pub type Overrides = BTreeMap<String, String>;

/// Where a value comes from; the numbers are those of DescribeConfigs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(i8)]
pub enum Source {
    /// Set on the topic.
    DynamicTopic = 1,
    /// Set on this broker while it ran.
    DynamicBroker = 2,
    /// Set as the default of all brokers while they ran.
    DynamicDefaultBroker = 3,
    /// `server.properties` or `--override`.
    StaticBroker = 4,
    /// Nobody set it.
    Default = 5,
    /// A logger's level, set while the broker ran.
    DynamicBrokerLogger = 6,
    /// Set on a subscription to clients' metrics.
    DynamicClientMetrics = 7,
    /// Set on the group.
    DynamicGroup = 8,
}

/// All that is set for one broker. Cheap to clone; shared by the cores.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BrokerLayers {
    /// Dynamic, of this broker.
    pub dynamic_broker: Arc<Overrides>,
    /// Dynamic, the default of all brokers.
    pub dynamic_default: Arc<Overrides>,
    /// The properties file and `--override`.
    pub fixed: Arc<Overrides>,
}

impl BrokerLayers {
    /// The layers in which something can be set, the one that counts most first.
    fn set(&self) -> [(Source, &Overrides); 3] {
        [
            (Source::DynamicBroker, &*self.dynamic_broker),
            (Source::DynamicDefaultBroker, &*self.dynamic_default),
            (Source::StaticBroker, &*self.fixed),
        ]
    }

    /// Every layer that has one of `names`, in Kafka's order: by layer, and within a layer in the order of `names`.
    pub fn all<'a>(&'a self, names: &[&'static str]) -> Vec<(&'static str, &'a str, Source)> {
        let mut found = Vec::new();
        for (source, layer) in self.set() {
            found.extend(names.iter().filter_map(|name| Some((*name, layer.get(*name)?.as_str(), source))));
        }
        let default = |name: &&'static str| Some((*name, tables::broker_key(name)?.default.text()?, Source::Default));
        found.extend(names.iter().filter_map(default));
        found
    }

    /// Whether anybody set it.
    pub fn is_set(&self, name: &str) -> bool {
        self.set().iter().any(|(_, layer)| layer.contains_key(name))
    }

    /// The value that counts, as text; `None` where it is null.
    pub fn text(&self, name: &str) -> Option<&str> {
        let set = self.set().into_iter().find_map(|(_, layer)| layer.get(name));
        set.map(String::as_str).or_else(|| tables::broker_key(name)?.default.text())
    }

    /// The value that counts, parsed by its row.
    pub(super) fn value(&self, key: &ConfigKey) -> Result<Option<Value>, InvalidValue> {
        self.text(key.name).map(|text| key.parse(text)).transpose()
    }

    /// The default of a topic setting from this broker's settings: the broker key that says it, and the value in the
    /// topic's own unit. `None` if no broker key says anything.
    pub fn topic_default(&self, synonyms: &[Synonym]) -> Option<(&'static str, String)> {
        let names: Vec<&'static str> = synonyms.iter().map(|synonym| synonym.name).collect();
        let (name, text, _) = *self.all(&names).first()?;
        let synonym = synonyms.iter().find(|synonym| synonym.name == name)?;
        Some((name, scale(text, *synonym)))
    }
}

/// Hours and minutes to milliseconds; too much is the most there can be.
fn scale(text: &str, synonym: Synonym) -> String {
    match text.trim().parse::<i64>() {
        Ok(number) if number < 0 && synonym.negative_is_unlimited => "-1".to_owned(),
        Ok(number) if synonym.factor != 1 && number > 0 => number.saturating_mul(synonym.factor).to_string(),
        _ => text.to_owned(),
    }
}
