//! Reads from memory and disk, by offset and by timestamp, with good and damaged indexes.

use super::*;
use crate::log::{FileKind, MemoryRead, file_path, lookup_max_timestamp, lookup_timestamp, read};

/// Two hundred batches of three records in several segments, nothing of it in memory.
fn cold(sim: &SimDisk) -> (Running, LogRef) {
    let mut running = Running::open(sim);
    let log = running.create(1);
    for _ in 0..200 {
        let entry = batch(&log, 1, 3, 200);
        running.store.persist_entry(GroupId(1), entry);
    }
    log.borrow_mut().commit(RaftIndex(200));
    running.settle();
    running.close();
    let running = Running::open(sim);
    let log = running.store.log(GroupId(1)).unwrap();
    assert!(log.borrow().segments.len() >= 3);
    (running, log)
}

async fn base_of(log: &LogRef, offset: i64) -> i64 {
    let found = read(log, KafkaOffset(offset), KafkaOffset(600), 1).await.unwrap();
    let header = thalweg_protocol::records::BatchHeader::parse(&found.batches[0]).unwrap();
    assert_eq!(found.size_bytes(), header.size_bytes(), "one batch, although it is larger than one byte");
    header.base_offset.0
}

#[test]
fn every_offset_is_found_in_its_batch() {
    let sim = SimDisk::new(1);
    let (mut running, log) = cold(&sim);
    let mut random = SimRandom::new(7);
    for _ in 0..300 {
        let offset = random.below(600) as i64;
        assert_eq!(running.run(base_of(&log, offset)), offset - offset % 3);
    }
    assert_eq!(log.borrow().read_from_memory(KafkaOffset(5), KafkaOffset(600), 1), MemoryRead::Miss);
    assert_eq!(log.borrow().read_from_memory(KafkaOffset(600), KafkaOffset(600), 1), MemoryRead::Hit(vec![]));
    assert_eq!(log.borrow().read_from_memory(KafkaOffset(601), KafkaOffset(600), 1), MemoryRead::OutOfRange);
    assert!(running.run(read(&log, KafkaOffset(-1), KafkaOffset(600), 1)).unwrap().out_of_range);
}

#[test]
fn damaged_and_missing_indexes_are_built_again() {
    for damage in ["missing", "rotten", "short"] {
        let sim = SimDisk::new(1);
        let (mut running, log) = cold(&sim);
        let bases: Vec<_> = log.borrow().segments.iter().map(|segment| segment.base_offset).collect();
        for (base, kind) in bases.iter().flat_map(|base| [(base, FileKind::OffsetIndex), (base, FileKind::TimeIndex)]) {
            let path = file_path(Path::new("/data/t-1"), *base, kind);
            let disk = sim.disk();
            let good = sim.content(&path).unwrap();
            assert!(!good.is_empty());
            match damage {
                "missing" => running.run(disk.remove_file(&path)).unwrap(),
                "rotten" => assert!(sim.rot(&path, 9, 0xff)),
                _ => running.run(disk.replace_file(&path, Bytes::from(good[..good.len() - 1].to_vec()))).unwrap(),
            }
        }
        for offset in [0, 1, 100, 299, 300, 450, 599] {
            assert_eq!(running.run(base_of(&log, offset)), offset - offset % 3, "{damage}");
            let at = TimestampMs(NOW.0 + offset);
            let found = running.run(lookup_timestamp(&log, at)).unwrap().unwrap();
            assert_eq!((found.0, found.1), (at, KafkaOffset(offset)), "{damage}");
        }
    }
}

#[test]
fn a_damaged_segment_is_an_error_and_not_a_panic() {
    let sim = SimDisk::new(1);
    let (mut running, log) = cold(&sim);
    let path = file_path(Path::new("/data/t-1"), KafkaOffset(0), FileKind::Log);
    assert!(sim.rot(&path, 16, 0x0f), "the magic of the first batch");
    let result = running.run(read(&log, KafkaOffset(0), KafkaOffset(600), 1));
    assert!(matches!(result, Err(StorageError::SegmentDamaged { position: 0, .. })), "{result:?}");
}

#[test]
fn the_first_record_as_new_as_a_timestamp() {
    let sim = SimDisk::new(1);
    let (mut running, log) = cold(&sim);
    let entry = batch(&log, 1, 3, 10);
    running.store.persist_entry(GroupId(1), entry);
    let mut find = |at: i64| running.run(lookup_timestamp(&log, TimestampMs(at))).unwrap().map(|found| found.1.0);
    assert_eq!(find(0), Some(0));
    assert_eq!(find(NOW.0 + 301), Some(301));
    assert_eq!(find(NOW.0 + 599), Some(599));
    assert_eq!(find(NOW.0 + 600), None, "appended, not committed");
    log.borrow_mut().commit(RaftIndex(201));
    assert_eq!(find(NOW.0 + 601), Some(601), "in memory");
    assert_eq!(find(NOW.0 + 603), None);
    let newest = running.run(lookup_max_timestamp(&log)).unwrap().unwrap();
    assert_eq!((newest.0, newest.1, newest.2), (TimestampMs(NOW.0 + 602), KafkaOffset(602), LeaderEpoch(0)));
    log.borrow_mut().set_log_start(KafkaOffset(301)).unwrap();
    let first = running.run(lookup_timestamp(&log, TimestampMs(0))).unwrap().unwrap();
    assert_eq!(first.1, KafkaOffset(301), "nothing before the log's start");
}

#[test]
fn who_reads_on_reads_ahead() {
    let sim = SimDisk::new(1);
    let (mut running, log) = cold(&sim);
    let expected = running.run(read_all(&log));
    assert_eq!(expected.len() as u64, log.borrow().size_bytes());
    let limits = CoreLimits::test_min();
    let windows = running.store.inner.shared.windows.total_bytes();
    assert!(windows > 0 && windows <= limits.read_cache_bytes);
}
