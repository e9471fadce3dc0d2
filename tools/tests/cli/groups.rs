//! `thalweg group …`

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Broker, Outcome, broker, thalweg, thalweg_with_input, unique};

/// How long a group may take to form on a busy machine.
const FORMED_WITHIN: Duration = Duration::from_secs(60);

/// A topic with two partitions of ten records each, with timestamps 1700000000000 to 1700000000009.
fn topic_of_twenty(broker: &Broker, name: &str) -> String {
    let topic = unique(name);
    thalweg(&broker.bootstrap, &["topic", "create", &topic, "-p", "2", "-c", "retention.ms=-1"]).ok();
    let line = |n: i32| format!("{{\"value\":\"v{n}\",\"partition\":{},\"timestamp\":170000000000{}}}\n", n % 2, n / 2);
    let input: String = (0..20).map(line).collect();
    thalweg_with_input(&broker.bootstrap, &["produce", &topic, "--json-lines"], input.as_bytes()).ok();
    topic
}

/// A group that has read so many records of a topic and ended.
fn group_that_read(broker: &Broker, topic: &str, records: &str) -> String {
    let group = unique("readers");
    let arguments = ["consume", topic, "--group", &group, "-n", records, "--timeout", "60"];
    assert_eq!(thalweg(&broker.bootstrap, &arguments).ok().lines().count().to_string(), records);
    group
}

fn reset(broker: &Broker, group: &str, more: &[&str]) -> Outcome {
    thalweg(&broker.bootstrap, &[&["group", "reset-offsets", group][..], more].concat())
}

/// Offsets of a group by partition, as `lag` shows them.
fn committed(broker: &Broker, group: &str) -> Vec<Value> {
    let lag = thalweg(&broker.bootstrap, &["group", "lag", group, "--json"]).json();
    lag["groups"][0]["partitions"].as_array().unwrap().iter().map(|row| row["committed"].clone()).collect()
}

/// A consumer that runs until the test ends.
struct Running(Child);

impl Running {
    fn start(broker: &Broker, topic: &str, group: &str) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_thalweg"))
            .args(["consume", topic, "--group", group])
            .env("THALWEG_BOOTSTRAP", &broker.bootstrap)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// The group's description, once it has members that are at work.
    fn described(&mut self, broker: &Broker, group: &str) -> Value {
        let deadline = Instant::now() + FORMED_WITHIN;
        loop {
            let outcome = thalweg(&broker.bootstrap, &["group", "describe", group, "--json"]);
            if outcome.code == Some(0) && outcome.json()["groups"][0]["state"] == "Stable" {
                return outcome.json()["groups"][0].clone();
            }
            if Instant::now() > deadline {
                let _ = self.0.kill();
                let mut said = String::new();
                let _ = self.0.stderr.take().unwrap().read_to_string(&mut said);
                panic!("no group within {FORMED_WITHIN:?}: {outcome}\n{said}");
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_group_is_listed_described_measured_and_deleted() {
    let broker = broker();
    let topic = topic_of_twenty(&broker, "lives");
    let group = group_that_read(&broker, &topic, "5");
    let run = |arguments: &[&str]| thalweg(&broker.bootstrap, arguments);

    let listed = run(&["group", "list", &group, "--json"]).json();
    let coordinator = listed["groups"][0]["coordinator"].clone();
    let row = json!({"group": group, "type": "Classic", "protocol": "consumer", "state": "Empty", "coordinator": coordinator});
    assert_eq!(listed, json!({"groups": [row]}));
    assert_eq!(run(&["group", "list", &group, "--state", "stable", "--json"]).json(), json!({"groups": []}));
    assert_eq!(run(&["group", "list", &group, "--state", "Stable,empty", "--json"]).json(), listed);
    assert_eq!(run(&["group", "list", &group, "--type", "share", "--json"]).json(), json!({"groups": []}));

    let described = run(&["group", "describe", &group, "--json"]).json();
    assert_eq!(described["groups"][0]["members"], json!([]));
    assert_eq!(described["groups"][0]["state"], "Empty");

    let lag = run(&["group", "lag", &group, "--json"]).json();
    let number = |row: &serde_json::Value, key: &str| row[key].as_i64().unwrap();
    let rows = lag["groups"][0]["partitions"].as_array().unwrap();
    assert!(!rows.is_empty() && rows.iter().all(|row| row["end_offset"] == 10), "{lag}");
    assert!(rows.iter().all(|row| number(row, "lag") == 10 - number(row, "committed")), "{lag}");
    // Five of the ten or twenty records in these partitions were read.
    assert_eq!(number(&lag["groups"][0], "lag"), 10 * rows.len() as i64 - 5, "{lag}");
    let other = run(&["group", "lag", &group, "--topic", "another", "--json"]).json();
    assert_eq!(other["groups"][0]["partitions"], json!([]));

    let deleted = run(&["group", "delete", &group, "--json"]).json();
    assert_eq!(deleted, json!({"deleted": [group], "missing": []}));
    assert_eq!(run(&["group", "list", &group, "--json"]).json(), json!({"groups": []}));
    assert!(run(&["group", "delete", &group]).failed().contains("there is no group"));
    assert!(run(&["group", "delete", &group, "--if-exists"]).ok().contains("did not exist"));
}

#[test]
fn offsets_go_where_they_are_told_to() {
    let broker = broker();
    let topic = topic_of_twenty(&broker, "moves");
    let group = group_that_read(&broker, &topic, "20");
    let both = |offset: i64| vec![json!(offset), json!(offset)];
    let ago = (std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64
        - 1_700_000_000_004)
        / 1000;
    let duration = format!("PT{ago}S");
    for (how, offset) in [
        (&["--to-earliest"][..], 0),
        (&["--to-offset", "4"], 4),
        (&["--shift-by", "3"], 7),
        (&["--shift-by", "-2"], 5),
        (&["--shift-by", "-99"], 0),
        (&["--to-latest"], 10),
        (&["--to-current"], 10),
        (&["--to-offset", "99"], 10),
        (&["--to-datetime", "2023-11-14T22:13:20.003Z"], 3),
        (&["--to-datetime", "2999-01-01"], 10),
        (&["--by-duration", "99999d"], 0),
        (&["--by-duration", &duration], 10),
    ] {
        let before = committed(&broker, &group);
        let dry = reset(&broker, &group, &[how, &["--topic", &topic]].concat());
        assert!(dry.ok().contains(&topic) && dry.stderr.contains("nothing was changed"), "{how:?}: {dry}");
        assert_eq!(committed(&broker, &group), before, "{how:?} without --execute");
        let done = reset(&broker, &group, &[how, &["--all-topics", "--execute", "--json"]].concat()).json();
        assert_eq!(done["executed"], true);
        if how != ["--by-duration", duration.as_str()] {
            assert_eq!(committed(&broker, &group), both(offset), "{how:?}");
        }
    }
    reset(&broker, &group, &["--to-earliest", "--topic", &format!("{topic}:1"), "--execute"]).ok();
    assert_eq!(committed(&broker, &group)[1], json!(0));
}

#[test]
fn offsets_come_back_from_a_file() {
    let broker = broker();
    let topic = topic_of_twenty(&broker, "file");
    let group = group_that_read(&broker, &topic, "20");
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = dir.path().join("offsets.csv");
    let path = file.to_str().unwrap();

    let exported = reset(&broker, &group, &["--to-offset", "6", "--all-topics", "--export"]).ok();
    assert_eq!(exported, format!("{topic},0,6\n{topic},1,6\n"));
    std::fs::write(&file, exported.replace(",1,6", ",1,2")).unwrap();
    reset(&broker, &group, &["--from-file", path, "--execute"]).ok();
    assert_eq!(committed(&broker, &group), [json!(6), json!(2)]);

    std::fs::write(&file, format!("{group},{topic},0,1\nanother,{topic},1,1\n")).unwrap();
    reset(&broker, &group, &["--from-file", path, "--execute"]).ok();
    assert_eq!(committed(&broker, &group), [json!(1), json!(2)]);

    std::fs::write(&file, format!("{topic},0\n")).unwrap();
    assert!(reset(&broker, &group, &["--from-file", path]).failed().contains("line 1"));
    assert!(reset(&broker, &group, &["--from-file", "/nowhere.csv"]).failed().contains("cannot read"));
}

#[test]
fn a_group_that_is_in_use_keeps_its_offsets() {
    let broker = broker();
    let topic = topic_of_twenty(&broker, "busy");
    let group = unique("busy");
    let mut running = Running::start(&broker, &topic, &group);
    let described = running.described(&broker, &group);
    assert_eq!(described["members"].as_array().unwrap().len(), 1, "{described}");
    assert_eq!(described["members"][0]["assigned"], json!([{"topic": topic, "partitions": [0, 1]}]));
    assert!(described["members"][0]["client_id"].as_str().unwrap().contains("thalweg"), "{described}");

    let refused = reset(&broker, &group, &["--to-earliest", "--topic", &topic, "--execute"]);
    assert!(refused.failed().contains("its state is Stable"), "{refused}");
    let kept = thalweg(&broker.bootstrap, &["group", "delete", &group]);
    assert!(kept.failed().contains("NON_EMPTY_GROUP"), "{kept}");
    let text = thalweg(&broker.bootstrap, &["group", "describe", &group]).ok();
    assert!(text.contains("1 member") && text.contains(&format!("{topic}:0,1")), "{text}");
    let lag = thalweg(&broker.bootstrap, &["group", "lag", &group, "--json"]).json();
    assert_eq!(lag["groups"][0]["partitions"][0]["member"], described["members"][0]["member"]);
}

#[test]
fn mistakes_say_what_is_wrong() {
    let broker = broker();
    let topic = topic_of_twenty(&broker, "mistakes");
    let group = group_that_read(&broker, &topic, "2");
    let typed = group.replacen("readers", "reders", 1);
    for command in ["describe", "lag", "delete"] {
        let outcome = thalweg(&broker.bootstrap, &["group", command, &typed]);
        assert!(outcome.failed().contains(&format!("there is no group `{typed}`")), "{command}: {outcome}");
        assert!(outcome.stderr.contains(&format!("`{group}`")), "{command}: {outcome}");
    }
    let never = unique("never");
    for (arguments, complaint) in [
        (vec!["--to-latest", "--topic", "no-such-topic"], "there is no topic"),
        (vec!["--to-latest", "--topic", "TOPIC:7"], "partition 7"),
        (vec!["--to-latest", "--all-topics"], "has committed no offsets"),
        (vec!["--shift-by", "1", "--topic", "TOPIC"], "cannot shift"),
    ] {
        let arguments: Vec<String> = arguments.iter().map(|word| word.replace("TOPIC", &topic)).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let outcome = reset(&broker, &never, &arguments);
        assert!(outcome.failed().contains(complaint), "{arguments:?}: {outcome}");
    }
    for arguments in [
        &["--to-latest"][..],
        &["--topic", &topic],
        &["--to-latest", "--to-earliest", "--topic", &topic],
        &["--to-datetime", "soon", "--topic", &topic],
        &["--by-duration", "soon", "--topic", &topic],
        &["--to-offset", "-1", "--topic", &topic],
    ] {
        reset(&broker, &group, arguments).refused();
    }
    // A group that does not exist yet may be given offsets to begin with.
    reset(&broker, &never, &["--to-offset", "3", "--topic", &topic, "--execute"]).ok();
    assert_eq!(committed(&broker, &never), [json!(3), json!(3)]);
}
