//! Results made by hand, for tests.

#![expect(clippy::unwrap_used, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "tests")]

use std::collections::BTreeMap;

use serde_json::json;

use crate::probe::{Limits, Micros};
use crate::result::{FORMAT, Flow, Host, Latency, Role, RunResult, Second, Step};

const MEASURED_S: i64 = 10;
const WARM_UP_S: i64 = 2;

pub(crate) fn host(cpu: &str) -> Host {
    Host { kernel: "Linux 6.18".to_owned(), cpu: cpu.to_owned(), cores: 2, memory_mib: 24_000 }
}

/// Latencies from `low_us` on; one in a hundred is ten, one in a thousand a hundred times as long.
pub(crate) fn latency(count: u64, low_us: u64) -> Latency {
    let mut histogram = Latency::empty().unwrap();
    for n in 0..count {
        let slow = if n % 1000 == 999 {
            100
        } else if n % 100 == 99 {
            10
        } else {
            1
        };
        histogram.record((low_us + n % 97) * slow * 1000).unwrap();
    }
    Latency::of(&histogram).unwrap()
}

pub(crate) fn flow(role: Role, names: &[&str], rate: f64, low_us: u64) -> Flow {
    let records = rate as u64 * MEASURED_S as u64;
    let latencies: BTreeMap<_, _> = names.iter().map(|name| ((*name).to_owned(), latency(records, low_us))).collect();
    let us = latencies.values().next().unwrap().us;
    let second = |at_s| Second {
        at_s,
        records: rate as u64,
        bytes: rate as u64 * 100,
        p50_us: us.p50 + at_s as f64,
        p99_us: us.p99 + 10.0 * at_s as f64,
        max_us: us.max,
    };
    let seconds = (-WARM_UP_S..MEASURED_S).map(second).collect();
    Flow { role, records, bytes: records * 100, latencies, refused: BTreeMap::new(), seconds }
}

fn step(rate: f64, flows: Vec<Flow>) -> Step {
    Step { offered_records_s: Some(rate), measured_s: MEASURED_S as f64, flows }
}

fn run(name: &str, steps: Vec<Step>) -> RunResult {
    RunResult {
        format: FORMAT.to_owned(),
        version: "0.1.0".to_owned(),
        name: name.to_owned(),
        began_ms: 1_795_552_835_000,
        hosts: vec![host("CPU 9000")],
        scenario: json!({"name": name, "bootstrap": "127.0.0.1:9092", "produce": {"producers": 2, "acks": "all"}}),
        steps,
        failure: None,
    }
}

pub(crate) fn steady(name: &str) -> RunResult {
    let produce = flow(Role::Produce, &["latency", "service"], 1000.0, 200);
    run(name, vec![step(1000.0, vec![produce, flow(Role::Tail, &["end_to_end", "fetch"], 1000.0, 300)])])
}

/// The higher the rate, the longer it takes.
pub(crate) fn steps(name: &str, rates: &[f64]) -> RunResult {
    let flow = |rate: f64| flow(Role::Produce, &["latency"], rate, 100 + rate as u64 / 10);
    run(name, rates.iter().map(|rate| step(*rate, vec![flow(*rate)])).collect())
}

/// Failed before anything was measured.
pub(crate) fn empty(name: &str) -> RunResult {
    RunResult { failure: Some("127.0.0.1:9092 refuses <connections>".to_owned()), ..run(name, Vec::new()) }
}

pub(crate) fn limits() -> Limits {
    let us = |p50: f64| Micros { p50, p90: p50 * 1.5, p99: p50 * 2.0, p999: p50 * 4.0, max: p50 * 10.0 };
    Limits {
        device: "<SSD> 960, nvme0n1".to_owned(),
        durable_4k: us(70.0),
        round_trip: us(30.0),
        floor: us(100.0),
        durable_bytes_s: 1e7,
        read_bytes_s: 1e8,
    }
}
