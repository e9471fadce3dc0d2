//! DescribeConfigs.

use std::collections::BTreeMap;

use super::{config, layers, overrides};
use crate::config::Source::{self, Default as Unset, DynamicBroker, DynamicDefaultBroker, DynamicTopic, StaticBroker};
use crate::config::describe::{self, Described, Wanted};
use crate::config::{Overrides, tables};

const ALL: Wanted<'static> = Wanted { keys: None, synonyms: true, documentation: true };

fn entry<'a>(entries: &'a [Described], name: &str) -> &'a Described {
    entries.iter().find(|entry| entry.name == name).unwrap_or_else(|| panic!("{name} is not described"))
}

fn synonyms(entry: &Described) -> Vec<(Source, &str, &str)> {
    entry.synonyms.iter().map(|it| (it.source, it.name.as_str(), it.value.as_deref().unwrap_or("null"))).collect()
}

#[test]
fn a_topic_describes_all_its_settings_with_type_and_documentation() {
    let entries = describe::topic(&Overrides::new(), &layers("", "", ""), ALL);
    assert_eq!(entries.len(), 33);
    assert!(entries.is_sorted_by(|a, b| a.name < b.name));
    for entry in &entries {
        let key = tables::topic_key(&entry.name).unwrap();
        assert_eq!((entry.config_type, entry.documentation), (key.kind.wire_id(), Some(key.doc)));
        assert_eq!((entry.source, entry.read_only, entry.sensitive), (Unset, false, false), "{}", entry.name);
    }
    assert_eq!(entry(&entries, "flush.messages").value.as_deref(), Some("1"));
    assert_eq!(entry(&entries, "min.cleanable.dirty.ratio").value.as_deref(), Some("0.5"));
    assert_eq!(entry(&entries, "cleanup.policy").config_type, 7);
}

#[test]
fn synonyms_stand_in_the_order_in_which_they_count() {
    let layers = layers(
        "log.retention.hours=2 log.segment.bytes=2097152",
        "min.insync.replicas=2",
        "log.retention.ms=9 min.insync.replicas=3",
    );
    let entries = describe::topic(&overrides("retention.ms=7"), &layers, ALL);
    let retention = entry(&entries, "retention.ms");
    assert_eq!((retention.value.as_deref(), retention.source), (Some("7"), DynamicTopic));
    assert_eq!(
        synonyms(retention),
        [
            (DynamicTopic, "retention.ms", "7"),
            (DynamicBroker, "log.retention.ms", "9"),
            (StaticBroker, "log.retention.hours", "2"),
            (Unset, "log.retention.hours", "168"),
        ]
    );
    let isr = entry(&entries, "min.insync.replicas");
    assert_eq!((isr.value.as_deref(), isr.source), (Some("3"), DynamicBroker));
    assert_eq!(
        synonyms(isr),
        [
            (DynamicBroker, "min.insync.replicas", "3"),
            (DynamicDefaultBroker, "min.insync.replicas", "2"),
            (Unset, "min.insync.replicas", "1"),
        ]
    );
    assert_eq!(entry(&entries, "segment.bytes").source, StaticBroker);
    let roll = entry(&entries, "segment.ms");
    assert_eq!((roll.value.as_deref(), roll.source), (Some("604800000"), Unset));
}

#[test]
fn only_what_is_wanted_is_answered() {
    let keys = ["retention.ms".to_owned(), "no.such.key".to_owned()];
    let wanted = Wanted { keys: Some(&keys), ..Wanted::default() };
    let entries = describe::topic(&overrides("retention.ms=7"), &layers("", "", ""), wanted);
    assert_eq!(entries.len(), 1);
    assert_eq!((entries[0].documentation, entries[0].synonyms.len(), entries[0].source), (None, 0, DynamicTopic));
    let none = Wanted { keys: Some(&[]), ..Wanted::default() };
    assert_eq!(describe::topic(&Overrides::new(), &layers("", "", ""), none).len(), 33);
}

#[test]
fn a_broker_describes_every_documented_key() {
    let config =
        config("broker.id=4\nlog.retention.hours=2\nssl.key.password=hunter2\nlog.cleanup.policy=compact , delete");
    let entries = describe::broker(&config, ALL);
    assert_eq!(entries.len(), tables::broker_keys().filter(|key| !key.internal).count());
    let text = format!("{entries:?}");
    assert!(!text.contains("hunter2"), "a secret was described");
    let secret = entry(&entries, "ssl.key.password");
    assert_eq!((secret.value.as_deref(), secret.sensitive, secret.source), (None, true, StaticBroker));
    assert_eq!(entry(&entries, "node.id").value.as_deref(), Some("4"));
    assert_eq!(entry(&entries, "thalweg.cores").value.as_deref(), Some("4"));
    assert_eq!(entry(&entries, "log.cleanup.policy").value.as_deref(), Some("compact,delete"));
    assert!(entry(&entries, "log.retention.hours").read_only && !entry(&entries, "log.retention.ms").read_only);
    let hours = entry(&entries, "log.retention.hours");
    assert_eq!(synonyms(hours), [(StaticBroker, "log.retention.hours", "2"), (Unset, "log.retention.hours", "168")]);
    let ms = entry(&entries, "log.retention.ms");
    assert_eq!((ms.value.as_deref(), ms.source, ms.synonyms.len()), (None, Unset, 0), "as Kafka describes it");
}

#[test]
fn the_default_of_all_brokers_is_what_was_set() {
    let entries = describe::broker_default(&overrides("log.retention.ms=5 max.connections=6"), ALL);
    let found: Vec<_> = entries.iter().map(|it| (it.name.as_str(), it.value.as_deref(), it.source)).collect();
    let source = DynamicDefaultBroker;
    assert_eq!(found, [("log.retention.ms", Some("5"), source), ("max.connections", Some("6"), source)]);
}

#[test]
fn loggers_have_levels() {
    let levels: BTreeMap<String, String> = overrides("root=INFO thalweg=DEBUG");
    let entries = describe::loggers(&levels, Wanted::default());
    assert_eq!(entries.len(), 2);
    assert_eq!((entries[1].value.as_deref(), entries[1].source as i8), (Some("DEBUG"), 6));
}

#[test]
fn numbers_on_the_wire_are_kafkas() {
    let sources = [DynamicTopic, DynamicBroker, DynamicDefaultBroker, StaticBroker, Unset];
    assert_eq!(sources.map(|source| source as i8), [1, 2, 3, 4, 5]);
}
