//! From the command line to [`Config`]: the one place of this module that touches the world outside.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::broker::Config;
use super::layers::{BrokerLayers, Overrides};
use super::machine::Machine;
use super::nearest::nearest;
use super::properties::{self, Origin};
use super::schema::{ConfigKey, Use};
use super::tables;

/// No properties file is larger; what is, was named by mistake.
const FILE_SIZE_MAX_BYTES: u64 = 4 * 1024 * 1024;

/// The settings, and what whoever set them should know.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// To be logged once each.
    pub warnings: Vec<Warning>,
}

/// A setting that is accepted but does not do what it says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Warning {
    /// Where it was set.
    pub origin: Origin,
    /// The key.
    pub key: String,
    /// Why it has no effect.
    pub reason: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} has no effect: {}", self.origin, self.key, self.reason)
    }
}

/// Why there are no settings. One line for each mistake, each with its place.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {file}: {source}")]
    Unreadable { file: String, source: std::io::Error },
    #[error("{file} is larger than {FILE_SIZE_MAX_BYTES} bytes: it is not a properties file")]
    TooLarge { file: String },
    #[error("{}", lines(.0))]
    Invalid(Vec<Mistake>),
}

/// One mistake in the settings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mistake {
    /// Where it is; `None` where two settings that nobody set themselves do not fit this machine.
    pub origin: Option<Origin>,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Some(origin) => write!(f, "{origin}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

fn lines(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(Mistake::to_string).collect::<Vec<_>>().join("\n")
}

/// One `key=value` that somebody set.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Setting {
    origin: Origin,
    key: String,
    value: String,
}

impl Config {
    /// Reads `path`, if there is one, then `overrides` (each `key=value`), which count more.
    pub fn load(path: Option<&Path>, overrides: &[String]) -> Result<Loaded, ConfigError> {
        let (file, text) = match path {
            Some(path) => (path.display().to_string(), read(path)?),
            None => (String::new(), String::new()),
        };
        Self::from_text(&file, &text, overrides, Machine::this())
    }

    /// The same from text that has been read already; `file` is what errors call it.
    pub fn from_text(file: &str, text: &str, overrides: &[String], machine: Machine) -> Result<Loaded, ConfigError> {
        let mut mistakes = Vec::new();
        let mut settings = settings_of_file(file, text)?;
        for text in overrides {
            match text.split_once('=') {
                Some((key, value)) if !key.trim().is_empty() => settings.push(Setting {
                    origin: Origin::Override,
                    key: key.trim().to_owned(),
                    value: value.trim().to_owned(),
                }),
                _ => mistakes
                    .push(Mistake { origin: Some(Origin::Override), message: format!("{text} must be key=value") }),
            }
        }
        let mut warnings = Vec::new();
        let settings = last_of_each(settings, &mut warnings);
        for setting in settings.values() {
            match judge(setting) {
                Ok(None) => {}
                Ok(Some(reason)) => warnings.push(setting.warn(reason)),
                Err(message) => mistakes.push(Mistake { origin: Some(setting.origin.clone()), message }),
            }
        }
        if !mistakes.is_empty() {
            return Err(ConfigError::Invalid(in_order(mistakes)));
        }
        let config = build(&settings, machine)?;
        warnings.sort_by_key(|warning| order(&Some(warning.origin.clone())));
        Ok(Loaded { config, warnings })
    }
}

/// A line of a file sorts by its number, overrides come behind.
fn order(origin: &Option<Origin>) -> usize {
    match origin {
        Some(Origin::Line { line, .. }) => *line,
        Some(Origin::Override) => usize::MAX - 1,
        None => usize::MAX,
    }
}

fn in_order(mut mistakes: Vec<Mistake>) -> Vec<Mistake> {
    mistakes.sort_by_key(|mistake| order(&mistake.origin));
    mistakes
}

fn read(path: &Path) -> Result<String, ConfigError> {
    let file = path.display().to_string();
    let unreadable = |source| ConfigError::Unreadable { file: file.clone(), source };
    let opened = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    opened.take(FILE_SIZE_MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_SIZE_MAX_BYTES {
        return Err(ConfigError::TooLarge { file });
    }
    Ok(properties::decode(&bytes))
}

fn settings_of_file(file: &str, text: &str) -> Result<Vec<Setting>, ConfigError> {
    let at = |line| Origin::Line { file: file.to_owned(), line };
    let properties = properties::parse(text)
        .map_err(|bad| ConfigError::Invalid(vec![Mistake { origin: Some(at(bad.line)), message: bad.to_string() }]))?;
    let setting = |it: properties::Property| Setting { origin: at(it.line), key: it.key, value: it.value };
    Ok(properties.into_iter().map(setting).collect())
}

/// As in Java, the last line of a key counts. That an earlier line does not is worth a warning; an override may say
/// again what the file says, that is what it is for.
fn last_of_each(settings: Vec<Setting>, warnings: &mut Vec<Warning>) -> BTreeMap<String, Setting> {
    let mut last: BTreeMap<String, Setting> = BTreeMap::new();
    for setting in settings {
        let earlier = last.insert(setting.key.clone(), setting.clone());
        if let Some(earlier) = earlier
            && setting.origin != Origin::Override
        {
            warnings.push(earlier.warn(format!("it is set again at {}", setting.origin)));
        }
    }
    last
}

impl Setting {
    fn warn(&self, reason: impl Into<String>) -> Warning {
        Warning { origin: self.origin.clone(), key: self.key.clone(), reason: reason.into() }
    }
}

/// Whether a setting can be taken: with nothing to say, with a reason why it has no effect, or not at all.
fn judge(setting: &Setting) -> Result<Option<String>, String> {
    let Some((key, scope)) = find(&setting.key) else {
        return foreign(setting);
    };
    if scope == Scope::Listener {
        let reason = match key.usage {
            Use::NoEffect(reason) | Use::Refused(reason) => reason,
            Use::Used => "settings of a single listener are not kept apart in this version",
        };
        return Ok(Some(reason.to_owned()));
    }
    key.parse(&setting.value).map_err(|invalid| {
        let mut message = invalid.to_string();
        let valid = key.check.describe();
        if !valid.is_empty() {
            message.push_str(&format!(" (a {}, {valid})", key.kind.name()));
        }
        message
    })?;
    match key.usage {
        Use::Used => Ok(None),
        Use::NoEffect(reason) => Ok(Some(reason.to_owned())),
        Use::Refused(_) if key.is_harmless(&setting.value) => Ok(None),
        Use::Refused(reason) => Err(refusal(&setting.key, &setting.value, reason)),
    }
}

fn refusal(key: &str, value: &str, reason: &str) -> String {
    format!("{key}={value} cannot be honoured: {reason}; take the line out to go on without it")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Broker,
    /// `listener.name.<listener>.<key>`
    Listener,
}

/// The row of a key. A listener's own key may have a SASL mechanism before the rest, too.
fn find(name: &str) -> Option<(&'static ConfigKey, Scope)> {
    if let Some(key) = tables::broker_key(name) {
        return Some((key, Scope::Broker));
    }
    let (_listener, mut rest) = name.strip_prefix("listener.name.")?.split_once('.')?;
    loop {
        if let Some(key) = tables::broker_key(rest) {
            return Some((key, Scope::Listener));
        }
        rest = rest.split_once('.')?.1;
    }
}

/// Judges a key that no row has.
fn foreign(setting: &Setting) -> Result<Option<String>, String> {
    match tables::usage_of_foreign(&setting.key) {
        Some(Use::Used) => Ok(None),
        Some(Use::NoEffect(reason)) => Ok(Some(reason.to_owned())),
        Some(Use::Refused(reason)) => Err(refusal(&setting.key, &setting.value, reason)),
        None => Err(unknown(&setting.key)),
    }
}

/// Says what an unknown key might have been meant to be.
pub(super) fn unknown(name: &str) -> String {
    if let [synonym, ..] = tables::topic_synonyms(name) {
        return format!("{name} is a topic setting; its default for all topics is {}", synonym.name);
    }
    let foreign = tables::FOREIGN.iter().map(|(name, _)| *name);
    match nearest(name, tables::broker_keys().map(|key| key.name).chain(foreign)) {
        Some(known) => format!("unknown key {name}: did you mean {known}?"),
        None => {
            format!("unknown key {name}: it is neither Kafka's nor Thalweg's (docs/configuration.md lists them all)")
        }
    }
}

/// Builds the settings, and finds the place of what does not fit.
fn build(settings: &BTreeMap<String, Setting>, machine: Machine) -> Result<Config, ConfigError> {
    let known = settings.values().filter(|setting| tables::broker_key(&setting.key).is_some());
    let fixed: Overrides = known.map(|setting| (setting.key.clone(), setting.value.trim().to_owned())).collect();
    let origins: HashMap<&str, &Origin> = settings.values().map(|it| (it.key.as_str(), &it.origin)).collect();
    let layers = BrokerLayers { fixed: Arc::new(fixed), ..BrokerLayers::default() };
    let mistake = |name: &str, message: String| {
        let origin = origins.get(name).map(|origin| (*origin).clone());
        ConfigError::Invalid(vec![Mistake { origin, message }])
    };
    let config = Config::build(layers, machine).map_err(|invalid| mistake(&invalid.name, invalid.to_string()))?;
    let relations = super::relations::check(&config).map_err(|invalid| mistake(&invalid.name, invalid.to_string()));
    relations.map(|()| config)
}
