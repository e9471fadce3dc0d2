//! `thalweg cluster …` and `thalweg config …`

use serde_json::{Value, json};

use crate::support::{broker, thalweg, unique};

#[test]
fn the_cluster_shows_its_brokers_and_what_they_speak() {
    let broker = broker();
    let info = thalweg(&broker.bootstrap, &["cluster", "info", "--apis", "--json"]).json();
    assert_eq!(info["brokers"][0]["address"], json!(broker.bootstrap));
    assert_eq!(info["controller"], info["brokers"][0]["id"]);
    assert!(info["cluster_id"].is_string());
    let produce = info["apis"].as_array().unwrap().iter().find(|api| api["key"] == 0).unwrap();
    assert_eq!(produce["name"], "Produce");
    let text = thalweg(&broker.bootstrap, &["cluster", "info"]).ok();
    assert!(text.contains(&broker.bootstrap) && text.contains("controller"), "{text}");
}

#[test]
fn settings_are_shown_set_and_taken_back() {
    let broker = broker();
    let run = |arguments: &[&str]| thalweg(&broker.bootstrap, arguments);
    let topic = unique("settings");
    run(&["topic", "create", &topic]).ok();
    let get =
        |key: &str| -> Value { run(&["config", "get", "topic", &topic, key, "--json"]).json()["config"][0].clone() };

    let before = get("retention.ms");
    assert_ne!(before["source"], "DYNAMIC_TOPIC_CONFIG");
    assert_eq!((&before["type"], &before["read_only"]), (&json!("LONG"), &json!(false)));
    run(&["config", "set", "topic", &topic, "retention.ms=1234567", "segment.bytes=1048576"]).ok();
    let set = get("retention.ms");
    assert_eq!((&set["value"], &set["source"]), (&json!("1234567"), &json!("DYNAMIC_TOPIC_CONFIG")));
    run(&["config", "unset", "topic", &topic, "retention.ms"]).ok();
    assert_eq!(get("retention.ms"), before);
    // What was not named stays as it is (KIP-339).
    assert_eq!(get("segment.bytes")["value"], "1048576");
    assert!(run(&["config", "get", "topic", &topic, "--all"]).ok().contains("cleanup.policy"));
}

#[test]
fn brokers_show_their_settings() {
    let broker = broker();
    let info = thalweg(&broker.bootstrap, &["cluster", "info", "--json"]).json();
    let id = info["brokers"][0]["id"].to_string();
    let shown = thalweg(&broker.bootstrap, &["config", "get", "broker", &id, "log.dirs", "--json"]).json();
    assert_eq!(shown["config"][0]["source"], "STATIC_BROKER_CONFIG");
    let no_broker = thalweg(&broker.bootstrap, &["config", "get", "broker", "4711"]);
    assert!(no_broker.failed().contains("no broker has the id 4711"), "{no_broker}");
}

#[test]
fn unknown_settings_are_met_with_those_of_a_similar_name() {
    let broker = broker();
    let topic = unique("unknown-settings");
    thalweg(&broker.bootstrap, &["topic", "create", &topic]).ok();
    for command in
        [["config", "get", "topic", &topic, "retension.ms"], ["config", "set", "topic", &topic, "retension.ms=1"]]
    {
        let outcome = thalweg(&broker.bootstrap, &command);
        assert!(outcome.failed().contains("did you mean `retention.ms`"), "{outcome}");
    }
}
