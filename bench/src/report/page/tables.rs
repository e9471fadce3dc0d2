//! The page's tables: one over all runs, and one for each step.

use std::fmt::Write as _;

use crate::probe::{Limits, Micros};
use crate::report::against;
use crate::report::names::Named;
use crate::report::units::{count, digits, duration};
use crate::report::xml::escape;
use crate::result::{Flow, Percentiles, Role, RunResult, Step};

/// Of each run, step and flow the figures that are looked at first.
pub(super) fn overview(runs: &[Named<'_>]) -> String {
    let mut out = String::from(
        "<div class=\"scroll\"><table><thead><tr><th class=\"l\">run</th><th>offered</th><th class=\"l\">flow</th>\
         <th>records/s</th><th>MB/s</th><th class=\"l\">latency</th><th>p50</th><th>p99</th><th>p99.9</th><th>max</th>\
         <th>refused</th></tr></thead><tbody>\n",
    );
    for run in runs {
        for step in &run.result.steps {
            for flow in Role::ALL.into_iter().filter_map(|role| step.flow(role)) {
                put_overview(&mut out, &run.name, step, flow);
            }
        }
    }
    out.push_str("</tbody></table></div>\n");
    if runs.iter().all(|run| run.result.steps.is_empty()) { String::new() } else { out }
}

fn put_overview(out: &mut String, run: &str, step: &Step, flow: &Flow) {
    let _ = write!(
        out,
        "<tr><td class=\"l run\">{}</td><td>{}</td><td class=\"l\">{}</td><td>{}</td><td>{}</td>",
        escape(run),
        step.offered_records_s.map_or("–".to_owned(), count),
        flow.role.name().replace('_', " "),
        count(flow.records_s(step)),
        digits(flow.mb_s(step))
    );
    match flow.first_latency().filter(|(_, latency)| latency.count > 0) {
        Some((name, latency)) => {
            let _ = write!(out, "<td class=\"l\">{}</td>", escape(&name.replace('_', " ")));
            let Percentiles { p50, p99, p999, max, .. } = latency.us;
            put_durations(out, &[p50, p99, p999, max]);
        }
        None => out.push_str("<td>–</td><td>–</td><td>–</td><td>–</td><td>–</td>"),
    }
    let refused: u64 = flow.refused.values().fold(0, |sum, records| sum.saturating_add(*records));
    let _ = writeln!(out, "<td>{refused}</td></tr>");
}

/// All that is known of one step.
pub(super) fn step(run: &RunResult, number: usize, step: &Step, limits: Option<&Limits>) -> String {
    let place = if run.steps.len() > 1 { format!("Step {number} of {}: ", run.steps.len()) } else { String::new() };
    let mut out = format!("<h3>{place}offered {}, measured {} s</h3>\n", step.offered(), digits(step.measured_s));
    out.push_str(
        "<div class=\"scroll\"><table><thead><tr><th class=\"l\">flow</th><th class=\"l\">latency</th><th>count</th>\
         <th>mean</th><th>p50</th><th>p90</th><th>p99</th><th>p99.9</th><th>p99.99</th><th>max</th></tr></thead><tbody>\n",
    );
    for flow in &step.flows {
        put_latencies(&mut out, flow, limits.map(|limits| against::floor(limits, run, flow.role)));
    }
    out.push_str("</tbody></table></div>\n<ul>\n");
    for flow in &step.flows {
        put_counts(&mut out, step, flow);
        if let Some(limits) = limits {
            let sentence = escape(&against::sentence(limits, run, step, flow));
            let _ = writeln!(out, "<li>{}: {sentence}</li>", flow.role.name().replace('_', " "));
        }
    }
    out.push_str("</ul>\n");
    out
}

/// With the floor under the first of them.
fn put_latencies(out: &mut String, flow: &Flow, floor: Option<&Micros>) {
    let first = flow.first_latency().map(|(name, _)| name);
    for (name, latency) in &flow.latencies {
        let role = flow.role.name().replace('_', " ");
        let title = escape(&name.replace('_', " "));
        let _ = write!(out, "<tr><td class=\"l\">{role}</td><td class=\"l\">{title}</td><td>{}</td>", latency.count);
        let Percentiles { mean, p50, p90, p99, p999, p9999, max } = latency.us;
        put_durations(out, &[mean, p50, p90, p99, p999, p9999, max]);
        out.push_str("</tr>\n");
        if let Some(floor) = floor.filter(|_| latency.count > 0 && first == Some(name)) {
            put_times(out, &latency.us, floor);
        }
    }
}

fn put_times(out: &mut String, us: &Percentiles, floor: &Micros) {
    let times = |us: f64, floor: f64| if floor > 0.0 { digits(us / floor) } else { "–".to_owned() };
    let _ = writeln!(
        out,
        "<tr class=\"limit\"><td class=\"l\"></td><td class=\"l\">× of the limit</td><td></td><td></td><td>{}</td>\
         <td>{}</td><td>{}</td><td>{}</td><td></td><td>{}</td></tr>",
        times(us.p50, floor.p50),
        times(us.p90, floor.p90),
        times(us.p99, floor.p99),
        times(us.p999, floor.p999),
        times(us.max, floor.max)
    );
}

fn put_counts(out: &mut String, step: &Step, flow: &Flow) {
    let (role, rate, mb_s) = (flow.role.name().replace('_', " "), count(flow.records_s(step)), digits(flow.mb_s(step)));
    let _ = writeln!(out, "<li>{role}: {} records, {rate} records/s, {mb_s} MB/s</li>", flow.records);
    for (error, records) in &flow.refused {
        let _ = writeln!(out, "<li>{role}: refused {records}: {}</li>", escape(error));
    }
}

fn put_durations(out: &mut String, us: &[f64]) {
    for us in us {
        let _ = write!(out, "<td>{}</td>", duration(*us));
    }
}
