//! What a run is to do, as a scenario's file says it. The flags of `run` are the same keys, and win over the file.

mod check;
mod produce;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

pub(crate) use self::produce::{Acks, Keys, Produce, Size, Spread};

/// The steps of one run: each has histograms of its own.
pub(crate) const STEPS_MAX: usize = 100;

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    /// `host:port` of a broker.
    pub(crate) bootstrap: String,
    pub(crate) warmup_s: u64,
    /// Of each further step, what is not counted.
    pub(crate) settle_s: u64,
    /// Of each step, what is measured.
    pub(crate) duration_s: u64,
    pub(crate) ramp_s: u64,
    /// Milliseconds since 1970 at which to begin; 0 is at once.
    pub(crate) start_at_ms: u64,
    /// In each record's head: several processes with the same number count each other's records. 0 is a random one.
    pub(crate) run: u32,
    pub(crate) topics: Topics,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) produce: Option<Produce>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tail: Option<Consume>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) catch_up: Option<Consume>,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            name: "run".to_owned(),
            bootstrap: "127.0.0.1:9092".to_owned(),
            warmup_s: 5,
            settle_s: 2,
            duration_s: 30,
            ramp_s: 0,
            start_at_ms: 0,
            run: 0,
            topics: Topics::default(),
            produce: None,
            tail: None,
            catch_up: None,
        }
    }
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Topics {
    /// Of several, the beginning of their names.
    pub(crate) name: String,
    pub(crate) count: u32,
    /// Of each.
    pub(crate) partitions: i32,
    pub(crate) replication: i16,
    /// Create what is missing; what exists is used as it is.
    pub(crate) create: bool,
    pub(crate) config: BTreeMap<String, String>,
}

impl Default for Topics {
    fn default() -> Self {
        Self {
            name: "bench".to_owned(),
            count: 1,
            partitions: 6,
            replication: 1,
            create: true,
            config: BTreeMap::new(),
        }
    }
}

impl Topics {
    /// Their names: one is called as it is, several are numbered.
    pub(crate) fn names(&self) -> Vec<String> {
        match self.count {
            1 => vec![self.name.clone()],
            count => (0..count).map(|index| format!("{}-{index}", self.name)).collect(),
        }
    }
}

/// Consumers: the partitions of all topics are dealt out among them, without a group.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Consume {
    pub(crate) consumers: u32,
    pub(crate) fetch_min_bytes: i32,
    pub(crate) fetch_wait_ms: i32,
    pub(crate) fetch_max_bytes: i32,
    pub(crate) partition_max_bytes: i32,
    pub(crate) read_committed: bool,
    /// Of those that catch up: at the end they begin again from the start. Filled in by the check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) repeat: Option<bool>,
}

impl Default for Consume {
    fn default() -> Self {
        Self {
            consumers: 1,
            fetch_min_bytes: 1,
            fetch_wait_ms: 500,
            fetch_max_bytes: 50 << 20,
            partition_max_bytes: 1 << 20,
            read_committed: false,
            repeat: None,
        }
    }
}

impl Scenario {
    /// Reads a file; it is not checked before the flags are in.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut scenario = Self::parse(&text).with_context(|| format!("{} is no scenario", path.display()))?;
        if scenario.name.is_empty() {
            scenario.name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        }
        Ok(scenario)
    }

    pub(crate) fn parse(text: &str) -> Result<Self> {
        /// Tells a name that is given from one that is not.
        #[derive(Deserialize)]
        struct Named {
            name: Option<String>,
        }
        let mut scenario: Self = toml::from_str(text)?;
        scenario.name = toml::from_str::<Named>(text)?.name.unwrap_or_default();
        Ok(scenario)
    }

    /// Rates in records per second, one for each step; a single `None` without one.
    pub(crate) fn rates(&self) -> Vec<Option<u64>> {
        let Some(produce) = &self.produce else { return vec![None] };
        if produce.steps.is_empty() { vec![produce.rate] } else { produce.steps.iter().copied().map(Some).collect() }
    }
}
