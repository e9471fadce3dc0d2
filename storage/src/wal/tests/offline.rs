//! The log on a real file system, through the reactor, and read offline behind it.

use thalweg_reactor::{run, spawn};

use super::*;
use crate::io::direct_disk;
use crate::wal::inspect::{Finding, inspect, verify, wal_files};

/// Writes 1 to `count`, closes, and gives what a second opening replays.
fn write_and_reopen(dir: &Path, count: u64) -> Replayed {
    let config = WalConfig { dir: dir.to_path_buf(), ..config() };
    run(async move {
        let wal = Wal::open(direct_disk(), config.clone(), WalSequence(0), &mut |_, _| {}).await.unwrap();
        let running = wal.clone();
        let writing = spawn(async move { running.run().await });
        for number in 1..=count {
            wal.append(&record(number, 1500));
            wal.flush();
        }
        wal.wait_durable(WalSequence(count - 1)).await.unwrap();
        wal.close();
        writing.await.unwrap();
        let mut replayed = Vec::new();
        let mut keep = |sequence, record| replayed.push((sequence, record));
        Wal::open(direct_disk(), config, WalSequence(0), &mut keep).await.unwrap();
        replayed
    })
    .unwrap()
}

#[test]
fn a_log_on_the_device_comes_back_and_can_be_read_offline() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("core-0/wal");
    let replayed = write_and_reopen(&path, 60);
    let expected: Replayed = (1..=60).map(|number| (WalSequence(number), record(number, 1500))).collect();
    assert!(replayed == expected, "{} records", replayed.len());

    let mut found = Vec::new();
    inspect(&path, &mut |_, finding| {
        if let Finding::Record { sequence, record, .. } = finding {
            found.push((sequence, record));
        }
    })
    .unwrap();
    assert!(found == expected, "{} records", found.len());
    let summary = verify(&path).unwrap();
    assert_eq!((summary.records, summary.last_sequence), (60, Some(WalSequence(60))));
    assert!(summary.problems.is_empty(), "{summary:?}");
}

#[test]
fn verify_tells_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("wal");
    write_and_reopen(&path, 60);
    let first = wal_files(&path).unwrap().remove(0).path;
    let mut bytes = std::fs::read(&first).unwrap();
    let len = 72 + u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
    let second = len.next_multiple_of(BLOCK_SIZE_BYTES);
    bytes[second + 80] ^= 1;
    std::fs::write(&first, bytes).unwrap();
    let summary = verify(&path).unwrap();
    assert_eq!(summary.problems, ["blocks 2 to 2 were durable and are missing"]);
}

#[test]
fn a_missing_directory_is_an_error_that_names_it() {
    let error = wal_files(Path::new("/no/such/wal")).unwrap_err();
    assert!(error.to_string().contains("/no/such/wal"), "{error}");
}
