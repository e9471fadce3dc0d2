//! `thalweg topic …`

use serde_json::json;

use crate::support::{broker, thalweg, unique};

#[test]
fn a_topic_lives_from_create_to_delete() {
    let broker = broker();
    let run = |arguments: &[&str]| thalweg(&broker.bootstrap, arguments);
    let topic = unique("life");

    let created = run(&["topic", "create", &topic, "-p", "2", "-c", "retention.ms=3600000", "--json"]).json();
    assert_eq!(created["topics"][0]["name"], json!(topic));
    assert_eq!(created["topics"][0]["partitions"], 2);
    assert_eq!(created["topics"][0]["created"], true);
    let id = created["topics"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 22);

    let list = run(&["topic", "list", &topic, "--json"]).json();
    assert_eq!(
        list,
        json!({"topics": [{"name": topic, "id": id, "internal": false, "partitions": 2, "replication_factor": 1}]})
    );

    assert!(run(&["topic", "add-partitions", &topic, "--to", "3"]).ok().contains("3 partitions; before: 2"));
    assert!(run(&["topic", "add-partitions", &topic, "1"]).ok().contains("4 partitions; before: 3"));
    assert!(run(&["topic", "add-partitions", &topic, "--to", "2"]).failed().contains("can only grow"));
    run(&["topic", "alter", &topic, "--set", "max.message.bytes=2000", "--unset", "retention.ms"]).ok();

    let described = run(&["topic", "describe", &topic, "--json"]).json();
    let described = &described["topics"][0];
    assert_eq!(described["partitions"].as_array().unwrap().len(), 4);
    let first = &described["partitions"][0];
    assert_eq!((&first["partition"], &first["start_offset"], &first["end_offset"]), (&json!(0), &json!(0), &json!(0)));
    assert_eq!(first["replicas"], json!([first["leader"]]));
    assert_eq!(first["in_sync"], first["replicas"]);
    let config: Vec<_> = described["config"].as_array().unwrap().iter().map(|entry| &entry["key"]).collect();
    assert_eq!(config, ["max.message.bytes"]);

    let deleted = run(&["topic", "delete", &topic, "--json"]).json();
    assert_eq!(deleted, json!({"deleted": [topic], "missing": []}));
    assert_eq!(run(&["topic", "list", &topic, "--json"]).json(), json!({"topics": []}));
}

#[test]
fn refusals_say_why_and_what_to_do() {
    let broker = broker();
    let run = |arguments: &[&str]| thalweg(&broker.bootstrap, arguments);
    let topic = unique("refusals");
    run(&["topic", "create", &topic]).ok();

    let exists = run(&["topic", "create", &topic]);
    assert!(exists.failed().contains("TOPIC_ALREADY_EXISTS"), "{exists}");
    assert!(exists.stderr.contains("--if-not-exists"), "{exists}");
    assert!(run(&["topic", "create", &topic, "--if-not-exists"]).ok().contains("exists already"));

    let bad_key = run(&["topic", "create", &unique("bad-key"), "-c", "retention.mss=1"]);
    assert!(bad_key.failed().contains("did you mean `retention.ms`"), "{bad_key}");
    let bad_value = run(&["topic", "alter", &topic, "--set", "retention.ms=soon"]);
    assert!(bad_value.failed().contains("INVALID_CONFIG"), "{bad_value}");
    let bad_name = run(&["topic", "create", "a/b"]);
    assert!(bad_name.failed().contains("249"), "{bad_name}");
    let too_many = run(&["topic", "create", &unique("replicas"), "-r", "99"]);
    assert!(too_many.failed().contains("INVALID_REPLICATION_FACTOR"), "{too_many}");
}

#[test]
fn an_unknown_topic_is_met_with_those_of_a_similar_name() {
    let broker = broker();
    let topic = unique("similar");
    thalweg(&broker.bootstrap, &["topic", "create", &topic]).ok();
    let typed = topic.replacen("similar", "simlar", 1);
    for command in [
        vec!["topic", "describe", &typed],
        vec!["topic", "delete", &typed],
        vec!["topic", "alter", &typed, "--set", "retention.ms=1"],
        vec!["topic", "add-partitions", &typed, "1"],
        vec!["config", "get", "topic", &typed],
        vec!["produce", &typed, "value"],
        vec!["consume", &typed, "-e"],
    ] {
        let outcome = thalweg(&broker.bootstrap, &command);
        assert!(outcome.failed().contains(&format!("there is no topic `{typed}`")), "{command:?}: {outcome}");
        assert!(outcome.stderr.contains(&format!("`{topic}`")), "{command:?}: {outcome}");
    }
    assert!(thalweg(&broker.bootstrap, &["topic", "delete", &typed, "--if-exists"]).ok().contains("did not exist"));
}

#[test]
fn validate_only_changes_nothing() {
    let broker = broker();
    let run = |arguments: &[&str]| thalweg(&broker.bootstrap, arguments);
    let topic = unique("validate");
    assert!(run(&["topic", "create", &topic, "--validate-only"]).ok().contains("could be created"));
    assert!(run(&["topic", "describe", &topic]).failed().contains("no topic"));
    run(&["topic", "create", &topic, "-p", "1"]).ok();
    run(&["topic", "alter", &topic, "--set", "retention.ms=5", "--validate-only"]).ok();
    run(&["topic", "add-partitions", &topic, "1", "--validate-only"]).ok();
    let described = run(&["topic", "describe", &topic, "--json"]).json();
    assert_eq!(described["topics"][0]["config"], json!([]));
    assert_eq!(described["topics"][0]["partitions"].as_array().unwrap().len(), 1);
}
