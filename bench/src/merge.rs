//! `thalweg-bench merge`: the results of several processes or hosts that drove one broker at the same time, as one.
//!
//! Counts and histograms are added, and percentiles are those of the added histograms. A result keeps no histogram for
//! each second: of the processes' p50, p99 and maximum the largest stands, which for p50 and p99 is an upper bound.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::report::input;
use crate::result::{Flow, Latency, Role, RunResult, Second, Step};

/// Where processes of one load may differ: where they find the broker, and when they were told to begin.
const MAY_DIFFER: [&str; 3] = ["name", "bootstrap", "start_at_ms"];
/// What a process may lack altogether, as producers and consumers may run on different hosts.
const MAY_LACK: [&str; 3] = ["produce", "tail", "catch_up"];

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Results of processes that ran the same scenario at the same time
    #[arg(required = true, num_args = 2..)]
    results: Vec<PathBuf>,
    /// Where the merged result goes
    #[arg(long)]
    out: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let named = |path: &PathBuf| Ok((path.display().to_string(), input::load(path)?));
    let merged = merge(&args.results.iter().map(named).collect::<Result<Vec<_>>>()?)?;
    let text = serde_json::to_string_pretty(&merged)? + "\n";
    std::fs::write(&args.out, text).with_context(|| format!("cannot write {}", args.out.display()))
}

/// Results and what errors call them.
fn merge(parts: &[(String, RunResult)]) -> Result<RunResult> {
    let (name, first) = parts.first().context("nothing to merge")?;
    for (other_name, other) in parts.iter().skip(1) {
        let mut differences = Vec::new();
        differ("", &first.scenario, &other.scenario, &mut differences);
        if !differences.is_empty() {
            bail!("{name} and {other_name} are not of one scenario: {}", differences.join("; "));
        }
        ensure!(
            overlap(first, other),
            "{other_name} did not run at the same time as {name}: merged, their throughput would count twice"
        );
    }
    let began_ms = parts.iter().map(|(_, part)| part.began_ms).min().unwrap_or(first.began_ms);
    let steps = (0..parts.iter().map(|(_, part)| part.steps.len()).max().unwrap_or(0)).map(|index| {
        let steps: Vec<_> = parts
            .iter()
            .filter_map(|(_, part)| Some((whole_seconds(part.began_ms - began_ms), part.steps.get(index)?)))
            .collect();
        merge_steps(&steps).with_context(|| format!("step {}", index + 1))
    });
    Ok(RunResult {
        began_ms,
        hosts: parts.iter().flat_map(|(_, part)| part.hosts.clone()).collect(),
        scenario: united(parts.iter().map(|(_, part)| &part.scenario)),
        steps: steps.collect::<Result<_>>()?,
        failure: failures(parts),
        ..first.clone()
    })
}

/// Rounded: series of different processes are apart by up to half a second.
fn whole_seconds(ms: i64) -> i64 {
    (ms + 500).div_euclid(1000)
}

/// All that ended early, by whose it was.
fn failures(parts: &[(String, RunResult)]) -> Option<String> {
    let failed = parts.iter().filter_map(|(name, part)| part.failure.as_ref().map(|said| format!("{name}: {said}")));
    let failed: Vec<_> = failed.collect();
    (!failed.is_empty()).then(|| failed.join("; "))
}

/// A run goes on at least as long as it measured.
#[expect(clippy::cast_possible_truncation, reason = "what was read is within ten years for each step")]
fn overlap(one: &RunResult, other: &RunResult) -> bool {
    let length_ms = |run: &RunResult| {
        let counted: f64 = run.steps.iter().map(|step| step.measured_s).sum();
        // A run that failed at once overlaps with whatever began in the same second.
        (counted * 1000.0) as i64 + 1000
    };
    one.began_ms < other.began_ms.saturating_add(length_ms(other))
        && other.began_ms < one.began_ms.saturating_add(length_ms(one))
}

/// The scenario's keys with different values, as `produce.rate is 1 and 2`.
fn differ(path: &str, one: &Value, other: &Value, found: &mut Vec<String>) {
    match (one, other) {
        (Value::Object(ones), Value::Object(others)) => {
            let keys: std::collections::BTreeSet<_> = ones.keys().chain(others.keys()).collect();
            for key in keys {
                let (one, other) = (ones.get(key).unwrap_or(&Value::Null), others.get(key).unwrap_or(&Value::Null));
                let lacks = one.is_null() != other.is_null() && MAY_LACK.contains(&key.as_str());
                if path.is_empty() && (lacks || MAY_DIFFER.contains(&key.as_str())) {
                    continue;
                }
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                differ(&path, one, other, found);
            }
        }
        _ if one == other => {}
        _ => found.push(format!("{path} is {one} and {other}")),
    }
}

/// The first process' scenario, with the sections that only others have.
fn united<'a>(mut scenarios: impl Iterator<Item = &'a Value>) -> Value {
    let mut united = scenarios.next().cloned().unwrap_or_default();
    for (key, section) in scenarios.filter_map(Value::as_object).flatten() {
        if let Some(all) = united.as_object_mut().filter(|all| all.get(key).is_none_or(Value::is_null)) {
            all.insert(key.clone(), section.clone());
        }
    }
    united
}

/// Of the processes that came to this step, with the seconds that each began after the first.
///
/// Offered rates add up. The longest measured time counts: with it records per second are never more than there were.
fn merge_steps(steps: &[(i64, &Step)]) -> Result<Step> {
    let offered: Vec<f64> = steps.iter().filter_map(|(_, step)| step.offered_records_s).collect();
    let mut flows = Vec::new();
    for role in Role::ALL {
        let of_role: Vec<_> = steps.iter().filter_map(|(shift, step)| Some((*shift, step.flow(role)?))).collect();
        if !of_role.is_empty() {
            flows.push(merge_flows(role, &of_role).with_context(|| role.name().to_owned())?);
        }
    }
    Ok(Step {
        offered_records_s: (!offered.is_empty()).then(|| offered.iter().sum()),
        measured_s: steps.iter().map(|(_, step)| step.measured_s).fold(0.0, f64::max),
        flows,
    })
}

fn merge_flows(role: Role, flows: &[(i64, &Flow)]) -> Result<Flow> {
    let (mut latencies, mut refused) = (BTreeMap::new(), BTreeMap::new());
    let (mut records, mut bytes) = (0, 0);
    for (_, flow) in flows {
        records = sum(records, flow.records)?;
        bytes = sum(bytes, flow.bytes)?;
        for (name, latency) in &flow.latencies {
            let of = latencies.entry(name.clone()).or_insert(Latency::empty()?);
            of.add(latency.histogram()?).with_context(|| format!("{name} cannot be added up"))?;
        }
        for (error, count) in &flow.refused {
            let so_far = refused.entry(error.clone()).or_insert(0);
            *so_far = sum(*so_far, *count)?;
        }
    }
    let latencies = latencies.into_iter().map(|(name, histogram)| Ok((name, Latency::of(&histogram)?)));
    Ok(Flow { role, records, bytes, latencies: latencies.collect::<Result<_>>()?, refused, seconds: series(flows)? })
}

/// Second by second on the first process' clock.
fn series(flows: &[(i64, &Flow)]) -> Result<Vec<Second>> {
    let mut seconds: BTreeMap<i64, Second> = BTreeMap::new();
    for (shift, second) in flows.iter().flat_map(|(shift, flow)| flow.seconds.iter().map(move |s| (*shift, s))) {
        let at_s = second.at_s.checked_add(shift).context("a second is out of range")?;
        let none = Second { at_s, records: 0, bytes: 0, p50_us: 0.0, p99_us: 0.0, max_us: 0.0 };
        let all = seconds.entry(at_s).or_insert(none);
        all.records = sum(all.records, second.records)?;
        all.bytes = sum(all.bytes, second.bytes)?;
        all.p50_us = all.p50_us.max(second.p50_us);
        all.p99_us = all.p99_us.max(second.p99_us);
        all.max_us = all.max_us.max(second.max_us);
    }
    Ok(seconds.into_values().collect())
}

fn sum(one: u64, other: u64) -> Result<u64> {
    one.checked_add(other).context("counts are too large to be added up")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use serde_json::json;

    use super::*;
    use crate::report::sample;

    fn parts(runs: Vec<RunResult>) -> Vec<(String, RunResult)> {
        (1..).map(|n| format!("{n}.json")).zip(runs).collect()
    }

    fn refused(runs: Vec<RunResult>) -> String {
        format!("{:#}", merge(&parts(runs)).unwrap_err())
    }

    #[test]
    fn counts_add_up_and_percentiles_are_those_of_all_records() {
        let (mut fast, mut slow) = (sample::steady("a"), sample::steady("b"));
        fast.steps[0].flows = vec![sample::flow(Role::Produce, &["latency"], 950.0, 100)];
        slow.steps[0].flows = vec![sample::flow(Role::Produce, &["latency"], 50.0, 50_000)];
        slow.hosts = vec![sample::host("other")];
        slow.steps[0].flows[0].refused.insert("NOT_LEADER".to_owned(), 7);
        let merged = merge(&parts(vec![fast.clone(), slow.clone()])).unwrap();
        assert_eq!((merged.name.as_str(), merged.hosts.len(), merged.hosts[1].cpu.as_str()), ("a", 2, "other"));
        let step = &merged.steps[0];
        assert_eq!((step.offered_records_s, step.measured_s), (Some(2000.0), 10.0));
        let flow = &step.flows[0];
        assert_eq!((flow.records, flow.bytes, flow.refused["NOT_LEADER"]), (10_000, 1_000_000, 7));
        let mut all = fast.steps[0].flows[0].latencies["latency"].histogram().unwrap();
        all.add(slow.steps[0].flows[0].latencies["latency"].histogram().unwrap()).unwrap();
        assert_eq!(flow.latencies["latency"], Latency::of(&all).unwrap());
        // The mean of both p90 would be 25 ms, and 19 in 20 records were fast.
        let us = flow.latencies["latency"].us;
        assert!(us.p90 < 300.0 && us.p99 > 50_000.0, "{us:?}");
    }

    #[test]
    fn series_are_aligned_by_the_clock_and_keep_the_worst_latency() {
        let (early, mut late) = (sample::steady("a"), sample::steady("a"));
        late.began_ms += 2_900;
        late.steps[0].flows[0].seconds[0].p99_us = 123_456.0;
        let merged = merge(&parts(vec![late, early.clone()])).unwrap();
        assert_eq!(merged.began_ms, early.began_ms);
        let seconds = &merged.steps[0].flows[0].seconds;
        let records: Vec<_> = seconds.iter().map(|second| (second.at_s, second.records)).collect();
        assert_eq!((records.len(), records[0], records[2]), (15, (-2, 1000), (0, 1000)));
        assert_eq!((records[3], records[11], records[12], records[14]), ((1, 2000), (9, 2000), (10, 1000), (12, 1000)));
        assert_eq!(seconds[3].p99_us, 123_456.0);
        assert_eq!(seconds.iter().map(|second| second.records).sum::<u64>(), 24_000);
    }

    #[test]
    fn producers_and_consumers_of_different_hosts_come_together() {
        let (mut producer, mut consumer) = (sample::steady("p"), sample::steady("c"));
        consumer.steps[0].flows.remove(0);
        consumer.steps[0].offered_records_s = None;
        producer.steps[0].flows.remove(1);
        consumer.scenario =
            json!({"name": "c", "bootstrap": "10.0.0.1:9092", "produce": null, "tail": {"consumers": 1}});
        consumer.failure = Some("refused".to_owned());
        let merged = merge(&parts(vec![producer.clone(), consumer])).unwrap();
        let roles: Vec<_> = merged.steps[0].flows.iter().map(|flow| flow.role).collect();
        assert_eq!((roles, merged.steps[0].offered_records_s), (vec![Role::Produce, Role::Tail], Some(1000.0)));
        assert_eq!(merged.scenario["tail"], json!({"consumers": 1}));
        assert_eq!(merged.scenario["produce"], producer.scenario["produce"]);
        assert_eq!(merged.failure.as_deref(), Some("2.json: refused"));
    }

    #[test]
    fn what_differs_is_named() {
        let (one, mut other) = (sample::steady("a"), sample::steady("b"));
        other.scenario["produce"]["producers"] = 3.into();
        other.scenario["duration_s"] = 9.into();
        let said = refused(vec![one, other]);
        let expected =
            "1.json and 2.json are not of one scenario: duration_s is null and 9; produce.producers is 2 and 3";
        assert_eq!(said, expected);
    }

    #[test]
    fn runs_one_after_the_other_are_refused() {
        let (one, mut other) = (sample::steady("a"), sample::steady("a"));
        other.began_ms += 3_600_000;
        assert!(refused(vec![one, other]).contains("2.json did not run at the same time as 1.json"));
    }

    #[test]
    fn counts_beyond_all_measure_are_an_error() {
        let (mut one, other) = (sample::steady("a"), sample::steady("a"));
        one.steps[0].flows[0].records = u64::MAX;
        assert!(refused(vec![one, other]).contains("step 1: produce: counts are too large"));
    }
}
