//! `thalweg log …`, over files made here and over a broker's own.

use std::fs;
use std::path::{Path, PathBuf};

use thalweg_protocol::records::{BatchBuilder, Compression, stamp};
use thalweg_protocol::{KafkaOffset, LeaderEpoch, TimestampMs};

use crate::support::{Outcome, broker, thalweg, unique};

fn log(arguments: &[&str]) -> Outcome {
    thalweg("127.0.0.1:1", &[&["log"], arguments].concat())
}

/// Two records at `base`.
fn batch(base: i64, compression: Compression) -> Vec<u8> {
    let mut builder = BatchBuilder::new().with_compression(compression);
    for n in 0..2 {
        let key = format!("k{}", base + n);
        builder.push(TimestampMs(1_700_000_000_000 + base + n), Some(key.as_bytes()), Some(b"v"), &[]).unwrap();
    }
    let mut bytes = builder.build().unwrap();
    stamp(&mut bytes, KafkaOffset(base), LeaderEpoch(3));
    bytes.to_vec()
}

/// A partition of two segments with two batches each.
fn partition(dir: &Path) -> [PathBuf; 2] {
    let dir = dir.join("orders-0");
    fs::create_dir(&dir).unwrap();
    let files = [dir.join("00000000000000000000.log"), dir.join("00000000000000000004.log")];
    fs::write(&files[0], [batch(0, Compression::None), batch(2, Compression::Zstd)].concat()).unwrap();
    fs::write(&files[1], [batch(4, Compression::Gzip), batch(6, Compression::Lz4)].concat()).unwrap();
    files
}

#[test]
fn segments_are_shown_batch_by_batch() {
    let dir = tempfile::tempdir().unwrap();
    let files = partition(dir.path());
    let lines = log(&["dump", dir.path().to_str().unwrap(), "--json", "--records"]).json_lines();
    let seen: Vec<_> = lines
        .iter()
        .map(|line| (line["base_offset"].as_i64().unwrap(), line["compression"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(seen, [(0, "none"), (2, "zstd"), (4, "gzip"), (6, "lz4")].map(|(base, codec)| (base, codec.to_owned())));
    assert_eq!(lines[3]["records"][1]["key"], "k7");
    assert_eq!(lines[3]["leader_epoch"], 3);
    let text = log(&["dump", files[1].to_str().unwrap(), "--from", "6", "-r"]).ok();
    assert!(text.contains("offsets 6-7") && !text.contains("offsets 4-5"), "{text}");
    assert!(text.contains("6 2023-11-14T22:13:20.006Z  \"k6\" = \"v\""), "{text}");
}

#[test]
fn verify_finds_what_is_wrong_and_where() {
    let whole = |dir: &Path| log(&["verify", dir.to_str().unwrap()]);
    let dir = tempfile::tempdir().unwrap();
    let files = partition(dir.path());
    assert_eq!(
        whole(dir.path()).ok().lines().last().map(|line| line.starts_with("2 files, 4 batches, 8 records")),
        Some(true)
    );

    let good = fs::read(&files[0]).unwrap();
    let second = batch(0, Compression::None).len();
    let mut flipped = good.clone();
    flipped[second + 70] ^= 1;
    for (damaged, says) in [
        (flipped, "CRC"),
        (good[..good.len() - 1].to_vec(), "cut"),
        ([&good[..second], &[0; 4096]].concat(), "zeros"),
        ([&good[..second], &[7; 4096]].concat(), "message format 7"),
        ([&good[..second], &good[..second]].concat(), "offset 0 where none below 2 can be"),
        ([&good[..second], &batch(4, Compression::None)].concat(), "offset 4 where none below 6 can be"),
    ] {
        fs::write(&files[0], damaged).unwrap();
        let outcome = whole(dir.path());
        assert!(outcome.failed().contains("1 problem found"), "{says}: {outcome}");
        assert!(outcome.text().contains(says), "{says}: {outcome}");
        assert!(outcome.text().contains(".log at "), "{says}: {outcome}");
    }
}

#[test]
fn an_unfinished_end_of_the_newest_segment_is_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let files = partition(dir.path());
    let good = fs::read(&files[1]).unwrap();
    for unfinished in [good[..good.len() - 1].to_vec(), [&good[..], &[0; 4096]].concat()] {
        fs::write(&files[1], unfinished).unwrap();
        let report = log(&["verify", dir.path().to_str().unwrap(), "--json"]).json();
        assert_eq!((report["problems"].as_array().unwrap().len(), report["notes"].as_array().unwrap().len()), (0, 1));
    }
}

#[test]
fn paths_without_data_files_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let empty = log(&["verify", dir.path().to_str().unwrap()]);
    assert!(empty.failed().contains("no data file"), "{empty}");
    let missing = log(&["dump", dir.path().join("none").to_str().unwrap()]);
    assert!(missing.failed().contains("cannot read"), "{missing}");
}

#[test]
fn a_running_brokers_data_is_good() {
    let broker = broker();
    let topic = unique("verify");
    thalweg(&broker.bootstrap, &["topic", "create", &topic, "-p", "1"]).ok();
    thalweg(&broker.bootstrap, &["produce", &topic, "a", "b", "c"]).ok();
    // With a broker that runs elsewhere, its directory is not ours to know.
    let Some(dir) = broker.data_dir() else { return };
    let report = log(&["verify", dir.to_str().unwrap(), "--json"]).json();
    assert!(report["wal_records"].as_u64().unwrap() > 0, "{report}");
    let copy = tempfile::tempdir().unwrap();
    let whole = copy_first_wal(&dir, copy.path());
    assert!(log(&["dump", copy.path().to_str().unwrap(), "-r"]).ok().contains("record sequence 1"));
    // The second block, as the first one's end says: a byte of its payload.
    let lines = log(&["dump", copy.path().to_str().unwrap(), "--json"]).json_lines();
    let second = lines.iter().filter(|line| line["what"] == "block").nth(1).unwrap();
    let position = usize::try_from(second["position"].as_u64().unwrap()).unwrap();
    let mut bytes = fs::read(&whole).unwrap();
    bytes[position + 72] ^= 1;
    fs::write(&whole, bytes).unwrap();
    let damaged = log(&["verify", copy.path().to_str().unwrap()]);
    assert!(damaged.failed().contains("1 problem found"), "{damaged}");
    assert!(damaged.text().contains("blocks 2 to 2 were durable and are missing"), "{damaged}");
}

/// Copies a write-ahead log file with blocks out of a broker's directory.
fn copy_first_wal(dir: &Path, to: &Path) -> PathBuf {
    let cores = fs::read_dir(dir.join("thalweg")).unwrap().map(|core| core.unwrap().path().join("wal"));
    let files = cores.filter(|wal| wal.is_dir()).flat_map(|wal| fs::read_dir(wal).unwrap());
    let number = |name: &Path| name.file_name().unwrap().to_owned();
    for file in files.map(|file| file.unwrap().path()) {
        let copy = to.join(number(&file));
        fs::copy(&file, &copy).unwrap();
        let blocks = log(&["dump", copy.to_str().unwrap(), "--json"]).ok().matches("\"what\":\"block\"").count();
        if blocks > 4 {
            return copy;
        }
        fs::remove_file(copy).unwrap();
    }
    panic!("no write-ahead log has blocks");
}

#[test]
fn an_index_entry_that_points_to_no_batch_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let files = partition(dir.path());
    let second = u32::try_from(batch(0, Compression::None).len()).unwrap();
    let index = files[0].with_extension("index");
    fs::write(&index, [3_u32.to_be_bytes(), second.to_be_bytes()].concat()).unwrap();
    log(&["verify", dir.path().to_str().unwrap()]).ok();
    fs::write(&index, [3_u32.to_be_bytes(), (second - 1).to_be_bytes()].concat()).unwrap();
    let outcome = log(&["verify", dir.path().to_str().unwrap()]);
    assert!(outcome.failed().contains("1 problem found"), "{outcome}");
    assert!(outcome.text().contains("no batch with offset 3 begins"), "{outcome}");
}

#[test]
fn a_damaged_checkpoint_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("checkpoint");
    fs::write(&file, b"THALWEGC\x01\x00 and so on, to no end").unwrap();
    let outcome = log(&["verify", file.to_str().unwrap()]);
    assert!(outcome.failed().contains("1 problem found") && outcome.text().contains("checksum"), "{outcome}");
}
