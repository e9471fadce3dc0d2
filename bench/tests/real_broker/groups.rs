//! `thalweg-bench groups` with a real broker.

use crate::harness::{Broker, start};

#[test]
fn groups_form_rebalance_and_commit() {
    let broker = Broker::start();
    let arguments =
        ["groups", "--groups", "20", "--members", "4", "--rounds", "2", "--commits", "400", "--duration", "2"];
    let outcome =
        start(&[&arguments[..], &["--bootstrap", broker.address(), "--patience", "120", "--json"]].concat()).wait();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let lines: Vec<serde_json::Value> =
        outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let shown: Vec<(&str, u64)> =
        lines.iter().map(|line| (line["what"].as_str().unwrap(), line["count"].as_u64().unwrap())).collect();
    let expected = ["groups formed", "rebalance 1", "rebalance 2"].map(|what| format!("{what}, 20 groups of 4"));
    for (line, expected) in shown.iter().zip(&expected) {
        assert_eq!(*line, (expected.as_str(), 20), "{outcome}");
    }
    assert_eq!((shown.len(), shown[3].1), (4, 800), "{outcome}");
    // A second run finds the topic there.
    let again = start(&[
        "groups",
        "--groups",
        "2",
        "--members",
        "4",
        "--rounds",
        "0",
        "--commits",
        "0",
        "--bootstrap",
        broker.address(),
    ]);
    let again = again.wait();
    assert_eq!(again.code, Some(0), "{again}");
}

#[test]
fn a_broker_that_is_not_there_is_named() {
    let outcome = start(&["groups", "--bootstrap", "127.0.0.1:1", "--groups", "1"]).wait();
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert!(outcome.stderr.contains("127.0.0.1:1"), "{outcome}");
}
