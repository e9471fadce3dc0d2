//! `thalweg txn …`

use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::json;

use crate::support::{Broker, broker, thalweg, unique};

const PATIENCE: Duration = Duration::from_secs(20);

fn producer(broker: &Broker, id: &str) -> BaseProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &broker.bootstrap).set("transactional.id", id);
    let producer: BaseProducer = config.set("transaction.timeout.ms", "45000").create().unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer
}

/// A transaction that is ongoing.
fn begin(producer: &BaseProducer, topic: &str) {
    producer.begin_transaction().unwrap();
    producer.send(BaseRecord::<(), _>::to(topic).partition(0).payload("value")).unwrap();
    producer.flush(PATIENCE).unwrap();
}

#[test]
fn transactions_are_listed_described_and_aborted() {
    let broker = broker();
    let run = |arguments: &[&str]| thalweg(&broker.bootstrap, arguments);
    let (topic, id) = (unique("txn"), unique("shop"));
    run(&["topic", "create", &topic, "-p", "2"]).ok();
    let producer = producer(&broker, &id);

    let list = |more: &[&str]| run(&[&["txn", "list", id.as_str(), "--json"], more].concat()).json();
    assert_eq!(list(&[])["transactions"][0]["state"], "Empty");
    assert_eq!(list(&["--state", "Ongoing"]), json!({"transactions": []}));

    begin(&producer, &topic);
    let listed = list(&["--state", "Ongoing,PrepareCommit"]);
    let producer_id = listed["transactions"][0]["producer_id"].as_i64().unwrap();
    assert_eq!(listed["transactions"][0]["transactional_id"], json!(id));
    assert_eq!(list(&["--producer-id", &producer_id.to_string()])["transactions"].as_array().unwrap().len(), 1);
    assert_eq!(list(&["--running-longer-than", "1h"]), json!({"transactions": []}));
    assert_eq!(list(&["--pattern", "shop-[0-9-]+"])["transactions"].as_array().unwrap().len(), 1);
    assert_eq!(list(&["--pattern", "shop"]), json!({"transactions": []}));
    assert!(run(&["txn", "list"]).ok().contains("TRANSACTIONAL ID"));

    let described = run(&["txn", "describe", &id, "--json"]).json();
    let described = &described["transactions"][0];
    assert_eq!((&described["state"], &described["timeout_ms"]), (&json!("Ongoing"), &json!(45_000)));
    assert_eq!(described["partitions"], json!([{"topic": topic, "partitions": [0]}]));
    assert!(described["running_ms"].as_i64().unwrap() >= 0);
    assert!(run(&["txn", "describe", &id]).ok().contains(&format!("{id}: Ongoing\n  producer {producer_id}, epoch ")));

    let aborted = run(&["txn", "abort", &id, "--json"]).json();
    assert_eq!((&aborted["transactional_id"], &aborted["was_running"]), (&json!(id), &json!(true)));
    producer.commit_transaction(PATIENCE).unwrap_err();
    assert_eq!(list(&[])["transactions"][0]["state"], "Empty");
    assert!(run(&["txn", "abort", &id]).ok().contains("had no transaction to abort (Empty)"));
}

#[test]
fn a_transaction_is_ended_in_a_partition() {
    let broker = broker();
    let run = |arguments: &[&str]| thalweg(&broker.bootstrap, arguments);
    let (topic, id) = (unique("txn-marked"), unique("marked"));
    run(&["topic", "create", &topic, "-p", "1"]).ok();
    let producer = producer(&broker, &id);
    begin(&producer, &topic);

    // It is younger than any transaction may be, and its coordinator knows it.
    let hanging = ["txn", "hanging", "--topic", &topic, "--json"];
    assert_eq!(run(&hanging).json(), json!({"transactions": []}));
    let younger = [&hanging[..], &["--max-transaction-timeout", "0s"]].concat();
    assert_eq!(run(&younger).json(), json!({"transactions": []}));

    let abort = |offset: &str| {
        run(&["txn", "abort", "--topic", &topic, "--partition", "0", "--start-offset", offset, "--json"])
    };
    assert!(abort("7").failed().contains("no open transaction of"));
    assert_eq!(abort("0").json()["start_offset"], 0);
    assert!(abort("0").failed().contains("begins at offset 0"));
    // Nobody reads what was aborted, and nobody waits for it.
    assert_eq!(run(&["consume", &topic, "-e"]).ok(), "");
    // Its coordinator still thinks that it is ongoing, and ends it as well.
    producer.abort_transaction(PATIENCE).unwrap();
}

#[test]
fn what_is_not_there_is_said() {
    let broker = broker();
    let run = |arguments: &[&str]| thalweg(&broker.bootstrap, arguments);
    let id = unique("nobody");
    assert!(run(&["txn", "describe", &id]).failed().contains("TRANSACTIONAL_ID_NOT_FOUND"));
    assert!(run(&["txn", "abort", &id]).failed().contains("TRANSACTIONAL_ID_NOT_FOUND"));
    assert!(run(&["txn", "describe", &id]).failed().contains("txn list"));
    assert!(run(&["txn", "list", "--state", "Lost"]).refused().contains("there is no state `Lost`"));
    assert!(run(&["txn", "list", "--pattern", "("]).failed().contains("INVALID_REGULAR_EXPRESSION"));
    run(&["txn", "abort"]).refused();
    run(&["txn", "abort", &id, "--topic", "t"]).refused();
    run(&["txn", "list", "--running-longer-than", "soon"]).refused();
}
