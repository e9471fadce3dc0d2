//! `thalweg consume`

use crate::support::{Broker, broker, thalweg, thalweg_with_input, unique};

/// A topic with one partition that holds v0 to v9, with timestamps 1700000000000 to 1700000000009.
fn topic_of_ten(broker: &Broker, name: &str) -> String {
    let topic = unique(name);
    thalweg(&broker.bootstrap, &["topic", "create", &topic, "-p", "1", "-c", "retention.ms=-1"]).ok();
    let line = |n: i32| format!("{{\"key\":\"k{n}\",\"value\":\"v{n}\",\"timestamp\":170000000000{n}}}\n");
    let input: String = (0..10).map(line).collect();
    thalweg_with_input(&broker.bootstrap, &["produce", &topic, "--json-lines"], input.as_bytes()).ok();
    topic
}

#[test]
fn reading_begins_where_it_is_told_to() {
    let broker = broker();
    let topic = topic_of_ten(&broker, "from");
    for (from, first, count) in [
        ("start", "v0", 10),
        ("0", "v0", 10),
        ("7", "v7", 3),
        ("-2", "v8", 2),
        ("@1700000000004", "v4", 6),
        ("@2023-11-14T22:13:20.009Z", "v9", 1),
    ] {
        let read = thalweg(&broker.bootstrap, &["consume", &topic, "-e", "--from", from]).ok();
        assert_eq!((read.lines().next(), read.lines().count()), (Some(first), count), "{from}");
    }
    for from in ["end", "@-1h"] {
        assert_eq!(thalweg(&broker.bootstrap, &["consume", &topic, "-e", "--from", from]).ok(), "", "{from}");
    }
    let counted = thalweg(&broker.bootstrap, &["consume", &topic, "-n", "2", "-k", "--from", "3"]).ok();
    assert_eq!(counted, "k3\tv3\nk4\tv4\n");
}

#[test]
fn offsets_and_partitions_that_are_not_there_are_errors() {
    let broker = broker();
    let topic = topic_of_ten(&broker, "nowhere");
    let offset = thalweg(&broker.bootstrap, &["consume", &topic, "-e", "--from", "99"]);
    assert!(offset.failed().contains("no such offset"), "{offset}");
    let partition = thalweg(&broker.bootstrap, &["consume", &topic, "-e", "-p", "3"]);
    assert!(partition.failed().contains("its partitions are 0 to 0"), "{partition}");
}

#[test]
fn a_group_goes_on_behind_what_was_shown() {
    let broker = broker();
    let topic = topic_of_ten(&broker, "group");
    let group = unique("group");
    let read = |more: &[&str]| {
        thalweg(&broker.bootstrap, &[&["consume", &topic, "--group", &group, "--timeout", "30"][..], more].concat())
            .ok()
    };
    assert_eq!(read(&["-n", "2"]), "v0\nv1\n");
    assert_eq!(read(&["-n", "1"]), "v2\n");
    assert_eq!(read(&["-e"]).lines().count(), 7);
    assert_eq!(read(&["-e"]), "");
}

#[test]
fn templates_show_every_part() {
    let broker = broker();
    let topic = topic_of_ten(&broker, "template");
    let template = "%t|%p|%o|%T|%k|%K|%s|%S|%%|\\x41\\n";
    let read = thalweg(&broker.bootstrap, &["consume", &topic, "-n", "1", "--format", template]).ok();
    assert_eq!(read, format!("{topic}|0|0|1700000000000|k0|2|v0|2|%|A\n"));
}

#[test]
fn json_has_every_field_in_one_line_each() {
    let broker = broker();
    let topic = topic_of_ten(&broker, "json");
    let read = thalweg(&broker.bootstrap, &["consume", &topic, "-n", "1", "--json"]).ok();
    let expected = format!(
        "{{\"topic\":\"{topic}\",\"partition\":0,\"offset\":0,\"timestamp\":1700000000000,\"key\":\"k0\",\"value\":\"v0\",\"headers\":[]}}\n"
    );
    assert_eq!(read, expected);
}
