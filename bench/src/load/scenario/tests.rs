#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use clap::Parser as _;

use super::*;
use crate::load::Args;

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn flags(flags: &[&str]) -> Result<Scenario> {
    Line::try_parse_from([&["run"], flags].concat()).unwrap().args.scenario()
}

fn refusal(text: &str) -> String {
    format!("{:#}", Scenario::parse(text).and_then(Scenario::checked).unwrap_err())
}

#[test]
fn every_example_is_a_scenario_and_survives_json() {
    let mut seen = 0;
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios")).unwrap() {
        let path = entry.unwrap().path();
        let scenario = Scenario::read(&path).and_then(Scenario::checked).unwrap();
        assert!(path.ends_with(format!("{}.toml", scenario.name)), "{}", path.display());
        let json = serde_json::to_value(&scenario).unwrap();
        assert_eq!(serde_json::from_value::<Scenario>(json).unwrap().checked().unwrap(), scenario);
        seen += 1;
    }
    assert!(seen >= 3);
}

#[test]
fn flags_win_over_the_file_and_imply_producers() {
    let path = std::env::temp_dir().join(format!("thalweg-bench-{}.toml", std::process::id()));
    std::fs::write(&path, "duration_s = 7\n[tail]\n[topics]\nname = \"a\"\nconfig = { x = \"1\", y = \"2\" }\n")
        .unwrap();
    let file = path.to_str().unwrap();
    let plain = flags(&[file]).unwrap();
    assert_eq!((plain.duration_s, plain.topics.name.as_str(), plain.produce), (7, "a", None));
    assert!(plain.name.starts_with("thalweg-bench-"));
    let more = flags(&[file, "--duration", "8", "--config", "y=3", "--tail", "4", "--keys", "unique", "--acks", "-1"])
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!((more.duration_s, more.tail.unwrap().consumers), (8, 4));
    assert_eq!((more.topics.config["x"].as_str(), more.topics.config["y"].as_str()), ("1", "3"));
    let produce = more.produce.unwrap();
    assert_eq!((produce.keys, produce.spread, produce.acks), (Keys::Unique, Some(Spread::Key), Acks::All));
}

#[test]
fn without_a_file_producing_is_what_is_asked_for_unless_it_is_reading() {
    assert_eq!(flags(&[]).unwrap().produce.unwrap().sizes, [Size { bytes: 1024, weight: 1 }]);
    assert_eq!(flags(&["--catch-up", "2"]).unwrap().produce, None);
    let both = flags(&["--tail", "1", "--steps", "10,20", "--sizes", "100:9,10000"]).unwrap();
    assert_eq!(both.rates(), [Some(10), Some(20)]);
    let sizes = both.produce.unwrap().sizes;
    assert_eq!(sizes, [Size { bytes: 100, weight: 9 }, Size { bytes: 10_000, weight: 1 }]);
}

#[test]
fn what_cannot_be_is_refused_with_the_key_and_what_it_may_be() {
    let refused = [
        ("durationn_s = 1", "unknown field `durationn_s`, expected one of"),
        ("[produce]\nratee = 1", "`ratee`"),
        ("", "nothing to do"),
        ("duration_s = 0\n[produce]", "duration_s is 0: it must be from 1 to 86400"),
        ("ramp_s = 1\n[produce]", "ramp_s needs a rate"),
        ("bootstrap = \"h\"\n[produce]", "host:port"),
        ("[produce]\nrate = 1\nsteps = [1]", "give one of them"),
        ("[produce]\nsize = 1\nsizes = [{ bytes = 1, weight = 1 }]", "give one of them"),
        ("[produce]\nacks = 2", "acks is all, 1 or 0"),
        ("[produce]\ncompression = \"lzma\"", "none, gzip, snappy, lz4 or zstd"),
        ("[produce]\nspread = \"key\"", "needs produce.keys"),
        ("[produce]\nidempotent = true\nin_flight = 6", "at most 5"),
        ("[produce]\ntransactional = true\nacks = 1", "must be all"),
        ("[produce]\nabort_percent = 5", "needs produce.transactional"),
        ("[tail]\nrepeat = true", "tail.repeat"),
        ("[topics]\ncount = 10000\npartitions = 10000\n[produce]", "topics.count × topics.partitions"),
    ];
    for (text, said) in refused {
        let refusal = refusal(text);
        assert!(refusal.contains(said), "{text}: {refusal}");
    }
}

#[test]
fn acks_are_written_as_a_number_or_as_a_word() {
    for (text, acks) in [("\"all\"", Acks::All), ("-1", Acks::All), ("1", Acks::Leader), ("0", Acks::None)] {
        let scenario = Scenario::parse(&format!("[produce]\nacks = {text}")).unwrap();
        assert_eq!(scenario.produce.unwrap().acks, acks);
    }
}

#[test]
fn the_readme_names_every_key() {
    let readme = include_str!("../../../README.md");
    let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let produce =
        Produce { rate: Some(1), steps: vec![1], size: Some(1), spread: Some(Spread::Key), ..Produce::default() };
    let consume = Consume { repeat: Some(true), ..Consume::default() };
    let scenario = Scenario { produce: Some(produce), tail: Some(consume), ..Scenario::default() };
    let json = serde_json::to_value(&scenario).unwrap();
    let mut all = keys(&json);
    all.extend(["topics", "produce", "tail"].iter().flat_map(|section| keys(&json[section])));
    assert!(all.len() > 40);
    for key in all {
        assert!([format!("`{key}`"), format!("`[{key}]`")].iter().any(|name| readme.contains(name)), "{key}");
    }
}

#[test]
fn a_run_begins_when_it_is_told_to() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let start_at_ms = u64::try_from(now).unwrap() + 300;
    let shared = crate::load::Shared::new(Scenario { start_at_ms, ..Scenario::default() });
    crate::load::await_start(&shared);
    shared.begin();
    assert!(shared.unix_ns(0) / 1_000_000 >= start_at_ms);
}
