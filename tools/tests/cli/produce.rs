//! `thalweg produce`

use serde_json::{Value, json};

use crate::support::{broker, thalweg, thalweg_with_input, unique};

#[test]
fn every_compression_and_acks_comes_back_the_same() {
    let broker = broker();
    let topic = unique("codecs");
    thalweg(&broker.bootstrap, &["topic", "create", &topic, "-p", "1"]).ok();
    let codecs = ["none", "gzip", "snappy", "lz4", "zstd"];
    for codec in codecs {
        let value = codec.repeat(1000);
        let produced = thalweg(&broker.bootstrap, &["produce", &topic, &value, "-z", codec, "--json"]).json();
        assert_eq!(produced["records"], 1, "{codec}");
    }
    for acks in ["all", "1", "0"] {
        thalweg(&broker.bootstrap, &["produce", &topic, acks, "--acks", acks]).ok();
    }
    let read = thalweg(&broker.bootstrap, &["consume", &topic, "-n", "8"]).ok();
    let expected: Vec<String> =
        codecs.iter().map(|codec| codec.repeat(1000)).chain(["all", "1", "0"].map(str::to_owned)).collect();
    assert_eq!(read.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn lines_carry_keys_headers_and_tombstones() {
    let broker = broker();
    let topic = unique("lines");
    thalweg(&broker.bootstrap, &["topic", "create", &topic, "-p", "1"]).ok();
    let arguments = ["produce", &topic, "-K", ":", "-H", "trace=1", "-H", "trace=2", "--empty-is-null"];
    let produced = thalweg_with_input(&broker.bootstrap, &arguments, b"k1:v1\nk2:a:b\nk3:\n").ok();
    assert_eq!(produced, format!("wrote 3 records to {topic}\n  partition 0: offsets 0 to 2\n"));
    let read = thalweg(&broker.bootstrap, &["consume", &topic, "-e", "-f", "%o %k=%s %S [%h]\\n"]).ok();
    assert_eq!(read, "0 k1=v1 2 [trace=1,trace=2]\n1 k2=a:b 3 [trace=1,trace=2]\n2 k3=NULL -1 [trace=1,trace=2]\n");
    let no_separator = thalweg_with_input(&broker.bootstrap, &["produce", &topic, "-K", ":"], b"a:b\nnothing\n");
    assert!(no_separator.failed().contains("line 2: there is no key separator `:`"), "{no_separator}");
}

#[test]
fn a_file_of_bytes_is_one_record_and_comes_back() {
    let broker = broker();
    let topic = unique("whole");
    thalweg(&broker.bootstrap, &["topic", "create", &topic, "-p", "2"]).ok();
    let bytes: Vec<u8> = (0..=255).cycle().take(5000).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &bytes).unwrap();
    let path = file.path().to_str().unwrap();
    thalweg(&broker.bootstrap, &["produce", &topic, "--whole", "-f", path, "-p", "1"]).ok();
    let read = thalweg(&broker.bootstrap, &["consume", &topic, "-e", "-p", "1", "-f", "%s"]);
    read.ok();
    assert!(read.stdout == bytes);
    let hex = thalweg(&broker.bootstrap, &["consume", &topic, "-e", "--bytes", "hex"]).ok();
    assert!(hex.starts_with("000102") && hex.trim_end().len() == 10_000);
}

#[test]
fn what_consume_writes_as_json_produce_reads() {
    let broker = broker();
    let (from, to) = (unique("json-from"), unique("json-to"));
    // The records are old: retention would take them.
    thalweg(&broker.bootstrap, &["topic", "create", &from, &to, "-p", "2", "-c", "retention.ms=-1"]).ok();
    let lines = [
        json!({"key": "k", "value": "v", "headers": [{"key": "h", "value": "1"}, {"key": "h", "value": null}], "partition": 1, "timestamp": 1_700_000_000_000_i64}),
        json!({"key_base64": "AP8=", "value": null, "headers": [], "partition": 0, "timestamp": 1_700_000_000_001_i64}),
    ];
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
    thalweg_with_input(&broker.bootstrap, &["produce", &from, "--json-lines"], input.as_bytes()).ok();
    let first = thalweg(&broker.bootstrap, &["consume", &from, "-e", "--json"]);
    thalweg_with_input(&broker.bootstrap, &["produce", &to, "--json-lines"], first.ok().as_bytes()).ok();
    let mut copies = thalweg(&broker.bootstrap, &["consume", &to, "-e", "--json"]).json_lines();
    copies.sort_by_key(|record| record["timestamp"].as_i64());
    assert_eq!(copies.len(), 2);
    for (copy, line) in copies.iter().zip(&lines) {
        assert_eq!((&copy["topic"], &copy["offset"]), (&json!(to), &json!(0)));
        for field in ["key", "key_base64", "value", "headers", "partition", "timestamp"] {
            assert_eq!(copy.get(field), line.get(field), "{field}");
        }
    }
}

#[test]
fn records_that_are_refused_fail_the_command() {
    let broker = broker();
    let topic = unique("refused");
    let settings = ["-c", "max.message.bytes=1000", "-c", "cleanup.policy=compact"];
    thalweg(&broker.bootstrap, &[&["topic", "create", &topic, "-p", "1"][..], &settings].concat()).ok();
    let large = thalweg(&broker.bootstrap, &["produce", &topic, &"x".repeat(5000), "-k", "k"]);
    assert!(large.failed().contains("max.message.bytes=BYTES"), "{large}");
    let keyless = thalweg(&broker.bootstrap, &["produce", &topic, "no key"]);
    assert!(keyless.failed().contains("a compacted topic takes only records with a key"), "{keyless}");
    let partition = thalweg(&broker.bootstrap, &["produce", &topic, "x", "-p", "7"]);
    assert!(partition.failed().contains("has no partition 7"), "{partition}");
    let json = thalweg_with_input(&broker.bootstrap, &["produce", &topic, "--json-lines", "--json"], b"{\"valu\":1}\n");
    let error: Value = serde_json::from_str(json.failed()).unwrap();
    assert!(error["error"]["message"].as_str().unwrap().contains("line 1: this is no record as JSON"), "{json}");
}
