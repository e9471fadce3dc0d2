//! Our tables beside what Kafka 4.3.1 says of its own.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::schema::{Check, ConfigKey, DefaultValue};
use crate::config::tables;

const BROKER: &str = include_str!("kafka-4.3.1/broker.tsv");
const TOPIC: &str = include_str!("kafka-4.3.1/topic.tsv");
const SYNONYMS: &str = include_str!("kafka-4.3.1/synonyms.tsv");

/// Keys whose update mode is not Kafka's, and ours: a listener cannot be opened or closed at run time yet.
const OTHER_MODE: &[&str] = &["listeners", "listener.security.protocol.map"];
/// Empty is the default of these and passes: it is in Kafka's constructor, not in the validator's way.
const EMPTY_PASSES: &[&str] = &["controller.quorum.bootstrap.servers", "controller.quorum.voters"];

fn rows(table: &str) -> impl Iterator<Item = Vec<&str>> {
    table.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect())
}

fn compare(key: &ConfigKey, row: &[&str]) {
    let name = key.name;
    assert_eq!(key.kind.name().to_uppercase(), row[1], "type of {name}");
    let kafka = (row[2] != "NULL" && row[2] != "NODEF").then_some(row[2]);
    match key.default {
        DefaultValue::Is(text) => assert_eq!(Some(text), kafka, "default of {name}"),
        DefaultValue::Unset => assert_eq!(kafka, None, "default of {name}"),
        DefaultValue::Differs { kafka: noted, ours, .. } => {
            assert_eq!(noted, kafka, "Kafka's default of {name}");
            assert_ne!(ours, kafka, "{name} does not differ");
        }
    }
    if !EMPTY_PASSES.contains(&name) {
        assert_eq!(kafka_words(key.check), words(row[3]), "valid values of {name}");
    }
    assert_eq!(key.importance.name().to_uppercase(), row[4], "importance of {name}");
    assert_eq!(key.internal, row[5] == "internal", "{name}: internal");
}

/// How Kafka's validators print themselves.
fn kafka_words(check: Check) -> String {
    match check {
        Check::Any => String::new(),
        Check::AtLeast(min) => format!("[{min},...]"),
        Check::Between(min, max) => format!("[{min},...,{max}]"),
        Check::BetweenOr(min, max, or) => format!("[{min},...,{max}] or {or}"),
        Check::Fraction(min, max) => format!("[{min},...,{max}]"),
        Check::OneOf(words) => format!("[{}]", words.join(", ")),
        Check::OneOfAnyCase(words) => format!("(case insensitive) [{}]", words.join(", ")),
        Check::NonEmpty => "non-empty".to_owned(),
        Check::ThrottledReplicas => "[partitionId]:[brokerId],[partitionId]:[brokerId],...".to_owned(),
    }
}

/// Without the words for "anything", and with one word for "not empty".
fn words(printed: &str) -> &str {
    match printed {
        "-" | "non-null string" => "",
        "non-empty string" | "non-empty list" => "non-empty",
        other => other,
    }
}

#[test]
fn every_broker_key_of_kafka_is_here_with_its_type_default_range_and_mode() {
    let mut seen = BTreeSet::new();
    for row in rows(BROKER) {
        let key = tables::broker_key(row[0]).unwrap_or_else(|| panic!("{} is missing", row[0]));
        compare(key, &row);
        if !OTHER_MODE.contains(&key.name) {
            assert_eq!(key.mode.name(), row[6], "update mode of {}", key.name);
        }
        seen.insert(key.name);
    }
    let ours: Vec<&str> = tables::broker_keys().map(|key| key.name).filter(|name| !seen.contains(name)).collect();
    assert!(ours.len() > 5 && ours.iter().all(|name| name.starts_with("thalweg.")), "{ours:?}");
    assert!(seen.len() > 350, "{} keys", seen.len());
}

#[test]
fn every_topic_setting_of_kafka_is_here() {
    let mut seen = BTreeSet::new();
    for row in rows(TOPIC) {
        let key = tables::topic_key(row[0]).unwrap_or_else(|| panic!("{} is missing", row[0]));
        compare(key, &row);
        seen.insert(key.name);
    }
    assert_eq!(seen, tables::topic_keys().map(|key| key.name).collect());
    assert_eq!(seen.len(), 34);
}

#[test]
fn topic_defaults_come_from_the_same_broker_keys_as_in_kafka() {
    let kafka: BTreeMap<&str, Vec<&str>> = rows(SYNONYMS).map(|row| (row[0], row[1].split(' ').collect())).collect();
    let names = |chain: &'static [tables::Synonym]| chain.iter().map(|synonym| synonym.name).collect::<Vec<_>>();
    let ours: BTreeMap<&str, Vec<&str>> =
        tables::TOPIC_SYNONYMS.iter().map(|(topic, chain)| (*topic, names(chain))).collect();
    assert_eq!(ours, kafka);
    for name in ours.values().flatten() {
        assert!(tables::broker_key(name).is_some(), "{name} is in no table");
    }
}

#[test]
fn rows_are_unique_and_their_defaults_pass_their_own_checks() {
    for keys in [tables::broker_keys().collect::<Vec<_>>(), tables::topic_keys().collect()] {
        let names: BTreeSet<&str> = keys.iter().map(|key| key.name).collect();
        assert_eq!(names.len(), keys.len(), "a name stands in the table twice");
        for key in keys {
            let value = key.default_value();
            assert_eq!(value.is_some(), key.default.text().is_some());
            assert!(key.doc.ends_with('.') && !key.doc.contains('|'), "{}: {}", key.name, key.doc);
        }
    }
}

#[test]
fn no_key_is_both_in_a_table_and_known_as_foreign() {
    for key in tables::broker_keys() {
        assert_eq!(tables::usage_of_foreign(key.name), None, "{}", key.name);
    }
}
