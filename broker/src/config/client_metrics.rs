//! Subscriptions to clients' metrics (KIP-714): the settings of CLIENT_METRICS resources, and what they mean.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};

use super::alter::{self, AlterError, Alteration, Change, Of};
use super::describe::{self, Described, DescribedSynonym, Wanted};
use super::layers::{Overrides, Source};
use super::schema::{Check::Any, ConfigKey, DefaultValue::Is, Use::Used, keys};
use super::value::split_list;

const METRICS: &str = "metrics";
const INTERVAL_MS: &str = "interval.ms";
const MATCH: &str = "match";

/// How often clients push that nobody asks for anything, in milliseconds.
pub const INTERVAL_MS_DEFAULT: i32 = 300_000;
const INTERVAL_MS_RANGE: std::ops::RangeInclusive<i32> = 100..=3_600_000;

/// Memory that one pattern may take.
const PATTERN_SIZE_MAX_BYTES: usize = 1 << 20;

static KEYS: &[ConfigKey] = keys! {
    "metrics": List = Is(""), Any, Medium, ClusterWide, Used;
        "Prefixes of the names of metrics that clients push; `*` for all."
    "interval.ms": Int = Is("300000"), Any, Medium, ClusterWide, Used;
        "Time between two pushes of a client, from 100 ms to an hour."
    "match": List = Is(""), Any, Medium, ClusterWide, Used;
        "Which clients: pairs of a client's property and a regular expression. Empty for all clients."
};

fn key(name: &str) -> Option<&'static ConfigKey> {
    KEYS.iter().find(|key| key.name == name)
}

/// What a client is known by, in the words that `match` uses for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Property {
    InstanceId,
    ClientId,
    SoftwareName,
    SoftwareVersion,
    SourceAddress,
    SourcePort,
}

impl Property {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "client_instance_id" => Self::InstanceId,
            "client_id" => Self::ClientId,
            "client_software_name" => Self::SoftwareName,
            "client_software_version" => Self::SoftwareVersion,
            "client_source_address" => Self::SourceAddress,
            "client_source_port" => Self::SourcePort,
            _ => return None,
        })
    }
}

/// Which metrics are wanted of which clients, and how often.
#[derive(Clone, Debug)]
pub struct Subscription {
    pub metrics: Vec<String>,
    pub interval_ms: i32,
    patterns: Vec<(Property, Regex)>,
}

impl Subscription {
    /// What the settings of a resource ask for (`ClientMetricsConfigs.validate`).
    ///
    /// # Errors
    /// With what is wrong with them.
    pub fn parse(settings: &Overrides) -> Result<Self, AlterError> {
        if let Some(unknown) = settings.keys().find(|name| key(name).is_none()) {
            return Err(AlterError::request(format!("Unknown client metrics configuration: {unknown}")));
        }
        let list = |name: &str| settings.get(name).map(|text| split_list(text)).unwrap_or_default();
        let patterns = list(MATCH).iter().map(|pattern| parse_pattern(pattern)).collect::<Result<_, _>>()?;
        Ok(Self { metrics: list(METRICS), interval_ms: interval_ms(settings)?, patterns })
    }

    /// Whether the client that `value_of` tells about is meant.
    pub fn matches<'a>(&self, value_of: impl Fn(Property) -> &'a str) -> bool {
        self.patterns.iter().all(|(property, pattern)| pattern.is_match(value_of(*property)))
    }
}

fn interval_ms(settings: &Overrides) -> Result<i32, AlterError> {
    let Some(text) = settings.get(INTERVAL_MS) else { return Ok(INTERVAL_MS_DEFAULT) };
    let Some(key) = key(INTERVAL_MS) else { return Ok(INTERVAL_MS_DEFAULT) };
    key.parse(text).map_err(|invalid| AlterError::config(invalid.to_string()))?;
    let interval = text.trim().parse().ok().filter(|interval| INTERVAL_MS_RANGE.contains(interval));
    interval.ok_or_else(|| {
        AlterError::request(format!(
            "Invalid value {text} for {INTERVAL_MS}, interval must be between 100 and 3600000 (1 hour)"
        ))
    })
}

/// `property=regular expression`, of which the whole value must be an example.
fn parse_pattern(text: &str) -> Result<(Property, Regex), AlterError> {
    let illegal = || AlterError::config(format!("Illegal client matching pattern: {text}"));
    let (name, pattern) = text.split_once('=').ok_or_else(illegal)?;
    let (property, pattern) = (Property::parse(name.trim()).ok_or_else(illegal)?, pattern.trim());
    if pattern.is_empty() || pattern.contains('=') {
        return Err(illegal());
    }
    let whole = RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(PATTERN_SIZE_MAX_BYTES).build();
    whole.map(|regex| (property, regex)).map_err(|_| illegal())
}

/// IncrementalAlterConfigs of a subscription whose settings are `current`.
///
/// # Errors
/// With what is wrong with the request, or with what the settings would be.
pub fn alter(name: &str, current: &Overrides, alterations: &[Alteration]) -> Result<Change, AlterError> {
    let after = alter::apply(current, alterations, Of::ClientMetrics)?;
    check(name, &after)?;
    Ok(alter::difference(current, after, key))
}

/// AlterConfigs: `entries` are all settings from now on.
///
/// # Errors
/// As [`alter`].
pub fn replace(name: &str, current: &Overrides, entries: &[(String, Option<String>)]) -> Result<Change, AlterError> {
    let after = alter::apply(&Overrides::new(), &alter::as_alterations(entries), Of::ClientMetrics)?;
    check(name, &after)?;
    Ok(alter::difference(current, after, key))
}

fn check(name: &str, settings: &Overrides) -> Result<(), AlterError> {
    if name.is_empty() {
        return Err(AlterError::request("Subscription name can't be empty"));
    }
    Subscription::parse(settings).map(drop)
}

/// DescribeConfigs: all settings, those that nobody set included.
pub fn describe(settings: &Overrides, wanted: Wanted<'_>) -> Vec<Described> {
    let entries = KEYS.iter().filter(|key| wanted.wants(key.name)).map(|key| {
        let own = settings.get(key.name);
        let source = if own.is_some() { Source::DynamicClientMetrics } else { Source::Default };
        let value = own.map(String::as_str).or(key.default.text()).map(|text| describe::canonical(key, text));
        let synonym = own.map(|own| DescribedSynonym { name: key.name.to_owned(), value: Some(own.clone()), source });
        let synonyms = synonym.into_iter().collect();
        describe::entry(key, value, false, synonyms, wanted)
    });
    describe::sorted(entries.collect())
}

/// Subscriptions by name, as the cluster's image has them.
pub type Subscriptions = imbl::OrdMap<std::sync::Arc<str>, std::sync::Arc<BTreeMap<String, String>>>;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::config::alter::AlterOp;

    fn settings(pairs: &[(&str, &str)]) -> Overrides {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn set(name: &str, value: &str) -> Alteration {
        Alteration { name: name.to_owned(), op: AlterOp::Set, value: Some(value.to_owned()) }
    }

    #[test]
    fn a_client_is_meant_when_every_pattern_fits_its_whole_value() {
        let text = "client_software_name=apache-.*, client_id = a|b";
        let subscription = Subscription::parse(&settings(&[("match", text), ("metrics", "*")])).unwrap();
        let is_meant = |name: &'static str, id: &'static str| {
            subscription.matches(|property| match property {
                Property::SoftwareName => name,
                Property::ClientId => id,
                _ => "",
            })
        };
        assert!(is_meant("apache-kafka-java", "b"));
        assert!(!is_meant("apache-kafka-java", "bb"));
        assert!(!is_meant("librdkafka", "a"));
        assert_eq!((subscription.interval_ms, subscription.metrics), (INTERVAL_MS_DEFAULT, vec!["*".to_owned()]));
        assert!(Subscription::parse(&Overrides::new()).unwrap().matches(|_| "anybody"));
    }

    #[test]
    fn mistakes_are_told_apart_as_kafka_does() {
        let request = |pairs: &[(&str, &str)]| {
            matches!(Subscription::parse(&settings(pairs)), Err(AlterError::InvalidRequest(_)))
        };
        let config =
            |pairs: &[(&str, &str)]| matches!(Subscription::parse(&settings(pairs)), Err(AlterError::InvalidConfig(_)));
        assert!(request(&[("metric", "*")]));
        assert!(request(&[("interval.ms", "99")]) && request(&[("interval.ms", "3600001")]));
        assert!(config(&[("interval.ms", "often")]));
        for pattern in ["client_id", "client_id=", "client_id=a=b", "who=a", "client_id=("] {
            assert!(config(&[("match", pattern)]), "{pattern}");
        }
    }

    #[test]
    fn settings_are_changed_and_described_with_their_defaults() {
        let change = alter("s", &Overrides::new(), &[set("interval.ms", "1000")]).unwrap();
        assert_eq!(change.set, settings(&[("interval.ms", "1000")]));
        assert_eq!(alter("", &Overrides::new(), &[]), Err(AlterError::request("Subscription name can't be empty")));
        let described = describe(&change.set, Wanted::default());
        let shown: Vec<_> =
            described.iter().map(|entry| (entry.name.as_str(), entry.value.as_deref(), entry.source)).collect();
        assert_eq!(
            shown,
            [
                ("interval.ms", Some("1000"), Source::DynamicClientMetrics),
                ("match", Some(""), Source::Default),
                ("metrics", Some(""), Source::Default),
            ]
        );
    }
}
