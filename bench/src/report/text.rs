//! A run's result as a few lines of text.

use std::fmt::Write as _;

use super::against::sentence;
use super::names::notes;
use crate::probe::Limits;
use crate::result::{Flow, Latency, Role, RunResult, Step};

pub(crate) fn text(result: &RunResult, limits: Option<&Limits>) -> String {
    let mut text = String::new();
    for step in &result.steps {
        let offered =
            step.offered_records_s.map_or("as many as it takes".to_owned(), |rate| format!("{rate:.0} records/s"));
        let _ = writeln!(text, "offered    {offered}, for {:.1} s", step.measured_s);
        for flow in &step.flows {
            put_flow(&mut text, step, flow);
            if let Some(limits) = limits {
                let _ = writeln!(text, "limit      {}", sentence(limits, result, step, flow));
            }
        }
    }
    for note in notes(result) {
        let _ = writeln!(text, "note       {note}");
    }
    if let Some(failure) = &result.failure {
        let _ = writeln!(text, "failure    {failure}");
    }
    text
}

fn put_flow(text: &mut String, step: &Step, flow: &Flow) {
    let name = match flow.role {
        Role::Produce => "taken",
        Role::Tail => "tail",
        Role::CatchUp => "catch-up",
    };
    let (records_s, mb_s) = (flow.records_s(step), flow.mb_s(step));
    let _ = writeln!(text, "{name:<10} {} records, {records_s:.0} records/s, {mb_s:.2} MB/s", flow.records);
    let _ = writeln!(
        text,
        "{:<10} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}",
        "µs", "p50", "p90", "p99", "p99.9", "p99.99", "max"
    );
    let first = flow.first_latency();
    let others = flow.latencies.iter().filter(|(name, _)| first.is_none_or(|(first, _)| first != name.as_str()));
    for (name, latency) in first.into_iter().chain(others.map(|(name, latency)| (name.as_str(), latency))) {
        put_latency(text, name, latency);
    }
    for (error, records) in &flow.refused {
        let _ = writeln!(text, "refused    {records}: {error}");
    }
}

fn put_latency(text: &mut String, name: &str, latency: &Latency) {
    let of = latency.us;
    let _ = writeln!(
        text,
        "{name:<10} {:>10.1} {:>10.1} {:>10.1} {:>10.1} {:>10.1} {:>10.1}",
        of.p50, of.p90, of.p99, of.p999, of.p9999, of.max
    );
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, reason = "tests")]

    use super::*;
    use crate::report::sample;

    #[test]
    fn the_summary_says_what_was_offered_taken_and_refused_and_what_it_means() {
        let mut run = sample::steady("steady");
        run.steps[0].flows[0].refused.insert("NOT_ENOUGH_REPLICAS".to_owned(), 12);
        run.failure = Some("127.0.0.1:9092: no answer came".to_owned());
        assert_eq!(text(&run, None), include_str!("testdata/steady.txt"));
    }

    #[test]
    fn with_a_probe_each_flow_is_set_against_the_limit_that_fits_it() {
        let mut run = sample::steady("steady");
        run.steps[0].flows.push(sample::flow(Role::CatchUp, &["fetch"], 1000.0, 300));
        let said = text(&run, Some(&sample::limits()));
        let lines: Vec<_> = said.lines().filter(|line| line.starts_with("limit")).collect();
        let expected = [
            "limit      p50 2.48× of the limit (100.0 µs), p99 1.48× of the limit (200.0 µs), \
             bandwidth 0.01× of the limit (10 MB/s)",
            "limit      p50 3.48× of the limit (100.0 µs), p99 1.98× of the limit (200.0 µs)",
            "limit      p50 11.61× of the limit (30.0 µs), p99 6.60× of the limit (60.0 µs), \
             bandwidth 0.00× of the limit (100 MB/s)",
        ];
        assert_eq!(lines, expected);
        run.scenario["produce"]["acks"] = 0.into();
        assert!(text(&run, Some(&sample::limits())).contains("limit      p50 8.27× of the limit (30.0 µs)"));
    }
}
