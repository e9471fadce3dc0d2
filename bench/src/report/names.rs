//! How runs, steps and flows are called in tables and plots, and what has to be said beside their figures.

use crate::report::units::count;
use crate::result::{Flow, Latency, Role, RunResult, Step};

/// A result and what tells it from the others of the same report.
#[derive(Clone, Debug)]
pub(crate) struct Named<'a> {
    pub(crate) name: String,
    pub(crate) result: &'a RunResult,
}

/// In the order given; of the same name the second and further get a number.
pub(crate) fn named(results: &[RunResult]) -> Vec<Named<'_>> {
    let mut all: Vec<Named<'_>> = Vec::new();
    for result in results {
        let before = all.iter().filter(|other| other.result.name == result.name).count();
        let name = if before == 0 { result.name.clone() } else { format!("{} ({})", result.name, before + 1) };
        all.push(Named { name, result });
    }
    all
}

impl Role {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Produce => "produce",
            Self::Tail => "tail",
            Self::CatchUp => "catch_up",
        }
    }

    /// As a heading.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Produce => "Produce",
            Self::Tail => "Consumers at the tail",
            Self::CatchUp => "Consumers catching up",
        }
    }

    pub(crate) const ALL: [Self; 3] = [Self::Produce, Self::Tail, Self::CatchUp];
}

/// What a latency is called in a sentence.
pub(crate) fn latency_title(name: &str) -> &str {
    match name {
        "latency" => "latency",
        "service" => "service time",
        "commit" => "commit latency",
        "end_to_end" => "end-to-end latency",
        "fetch" => "fetch latency",
        other => other,
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
impl Flow {
    /// The one that its seconds are of, and the one to look at first.
    pub(crate) fn first_latency(&self) -> Option<(&str, &Latency)> {
        let names = match self.role {
            Role::Produce => ["latency", "service"],
            Role::Tail => ["end_to_end", "fetch"],
            Role::CatchUp => ["fetch", "end_to_end"],
        };
        names.iter().find_map(|name| self.latencies.get_key_value(*name)).map(|(name, of)| (name.as_str(), of))
    }

    pub(crate) fn records_s(&self, step: &Step) -> f64 {
        per_second(self.records as f64, step.measured_s)
    }

    pub(crate) fn mb_s(&self, step: &Step) -> f64 {
        per_second(self.bytes as f64 / 1e6, step.measured_s)
    }
}

fn per_second(amount: f64, seconds: f64) -> f64 {
    if seconds > 0.0 { amount / seconds } else { 0.0 }
}

impl Step {
    pub(crate) fn flow(&self, role: Role) -> Option<&Flow> {
        self.flows.iter().find(|flow| flow.role == role)
    }

    pub(crate) fn offered(&self) -> String {
        match self.offered_records_s {
            Some(rate) => format!("{} records/s", count(rate)),
            None if self.flow(Role::Produce).is_some() => "as many as it takes".to_owned(),
            None => "no producers".to_owned(),
        }
    }
}

/// Whether a record that arrives has been durable before, as far as a client can ask for that.
pub(crate) fn asks_for_durability(result: &RunResult) -> bool {
    acks(result).as_deref() != Some("0")
}

fn acks(result: &RunResult) -> Option<String> {
    result.scenario.pointer("/produce/acks").map(|acks| acks.to_string().replace('"', ""))
}

/// What a reader has to know to read the figures rightly.
pub(crate) fn notes(result: &RunResult) -> Vec<&'static str> {
    let mut notes = Vec::new();
    let has = |role| result.steps.iter().any(|step| step.flow(role).is_some());
    if has(Role::Produce) && result.steps.iter().any(|step| step.offered_records_s.is_none()) {
        notes.push("Closed loop: `latency` holds the time that records waited in the generator's own buffer; read `service` instead.");
    }
    if !asks_for_durability(result) {
        notes.push("acks=0: nothing is acknowledged; latency is until the request was written to the socket.");
    }
    if has(Role::Tail)
        && result.steps.iter().flat_map(|step| &step.flows).any(|f| f.latencies.contains_key("end_to_end"))
    {
        notes.push("End-to-end latency compares the clocks of producer and consumer: right on one host, or between hosts whose clocks are synchronised.");
    }
    if result.hosts.len() > 1 {
        notes.push("Merged from several processes. Percentiles are of the added histograms; the lines over time show, for each second, the worst process.");
    }
    notes
}
