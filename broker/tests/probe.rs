//! A broker on a host that was probed: what it takes from the result, and that a bad one does not keep it from starting.

#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use support::{Broker, Options};

const EXAMPLE: &str = include_str!("../../docs/formats/probe-example.json");

/// The example, of the device that `dir` lies on, and with another depth and verdict.
fn probed(dir: &Path, suspected: bool) -> String {
    let mut value: serde_json::Value = serde_json::from_str(EXAMPLE).unwrap();
    let number = dir.metadata().unwrap().dev();
    let number = format!("{}:{}", rustix::fs::major(number), rustix::fs::minor(number));
    *value.pointer_mut("/device/number").unwrap() = number.into();
    *value.pointer_mut("/device/model").unwrap() = serde_json::Value::Null;
    *value.pointer_mut("/conclusions/wal_writes_in_flight").unwrap() = 7.into();
    *value.pointer_mut("/conclusions/drive/suspected").unwrap() = suspected.into();
    value.to_string()
}

fn lines_with(broker: &Broker, what: &str) -> usize {
    broker.log().lines().filter(|line| line.contains(what)).count()
}

#[test]
fn a_probed_depth_is_taken_and_a_suspect_drive_named() {
    let mut broker = Broker::prepare(Options::default().cores(1));
    fs::create_dir_all(broker.data_dir()).unwrap();
    let file = broker.data_dir().join("thalweg-probe.json");
    fs::write(&file, probed(&broker.data_dir(), true)).unwrap();
    broker.restart();
    assert_eq!(lines_with(&broker, "up to 7 writes in flight, as the probe found best"), 1, "{}", broker.log_tail());
    let suspect = broker.log().lines().filter(|line| line.contains("WARN") && line.contains("is suspect:")).count();
    assert_eq!(suspect, 1, "{}", broker.log_tail());
    broker.stop();

    fs::write(&file, "no longer a result").unwrap();
    broker.restart();
    assert_eq!(lines_with(&broker, "thalweg-probe.json is not used:"), 1, "{}", broker.log_tail());
    assert_eq!(lines_with(&broker, "as the probe found best"), 1, "only at the first start");
    broker.stop();
}
