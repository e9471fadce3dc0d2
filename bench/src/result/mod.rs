//! What a run found, as its JSON file holds it: all that reports, plots and merging need, and nothing of the run itself.
//!
//! `load` fills this in; text, `.hgrm`, `.hlog`, plots and the HTML page are made from it alone, so that a report can be made
//! again from a kept file, and one report from the files of several processes.

mod latency;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(crate) use self::latency::{Latency, Percentiles, micros};

/// The format's name and version, first in every file.
pub(crate) const FORMAT: &str = "thalweg-bench run 1";

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RunResult {
    pub(crate) format: String,
    /// Version of this program.
    pub(crate) version: String,
    /// What the run is called in tables and plots.
    pub(crate) name: String,
    /// When it began, in milliseconds since 1970.
    pub(crate) began_ms: i64,
    /// The machine of each process whose result is in here: one until merged.
    pub(crate) hosts: Vec<Host>,
    /// The scenario as it was run, defaults filled in.
    pub(crate) scenario: serde_json::Value,
    /// One for each rate that was offered, in order; one in all without steps.
    pub(crate) steps: Vec<Step>,
    /// What ended the run early; then the last step holds what was measured until there.
    pub(crate) failure: Option<String>,
}

/// The machine that the load came from.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Host {
    pub(crate) kernel: String,
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_mib: u64,
}

/// What was measured while one rate was offered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Step {
    /// Records per second asked for, of all producers together; none in a closed loop, or without producers.
    pub(crate) offered_records_s: Option<f64>,
    /// Length of what was measured, behind the warm-up, in seconds.
    pub(crate) measured_s: f64,
    pub(crate) flows: Vec<Flow>,
}

/// What flows in one direction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// Producers. Latencies: `latency` (from when a record was due until it was acknowledged), `service` (from when its
    /// request was sent), `commit` (from when a transaction's end was asked for until it was answered).
    Produce,
    /// Consumers that read what is being written. Latencies: `end_to_end` (from when a record was due at its producer
    /// until it was here), `fetch` (a Fetch request that found records).
    Tail,
    /// Consumers that read from the beginning. Latencies: `fetch`.
    CatchUp,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Flow {
    pub(crate) role: Role,
    pub(crate) records: u64,
    /// Of values, without keys and framing.
    pub(crate) bytes: u64,
    /// By name, see [`Role`].
    pub(crate) latencies: BTreeMap<String, Latency>,
    /// Records that the broker refused, by its error; for consumers, requests. At the tail also, in the last step and
    /// for the run as a whole, how many acknowledged records never arrived.
    pub(crate) refused: BTreeMap<String, u64>,
    pub(crate) seconds: Vec<Second>,
}

/// What happened in one second of a step.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Second {
    /// Its beginning, counted from the beginning of what is measured; negative in the warm-up.
    pub(crate) at_s: i64,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    /// Of the flow's first latency (`latency`, `end_to_end` or `fetch`), in microseconds.
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) max_us: f64,
}
