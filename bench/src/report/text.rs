//! A run's result as a few lines of text.

use std::fmt::Write as _;

use crate::result::{Flow, Role, RunResult, Step};

pub(crate) fn text(result: &RunResult) -> String {
    let mut text = String::new();
    for step in &result.steps {
        put_step(&mut text, step);
    }
    text
}

fn put_step(text: &mut String, step: &Step) {
    let offered =
        step.offered_records_s.map_or("as many as it takes".to_owned(), |rate| format!("{rate:.0} records/s"));
    let _ = writeln!(text, "offered   {offered}, for {:.1} s", step.measured_s);
    for flow in &step.flows {
        put_flow(text, flow, step.measured_s);
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn put_flow(text: &mut String, flow: &Flow, seconds: f64) {
    let per_second = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
    let name = match flow.role {
        Role::Produce => "taken",
        Role::Tail => "tail",
        Role::CatchUp => "catch-up",
    };
    let (records_s, mb_s) = (per_second(flow.records), per_second(flow.bytes) / 1e6);
    let _ = writeln!(text, "{name:<9} {} records, {records_s:.0} records/s, {mb_s:.2} MB/s", flow.records);
    let _ = writeln!(
        text,
        "{:<10} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}",
        "µs", "p50", "p90", "p99", "p99.9", "p99.99", "max"
    );
    for (name, latency) in &flow.latencies {
        let of = latency.us;
        let _ = writeln!(
            text,
            "{name:<10} {:>10.1} {:>10.1} {:>10.1} {:>10.1} {:>10.1} {:>10.1}",
            of.p50, of.p90, of.p99, of.p999, of.p9999, of.max
        );
    }
    for (error, records) in &flow.refused {
        let _ = writeln!(text, "refused   {records}: {error}");
    }
}
