//! The settings of groups.

use super::{layers, overrides};
use crate::config::Source;
use crate::config::alter::{AlterError, AlterOp, Alteration};
use crate::config::describe::{self, Wanted};
use crate::config::group::{alter_group, replace_group};
use crate::config::tables;

fn set(name: &str, value: &str) -> Alteration {
    Alteration { name: name.to_owned(), op: AlterOp::Set, value: Some(value.to_owned()) }
}

#[test]
fn every_key_has_a_default_of_its_own_kind_from_the_broker() {
    for key in tables::GROUP_KEYS {
        let synonyms = tables::group_synonyms(key.name);
        if let Some(broker) = synonyms.default.and_then(tables::broker_key) {
            assert_eq!((broker.kind, broker.default.text()), (key.kind, key.default.text()), "{}", key.name);
        }
        assert_eq!(synonyms.min.is_some(), synonyms.max.is_some(), "{}", key.name);
    }
    let of = tables::group_synonyms("consumer.session.timeout.ms");
    assert_eq!(of.default, Some("group.consumer.session.timeout.ms"));
    assert_eq!(of.min, Some("group.consumer.min.session.timeout.ms"));
    assert_eq!(of.max, Some("group.consumer.max.session.timeout.ms"));
}

#[test]
fn a_group_stays_within_what_the_broker_allows() {
    let layers = layers("", "", "");
    let none = overrides("");
    let changed = alter_group(&none, &[set("consumer.session.timeout.ms", "50000")], &layers).unwrap();
    assert_eq!(changed.set.get("consumer.session.timeout.ms").map(String::as_str), Some("50000"));
    let refused = |name: &str, value: &str| alter_group(&none, &[set(name, value)], &layers).unwrap_err();
    let config = |message: &str| AlterError::InvalidConfig(message.to_owned());
    assert_eq!(refused("no.such.key", "1"), config("Unknown group config name: no.such.key"));
    assert_eq!(
        refused("consumer.session.timeout.ms", "44999"),
        config("consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms")
    );
    assert_eq!(
        refused("consumer.heartbeat.interval.ms", "15001"),
        config("consumer.heartbeat.interval.ms must be less than or equal to group.consumer.max.heartbeat.interval.ms")
    );
    assert!(matches!(refused("consumer.session.timeout.ms", "soon"), AlterError::InvalidConfig(_)));
}

#[test]
fn a_session_is_longer_than_the_time_between_heartbeats() {
    let wide = "group.consumer.min.session.timeout.ms=1 group.consumer.max.heartbeat.interval.ms=60000";
    let layers = layers(wide, "", "");
    let changes = [set("consumer.session.timeout.ms", "6000"), set("consumer.heartbeat.interval.ms", "6000")];
    let refused = alter_group(&overrides(""), &changes, &layers).unwrap_err();
    let message = "consumer.session.timeout.ms must be greater than consumer.heartbeat.interval.ms";
    assert_eq!(refused, AlterError::InvalidConfig(message.to_owned()));
}

#[test]
fn replacing_unsets_what_is_not_named() {
    let current = overrides("consumer.session.timeout.ms=50000 consumer.heartbeat.interval.ms=6000");
    let entries = [("consumer.heartbeat.interval.ms".to_owned(), Some("7000".to_owned()))];
    let change = replace_group(&current, &entries, &layers("", "", "")).unwrap();
    assert_eq!(change.set, overrides("consumer.heartbeat.interval.ms=7000"));
    assert_eq!(change.unset, ["consumer.session.timeout.ms"]);
}

#[test]
fn a_group_is_described_with_what_it_gets_from_the_broker() {
    let layers = layers("group.consumer.heartbeat.interval.ms=6000", "", "");
    let wanted = Wanted { keys: None, synonyms: true, documentation: true };
    let entries = describe::group(&overrides("consumer.session.timeout.ms=50000"), &layers, wanted);
    assert_eq!(entries.len(), tables::GROUP_KEYS.len());
    let of = |name: &str| entries.iter().find(|entry| entry.name == name).unwrap();
    let session = of("consumer.session.timeout.ms");
    assert_eq!((session.value.as_deref(), session.source), (Some("50000"), Source::DynamicGroup));
    assert_eq!(session.synonyms.len(), 2);
    let heartbeat = of("consumer.heartbeat.interval.ms");
    assert_eq!((heartbeat.value.as_deref(), heartbeat.source), (Some("6000"), Source::StaticBroker));
    assert_eq!(of("share.isolation.level").value.as_deref(), Some("read_uncommitted"));
}
