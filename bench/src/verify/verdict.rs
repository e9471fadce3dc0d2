//! What came of a run, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use serde::Serialize;

use super::check::{Kind, Violation};
use super::outage::Outage;
use super::shared::Shared;

#[derive(Debug, Serialize)]
pub(crate) struct Verdict {
    pub(crate) passed: bool,
    topic: String,
    idempotent: bool,
    acks: i16,
    seconds: f64,
    records_written: u64,
    records_acknowledged: u64,
    records_found: u64,
    /// Reads of records that were known already, and the same.
    records_read_again: u64,
    /// Stand again because they were sent again, which is allowed without idempotence.
    repeated: u64,
    /// Stand behind later ones where no order is promised.
    out_of_order: u64,
    requests_sent_again: u64,
    readings_from_the_beginning: u64,
    disturbances: u64,
    outages: Vec<Outage>,
    /// Why the run ended early, or could not be judged whole.
    errors: Vec<String>,
    violations: BTreeMap<Kind, u64>,
    /// The first of them, with evidence.
    evidence: Vec<Violation>,
}

impl Verdict {
    pub(crate) fn new(shared: &Shared, topic: &str, errors: Vec<String>) -> Self {
        let checker = shared.checker();
        let outages = shared.outages.lock().unwrap_or_else(PoisonError::into_inner).list();
        Self {
            passed: errors.is_empty() && checker.violations.total() == 0,
            topic: topic.to_owned(),
            idempotent: shared.settings.idempotent,
            acks: shared.settings.acks,
            seconds: shared.now().as_secs_f64(),
            records_written: shared.taken(),
            records_acknowledged: checker.tally.acknowledged,
            records_found: checker.tally.seen,
            records_read_again: checker.tally.seen_again,
            repeated: checker.tally.repeated,
            out_of_order: checker.tally.out_of_order,
            requests_sent_again: shared.retries.load(Ordering::Acquire),
            readings_from_the_beginning: shared.readings.load(Ordering::Acquire),
            disturbances: shared.disturbances.load(Ordering::Acquire),
            outages,
            errors,
            violations: checker.violations.counts.clone(),
            evidence: checker.violations.list.clone(),
        }
    }

    /// In one line.
    pub(crate) fn summary(&self) -> String {
        let violations: u64 = self.violations.values().sum();
        match (violations, self.errors.first()) {
            (0, None) => "passed".to_owned(),
            (0, Some(error)) => error.clone(),
            (_, None) => format!("{violations} violations"),
            (_, Some(error)) => format!("{violations} violations, and {error}"),
        }
    }

    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let verdict = if self.passed { "PASSED" } else { "FAILED" };
        let producers = if self.idempotent { "idempotent" } else { "not idempotent" };
        writeln!(out, "{verdict}  topic {}, acks={}, {producers}, {:.1} s", self.topic, self.acks, self.seconds)?;
        writeln!(
            out,
            "records: {} written, {} acknowledged, {} found, {} times read again and the same",
            self.records_written, self.records_acknowledged, self.records_found, self.records_read_again
        )?;
        if !self.idempotent {
            writeln!(out, "allowed: {} repeated by retries, {} out of order", self.repeated, self.out_of_order)?;
        }
        writeln!(
            out,
            "readings from the beginning: {}; disturbances: {}; requests sent again: {}",
            self.readings_from_the_beginning, self.disturbances, self.requests_sent_again
        )?;
        self.write_outages(out)?;
        for error in &self.errors {
            writeln!(out, "error: {error}")?;
        }
        for (kind, count) in &self.violations {
            writeln!(out, "violation: {} × {}", count, kind.words())?;
        }
        for violation in &self.evidence {
            let at = violation.offset.map_or(String::new(), |offset| format!(" offset {offset}"));
            let more =
                if violation.count > 1 { format!(" (and {} behind it)", violation.count - 1) } else { String::new() };
            writeln!(out, "  {} at partition {}{at}{more}", violation.kind.words(), violation.partition)?;
            writeln!(out, "    expected: {}\n    found:    {}", violation.expected, violation.found)?;
        }
        Ok(())
    }

    fn write_outages(&self, out: &mut String) -> std::fmt::Result {
        let lengths = self.outages.iter().map(|outage| outage.to_s - outage.from_s);
        let (total, longest) = lengths.fold((0.0, 0.0_f64), |(total, longest), s| (total + s, longest.max(s)));
        write!(out, "not writable: {} times, {total:.2} s in all, {longest:.2} s at most", self.outages.len())?;
        let told: Vec<String> =
            self.outages.iter().take(20).map(|outage| format!("{:.2}–{:.2}", outage.from_s, outage.to_s)).collect();
        let more = if self.outages.len() > told.len() { ", …" } else { "" };
        if told.is_empty() { writeln!(out) } else { writeln!(out, " ({}{more})", told.join(", ")) }
    }
}
