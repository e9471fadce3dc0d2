//! AlterConfigs, IncrementalAlterConfigs, and the settings of new topics.

use super::{config, layers, overrides};
use crate::config::Overrides;
use crate::config::alter::{self, AlterError, AlterOp, Alteration, BrokerTarget, Change};
use crate::config::loggers::alter_loggers;

/// `+key=value` sets, `-key` deletes, `>key=value` appends, `<key=value` subtracts, `!key` sets to null.
fn alterations(text: &str) -> Vec<Alteration> {
    let one = |word: &str| {
        let (op, rest) = word.split_at(1);
        let (name, value) = rest.split_once('=').map_or((rest, None), |(name, value)| (name, Some(value.to_owned())));
        let op = match op {
            "+" | "!" => AlterOp::Set,
            "-" => AlterOp::Delete,
            ">" => AlterOp::Append,
            "<" => AlterOp::Subtract,
            other => panic!("{other}"),
        };
        Alteration { name: name.to_owned(), op, value }
    };
    text.split_whitespace().map(one).collect()
}

/// Sorted, as `+key=value` and `-key`.
fn show(change: &Change) -> String {
    let set = change.set.iter().map(|(name, value)| format!("+{name}={value}"));
    let unset = change.unset.iter().map(|name| format!("-{name}"));
    set.chain(unset).collect::<Vec<_>>().join(" ")
}

/// The topic's own settings, what is asked for, what is to be stored.
const TOPIC: &[(&str, &str, &str)] = &[
    ("", "+retention.ms=5", "+retention.ms=5"),
    ("retention.ms=5", "+retention.ms=5", ""),
    ("retention.ms=5", "+retention.ms=6 +segment.ms=7", "+retention.ms=6 +segment.ms=7"),
    ("retention.ms=5", "-retention.ms", "-retention.ms"),
    ("", "-retention.ms", ""),
    ("", ">cleanup.policy=compact", "+cleanup.policy=delete,compact"),
    ("cleanup.policy=compact", ">cleanup.policy=compact,delete", "+cleanup.policy=compact,delete"),
    ("cleanup.policy=compact,delete", "<cleanup.policy=delete", "+cleanup.policy=compact"),
    ("cleanup.policy=compact", ">cleanup.policy=compact", ""),
    ("", "<cleanup.policy=compact", "+cleanup.policy=delete"),
    ("some.later.setting=1", "-some.later.setting", "-some.later.setting"),
    ("", "+leader.replication.throttled.replicas=0:1,1:2", "+leader.replication.throttled.replicas=0:1,1:2"),
    ("", "+leader.replication.throttled.replicas=*", "+leader.replication.throttled.replicas=*"),
    ("", "+remote.storage.enable=false", "+remote.storage.enable=false"),
];

#[test]
fn topics_are_altered() {
    for (current, asked, expected) in TOPIC {
        let change = alter::alter_topic(&overrides(current), &alterations(asked), &layers("", "", "")).unwrap();
        assert_eq!(show(&change), *expected, "{current} | {asked}");
    }
}

const INVALID_CONFIG: bool = true;
const INVALID_REQUEST: bool = false;

/// What is asked for, whether it is INVALID_CONFIG, and Kafka's words.
const TOPIC_REFUSED: &[(&str, bool, &str)] = &[
    ("+nope=1", INVALID_CONFIG, "Unknown topic config name: nope"),
    (
        "+retention.ms=abc",
        INVALID_CONFIG,
        "Invalid value abc for configuration retention.ms: Not a number of type LONG",
    ),
    ("+retention.ms=-2", INVALID_CONFIG, "Invalid value -2 for configuration retention.ms: Value must be at least -1"),
    (
        "+segment.bytes=10",
        INVALID_CONFIG,
        "Invalid value 10 for configuration segment.bytes: Value must be at least 1048576",
    ),
    (
        "+cleanup.policy=foo",
        INVALID_CONFIG,
        "Invalid value foo for configuration cleanup.policy: String must be one of: compact, delete",
    ),
    (
        ">cleanup.policy=foo",
        INVALID_CONFIG,
        "Invalid value delete,foo for configuration cleanup.policy: String must be one of: compact, delete",
    ),
    (
        "+preallocate=yes",
        INVALID_CONFIG,
        "Invalid value yes for configuration preallocate: Expected value to be either true or false",
    ),
    (
        "+message.timestamp.type=Foo",
        INVALID_CONFIG,
        "Invalid value Foo for configuration message.timestamp.type: String must be one of: CreateTime, LogAppendTime",
    ),
    (
        "+leader.replication.throttled.replicas=x",
        INVALID_CONFIG,
        "Invalid value x for configuration leader.replication.throttled.replicas: must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...",
    ),
    (
        "+min.compaction.lag.ms=100 +max.compaction.lag.ms=10",
        INVALID_CONFIG,
        "conflict topic config setting min.compaction.lag.ms (100) > max.compaction.lag.ms (10)",
    ),
    (
        "+remote.storage.enable=true",
        INVALID_CONFIG,
        "Invalid value true for configuration remote.storage.enable: there is no tiered storage in this version",
    ),
    (">retention.ms=5", INVALID_CONFIG, "Can't APPEND to key retention.ms because its type is not LIST."),
    ("<nope=5", INVALID_CONFIG, "Can't SUBTRACT to key nope because its type is not LIST."),
    ("!retention.ms !segment.ms", INVALID_REQUEST, "Null value not supported for : retention.ms,segment.ms"),
    ("+retention.ms=5 -retention.ms", INVALID_REQUEST, "Error due to duplicate config keys"),
];

#[test]
fn topics_refuse_in_kafkas_words() {
    for (asked, config, message) in TOPIC_REFUSED {
        let error = alter::alter_topic(&Overrides::new(), &alterations(asked), &layers("", "", "")).unwrap_err();
        assert_eq!(error.to_string(), *message, "{asked}");
        assert_eq!(matches!(error, AlterError::InvalidConfig(_)), *config, "{asked}");
    }
}

fn entries(text: &str) -> Vec<(String, Option<String>)> {
    overrides(text).into_iter().map(|(name, value)| (name, Some(value))).collect()
}

#[test]
fn replacing_unsets_what_is_not_named() {
    let current = overrides("retention.ms=5 segment.ms=6");
    let change = alter::replace_topic(&current, &entries("segment.ms=7"), &layers("", "", "")).unwrap();
    assert_eq!(show(&change), "+segment.ms=7 -retention.ms");
    let change = alter::replace_topic(&current, &[], &layers("", "", "")).unwrap();
    assert_eq!(show(&change), "-retention.ms -segment.ms");
    assert!(alter::replace_topic(&current, &entries("nope=7"), &layers("", "", "")).is_err());
}

#[test]
fn new_topics_are_checked() {
    let layers = layers("", "", "");
    assert_eq!(alter::new_topic(&entries("retention.ms=5"), &layers).unwrap(), overrides("retention.ms=5"));
    let error = alter::new_topic(&[("retention.ms".to_owned(), None)], &layers).unwrap_err();
    assert_eq!(error, AlterError::InvalidConfig("Null value not supported for topic configs: retention.ms".to_owned()));
    assert!(alter::new_topic(&entries("nope=5"), &layers).is_err());
}

#[test]
fn a_setting_without_effect_is_stored_and_told() {
    let change = alter::alter_topic(&Overrides::new(), &alterations("+preallocate=true"), &layers("", "", "")).unwrap();
    assert_eq!(change.set, overrides("preallocate=true"));
    assert_eq!(change.without_effect[0].0, "preallocate");
}

#[test]
fn brokers_are_altered() {
    let config = config("");
    for target in [BrokerTarget::This, BrokerTarget::Default] {
        let asked = alterations("+log.retention.ms=5 +max.connections=100");
        let change = alter::alter_broker(target, &Overrides::new(), &asked, &config).unwrap();
        assert_eq!(show(&change), "+log.retention.ms=5 +max.connections=100");
        let current = overrides("log.retention.ms=5 max.connections=100");
        let change = alter::replace_broker(target, &current, &entries("max.connections=7"), &config).unwrap();
        assert_eq!(show(&change), "+max.connections=7 -log.retention.ms");
    }
}

/// Target, what is asked for, a part of what is said; all are INVALID_REQUEST but for the form of a list.
const BROKER_REFUSED: &[(BrokerTarget, &str, &str)] = &[
    (BrokerTarget::This, "+num.partitions=3", "Cannot update these configs dynamically: [num.partitions]"),
    (BrokerTarget::This, "+listeners=PLAINTEXT://:1", "Cannot update these configs dynamically: [listeners]"),
    (
        BrokerTarget::This,
        "+log.retention.ms=x",
        "Invalid value x for configuration log.retention.ms: Not a number of type LONG",
    ),
    (BrokerTarget::This, "+log.retention.ms=0", "must be unlimited (-1) or at least 1"),
    (BrokerTarget::This, "+max.connections.per.ip=0", "lets nobody connect"),
    (BrokerTarget::This, "+log.retension.ms=1", "did you mean log.retention.ms?"),
    (BrokerTarget::This, "+config.providers=file", "would not be replaced"),
    (BrokerTarget::This, "+ssl.keystore.type=PEM", "only per-listener using the listener prefix: [ssl.keystore.type]"),
    (BrokerTarget::Default, "+principal.builder.class=x", "broker id must be specified: [principal.builder.class]"),
    (BrokerTarget::Default, "!max.connections", "Null value not supported for : max.connections"),
];

#[test]
fn brokers_refuse() {
    let config = config("");
    for (target, asked, message) in BROKER_REFUSED {
        let error = alter::alter_broker(*target, &Overrides::new(), &alterations(asked), &config).unwrap_err();
        assert!(matches!(error, AlterError::InvalidRequest(_)), "{asked}: {error:?}");
        assert!(error.to_string().contains(message), "{asked}: {error}");
    }
}

#[test]
fn only_lists_of_a_broker_can_grow() {
    let config = config("");
    let asked = alterations(">log.cleanup.policy=compact");
    let change = alter::alter_broker(BrokerTarget::This, &Overrides::new(), &asked, &config).unwrap();
    assert_eq!(show(&change), "+log.cleanup.policy=delete,compact");
    let asked = alterations("<max.connections=5");
    let error = alter::alter_broker(BrokerTarget::This, &Overrides::new(), &asked, &config).unwrap_err();
    let message = "Config value subtract is not allowed for config key: max.connections".to_owned();
    assert_eq!(error, AlterError::InvalidConfig(message));
}

#[test]
fn broker_resources_are_this_one_or_all() {
    let config = config("node.id=3");
    assert_eq!(BrokerTarget::parse("", &config), Ok(BrokerTarget::Default));
    assert_eq!(BrokerTarget::parse("3", &config), Ok(BrokerTarget::This));
    let refused = |name| BrokerTarget::parse(name, &config).unwrap_err().to_string();
    assert_eq!(refused("4"), "Unexpected broker id, expected 3 or empty string, but received 4");
    assert_eq!(refused("x"), "Broker id must be an integer, but it is: x");
}

#[test]
fn operations_have_kafkas_numbers() {
    let known = [AlterOp::Set, AlterOp::Delete, AlterOp::Append, AlterOp::Subtract];
    for (id, op) in (0_i8..).zip(known) {
        assert_eq!(AlterOp::from_wire(id), Ok(op));
    }
    for id in [-1, 4, i8::MAX] {
        assert!(matches!(AlterOp::from_wire(id), Err(AlterError::InvalidRequest(_))));
    }
}

#[test]
fn loggers_change_their_level() {
    let levels = overrides("root=INFO thalweg_storage=DEBUG");
    let altered = |asked: &str| alter_loggers(&levels, &alterations(asked));
    assert_eq!(altered("+root=warn").unwrap(), overrides("root=WARN"));
    assert_eq!(altered("-thalweg_storage").unwrap(), overrides("thalweg_storage=INFO"));
    for (asked, config, message) in [
        ("+kafka=INFO", INVALID_CONFIG, "Logger kafka does not exist!"),
        ("+root=LOUD", INVALID_CONFIG, "Cannot set the log level of root to LOUD"),
        ("-root", INVALID_REQUEST, "Removing the log level of the root logger is not allowed"),
        (">root=INFO", INVALID_REQUEST, "APPEND operation is not allowed for the BROKER_LOGGER resource"),
        ("!root", INVALID_REQUEST, "Null value not supported for : root"),
    ] {
        let error = altered(asked).unwrap_err();
        assert!(error.to_string().starts_with(message), "{asked}: {error}");
        assert_eq!(matches!(error, AlterError::InvalidConfig(_)), config, "{asked}");
    }
}
