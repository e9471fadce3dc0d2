//! Small histories whose outcome is plain.

use super::*;
use crate::log::Cleanable;

/// A log of one-record batches with these keys, each in a segment of its own, at one a second.
fn filled(running: &mut Running, keys: &[&str]) -> LogRef {
    let log = running.create(1);
    let config = LogConfig { segment_bytes: 80, ..compacted() };
    log.borrow_mut().set_config(config);
    for (at, key) in keys.iter().enumerate() {
        let base = log.borrow().next_offset();
        let mut builder = BatchBuilder::new().with_base_offset(base).with_leader_epoch(LeaderEpoch(0));
        builder.push(TimestampMs(NOW.0 + at as i64 * 1000), Some(key.as_bytes()), Some(b"v"), &[]).unwrap();
        let data = builder.build().unwrap().freeze();
        let index = log.borrow().last_index().next();
        running.store.persist_entry(GroupId(1), LogEntry { index, term: Term(1), kind: EntryKind::Batch, data });
    }
    running.settle();
    let last = log.borrow().last_index();
    log.borrow_mut().commit(last);
    running.run(flush(&log, FlushMode::FullBlocks)).unwrap();
    log
}

fn offsets(running: &mut Running, log: &LogRef) -> Vec<i64> {
    let bytes = running.run(read_all(log));
    let views = thalweg_protocol::records::batches(&bytes).map(|view| view.unwrap().header.base_offset.0);
    views.collect()
}

fn compact_at(running: &mut Running, after_ms: i64) {
    let store = running.store.clone();
    running.run(store.compact(TimestampMs(NOW.0 + after_ms))).unwrap();
}

#[test]
fn the_newest_of_each_key_stays_and_the_newest_segment_is_left_alone() {
    let sim = SimDisk::new(1);
    let mut running = Running::try_open(&sim, store_config(1 << 20)).unwrap();
    let log = filled(&mut running, &["a", "b", "a", "a", "b"]);
    compact_at(&mut running, 0);
    assert_eq!(offsets(&mut running, &log), [1, 3, 4], "b of offset 1 is superseded only by the newest segment");
    assert_eq!(log.borrow().epochs(), [(LeaderEpoch(0), KafkaOffset(0))], "epochs stay");
    assert_eq!(log.borrow().log_start_offset(), KafkaOffset(0));
    assert_eq!(log.borrow().first_index(), RaftIndex(5), "Raft's log begins behind what was compacted");
    let entries = running.run(crate::log::read_entries(&log, RaftIndex(2), RaftIndex(6), 1000)).unwrap();
    assert!(entries.is_empty(), "what Raft wrote there is gone");
}

#[test]
fn names_are_kafkas_once_a_checkpoint_is_durable() {
    let sim = SimDisk::new(1);
    let mut running = Running::try_open(&sim, store_config(1 << 20)).unwrap();
    let log = filled(&mut running, &["a", "b", "a", "a", "b"]);
    log.borrow_mut().set_config(compacted());
    compact_at(&mut running, 0);
    let names = |running: &mut Running| -> Vec<String> {
        let names = running.run(async { sim.disk().read_dir(Path::new("/data/t-1")).await.unwrap() });
        names.into_iter().map(|name| name.to_string_lossy().into_owned()).filter(|name| name.contains(".log")).collect()
    };
    // The newest segment is less than a block: it has no file yet.
    let (first, merged) = ("00000000000000000000.log", "00000000000000000001.log.deleted");
    let found = names(&mut running);
    assert!([first, merged].iter().all(|name| found.iter().any(|other| other == name)), "{found:?}");
    assert!(!found.iter().any(|name| name.ends_with(".cleaned")), "{found:?}");
    let store = running.store.clone();
    let due = TimestampMs(store.inner.shared.now().0 + 10_000);
    running.run(store.tick(due)).unwrap();
    assert_eq!(names(&mut running), [first]);
    assert_eq!(offsets(&mut running, &log), [1, 3, 4]);
}

fn is_due(log: &LogRef, now: TimestampMs) -> bool {
    let log = log.borrow();
    log.cleanable(now).is_some_and(|cleanable| log.is_worth_compacting(&cleanable))
}

#[test]
fn what_is_due_is_what_kafka_says_is_due() {
    let sim = SimDisk::new(1);
    let mut running = Running::try_open(&sim, store_config(1 << 20)).unwrap();
    let log = filled(&mut running, &["a", "b", "a", "a", "b"]);
    let due = |change: &dyn Fn(&mut LogConfig), after_ms: i64| {
        let mut config = LogConfig { segment_bytes: 80, ..compacted() };
        change(&mut config);
        log.borrow_mut().set_config(config);
        is_due(&log, TimestampMs(NOW.0 + after_ms))
    };
    assert!(due(&|_| {}, 0));
    assert!(!due(&|config| config.compact_enabled = false, 0));
    assert!(!due(&|config| config.min_cleanable_dirty_ratio = 1.0, 0));
    let overdue = |config: &mut LogConfig| {
        config.min_cleanable_dirty_ratio = 1.0;
        config.max_compaction_lag_ms = 5000;
    };
    assert!(!due(&overdue, 5000));
    assert!(due(&overdue, 5001));
    let young = |config: &mut LogConfig| config.min_compaction_lag_ms = 5000;
    assert!(!due(&young, 4999), "the oldest record is younger than that");
    assert!(due(&young, 5000));
    compact_at(&mut running, 6000);
    assert_eq!(offsets(&mut running, &log), [0, 1, 2, 3, 4], "two records are old enough, and of different keys");
    log.borrow_mut().set_config(LogConfig { segment_bytes: 80, ..compacted() });
    compact_at(&mut running, 6000);
    assert_eq!(offsets(&mut running, &log), [1, 3, 4]);
    assert_eq!(log.borrow().cleanable(TimestampMs(NOW.0)), None::<Cleanable>, "nothing is dirty any more");
}

#[test]
fn a_reader_in_the_middle_goes_on() {
    let sim = SimDisk::new(1);
    let mut running = Running::try_open(&sim, store_config(1 << 20)).unwrap();
    let log = filled(&mut running, &["a", "b", "a", "c", "b", "d", "e", "f", "a"]);
    log.borrow_mut().set_config(compacted());
    // Nothing from memory: the files are what is read.
    log.borrow_mut().evict(usize::MAX);
    let first = running.run(crate::log::read(&log, KafkaOffset(0), KafkaOffset(9), 1)).unwrap();
    assert_eq!(first.batches.len(), 1);
    compact_at(&mut running, 0);
    for from in 1..9 {
        let read = running.run(crate::log::read(&log, KafkaOffset(from), KafkaOffset(9), 1)).unwrap();
        let header = thalweg_protocol::records::BatchHeader::parse(&read.batches[0]).unwrap();
        let left = [2, 3, 4, 5, 6, 7, 8];
        assert_eq!(header.base_offset.0, left.into_iter().find(|offset| *offset >= from).unwrap());
    }
}
#[test]
fn a_damaged_log_is_left_alone() {
    let sim = SimDisk::new(1);
    let mut running = Running::try_open(&sim, store_config(1 << 20)).unwrap();
    let log = filled(&mut running, &["a", "b", "a", "a", "b"]);
    assert!(sim.rot(Path::new("/data/t-1/00000000000000000002.log"), 66, 1));
    compact_at(&mut running, 0);
    assert_eq!(running.store.compaction_stats().uncleanable_logs, 1);
    assert!(is_due(&log, NOW), "it stays due, and nobody tries again");
    compact_at(&mut running, 0);
    assert_eq!(running.store.compaction_stats().uncleanable_logs, 1);
}
