//! A store's life without accidents: shutdown, retention, removal, a full disk, a changed number of cores.

use super::*;
use crate::log::{FileKind, file_path};

fn fill(running: &mut Running, group: u64, batches: usize, value_len: usize) -> LogRef {
    let log = running.store.log(GroupId(group)).unwrap_or_else(|| running.create(group));
    for _ in 0..batches {
        let entry = batch(&log, 1, 2, value_len);
        running.store.persist_entry(GroupId(group), entry);
        let last = log.borrow().last_index();
        log.borrow_mut().commit(last);
    }
    running.settle();
    log
}

#[test]
fn after_a_clean_shutdown_the_files_hold_every_batch() {
    let sim = SimDisk::new(1);
    let mut running = Running::open(&sim);
    let log = fill(&mut running, 1, 100, 500);
    let expected = running.run(read_all(&log));
    let segments = log.borrow().segments.len();
    assert!(segments > 1, "several segments");
    running.close();
    let names = running_names(&sim);
    let logs: Vec<_> = names.iter().filter(|name| name.ends_with(".log")).collect();
    assert_eq!(logs.len(), segments);
    let bytes: Vec<u8> =
        logs.iter().flat_map(|name| sim.content(&Path::new("/data/t-1").join(name)).unwrap()).collect();
    assert!(bytes == expected, "plain segments, back to back");
    for needed in ["partition.metadata", "leader-epoch-checkpoint", "00000000000000000200.snapshot"] {
        assert!(names.iter().any(|name| name == needed), "{needed} is missing in {names:?}");
    }
    let epochs = sim.content(Path::new("/data/t-1/leader-epoch-checkpoint")).unwrap();
    assert_eq!(String::from_utf8(epochs).unwrap(), "0\n1\n0 0\n");
    // And nothing is replayed or lost when it goes on.
    let mut again = Running::open(&sim);
    let log = again.store.log(GroupId(1)).unwrap();
    assert_eq!(again.recovered.len(), 1);
    assert_eq!(log.borrow().entries_in_memory().count(), 0);
    assert!(again.run(read_all(&log)) == expected);
    let more = fill(&mut again, 1, 50, 300);
    let whole = again.run(read_all(&more));
    assert!(whole.starts_with(&expected) && whole.len() > expected.len());
    again.close();
    let mut last = Running::open(&sim);
    let log = last.store.log(GroupId(1)).unwrap();
    assert!(last.run(read_all(&log)) == whole);
}

fn running_names(sim: &SimDisk) -> Vec<String> {
    let names = futures::executor::block_on(sim.disk().read_dir(Path::new("/data/t-1"))).unwrap();
    names.into_iter().map(|name| name.to_str().unwrap().to_owned()).collect()
}

#[test]
fn a_new_partition_is_a_directory_until_its_first_block() {
    let sim = SimDisk::new(1);
    let mut running = Running::open(&sim);
    let log = running.create(1);
    assert!(running_names(&sim).is_empty());
    let entry = batch(&log, 1, 1, 10);
    running.store.persist_entry(GroupId(1), entry);
    log.borrow_mut().commit(RaftIndex(1));
    let store = running.store.clone();
    running.run(store.checkpoint()).unwrap();
    assert!(running_names(&sim).is_empty(), "the fragment is in the checkpoint");
    assert_eq!(log.borrow().evictable_up_to(), RaftIndex(1));
    assert_eq!(store.take_evictable(), [(GroupId(1), RaftIndex(1))]);
}

#[test]
fn retention_by_size_deletes_whole_old_segments() {
    let sim = SimDisk::new(1);
    let mut running = Running::open(&sim);
    let log = fill(&mut running, 1, 200, 500);
    let end = log.borrow().high_watermark();
    log.borrow_mut().set_config(LogConfig { retention_bytes: 60 << 10, ..log_config() });
    let store = running.store.clone();
    running.run(store.check_retention(NOW)).unwrap();
    let start = log.borrow().log_start_offset();
    assert!(start > KafkaOffset::ZERO && start < end);
    assert!(log.borrow().size_bytes() >= 60 << 10, "never less than the limit is kept");
    assert!(log.borrow().size_bytes() <= (60 << 10) + (48 << 10));
    assert!(running_names(&sim).iter().any(|name| name == "00000000000000000000.log.deleted"));
    let first = log.borrow().first_index();
    assert!(first > RaftIndex(1));
    assert_eq!(log.borrow().term_at(first.previous()), Some(Term(1)), "Raft still knows the term before");
    running.run(store.tick(TimestampMs(NOW.0 + 60_001 + 3_600_000_000_000))).unwrap();
    assert!(!running_names(&sim).iter().any(|name| name.ends_with(".deleted")));
    let expected = running.run(read_all(&log));
    drop(running);
    sim.power_cut();
    let mut again = Running::open(&sim);
    let log = again.store.log(GroupId(1)).unwrap();
    let last = log.borrow().last_index();
    log.borrow_mut().commit(last);
    assert_eq!(log.borrow().log_start_offset(), start, "the new start was durable before files went");
    assert!(again.run(read_all(&log)) == expected);
}

#[test]
fn retention_by_time_takes_the_active_segment_too_but_nothing_uncommitted() {
    let sim = SimDisk::new(1);
    let mut running = Running::open(&sim);
    let log = fill(&mut running, 1, 20, 500);
    let entry = batch(&log, 1, 1, 10);
    running.store.persist_entry(GroupId(1), entry);
    log.borrow_mut().set_config(LogConfig { retention_ms: 1000, ..log_config() });
    let store = running.store.clone();
    let later = TimestampMs(NOW.0 + 1_000_000);
    running.run(store.check_retention(later)).unwrap();
    assert_eq!(log.borrow().log_start_offset(), KafkaOffset::ZERO, "an uncommitted entry follows");
    log.borrow_mut().commit(RaftIndex(21));
    running.run(store.check_retention(later)).unwrap();
    assert_eq!(log.borrow().log_start_offset(), KafkaOffset(41));
    assert_eq!(log.borrow().next_offset(), KafkaOffset(41), "offsets go on");
    let log = fill(&mut running, 1, 1, 10);
    assert_eq!(log.borrow().high_watermark(), KafkaOffset(43));
    assert!(!running.run(read_all(&log)).is_empty());
}

#[test]
fn delete_records_survives_a_crash() {
    let sim = SimDisk::new(3);
    let mut running = Running::open(&sim);
    let log = fill(&mut running, 1, 100, 500);
    let too_far = running.store.persist_log_start(GroupId(1), KafkaOffset(201));
    assert!(too_far.is_err());
    running.store.persist_log_start(GroupId(1), KafkaOffset(150)).unwrap().unwrap();
    assert_eq!(running.store.persist_log_start(GroupId(1), KafkaOffset(20)), Ok(None));
    running.settle();
    let store = running.store.clone();
    running.run(store.check_retention(NOW)).unwrap();
    assert!(log.borrow().segments.front().unwrap().content.next_offset > KafkaOffset(150));
    drop((running, log, store));
    sim.power_cut();
    let again = Running::open(&sim);
    assert_eq!(again.store.log(GroupId(1)).unwrap().borrow().log_start_offset(), KafkaOffset(150));
}

#[test]
fn a_removed_replica_leaves_and_its_name_can_be_used_again() {
    let sim = SimDisk::new(1);
    let mut running = Running::open(&sim);
    fill(&mut running, 1, 50, 500);
    running.store.remove(GroupId(1));
    assert!(running.store.log(GroupId(1)).is_none());
    let store = running.store.clone();
    let same_place = LogDescriptor { dir: PathBuf::from("/data/t-1"), ..descriptor(2) };
    let log = running.run(store.create(GroupId(2), same_place, log_config())).unwrap();
    assert!(running_names(&sim).is_empty());
    assert_eq!(log.borrow().next_offset(), KafkaOffset::ZERO);
    running.settle();
    running.run(store.tick(TimestampMs(i64::MAX / 2))).unwrap();
    let left = futures::executor::block_on(sim.disk().read_dir(Path::new("/data"))).unwrap();
    assert_eq!(left, [PathBuf::from("t-1"), PathBuf::from("thalweg")], "the old directory is gone");
    drop((running, log, store));
    sim.power_cut();
    let again = Running::open(&sim);
    assert_eq!(again.recovered.iter().map(|found| found.group).collect::<Vec<_>>(), [GroupId(2)]);
}

#[test]
fn a_full_disk_corrupts_nothing_and_passes() {
    let sim = SimDisk::new(1);
    let mut running = Running::open(&sim);
    let log = fill(&mut running, 1, 10, 500);
    let before = running.run(read_all(&log));
    sim.set_faults(SimFaults { capacity_bytes: Some(1), ..SimFaults::default() });
    let store = running.store.clone();
    for _ in 0..60 {
        let entry = batch(&log, 1, 2, 500);
        store.persist_entry(GroupId(1), entry);
        // What is in memory is committed here although the write-ahead log may wait for room as well.
        let last = log.borrow().last_index();
        log.borrow_mut().commit(last);
    }
    running.run(store.work()).unwrap();
    assert!(store.is_disk_full());
    running.run(store.checkpoint()).unwrap();
    let during = running.run(read_all(&log));
    assert!(during.starts_with(&before) && during.len() > before.len());
    sim.set_faults(SimFaults::default());
    running.run(store.tick(NOW)).unwrap();
    assert!(!store.is_disk_full());
    assert!(running.run(read_all(&log)) == during);
    drop((running, log, store));
    sim.power_cut();
    let mut again = Running::open(&sim);
    let log = again.store.log(GroupId(1)).unwrap();
    assert!(again.run(read_all(&log)) == during);
}

#[test]
fn memory_is_given_back_beyond_the_budget() {
    let sim = SimDisk::new(1);
    let mut running = Running::open(&sim);
    let logs: Vec<_> = (1..=4).map(|group| fill(&mut running, group, 60, 500)).collect();
    let store = running.store.clone();
    running.run(store.checkpoint()).unwrap();
    running.run(store.work()).unwrap();
    assert!(store.cached_bytes() <= CoreLimits::test_min().tail_cache_bytes);
    assert!(store.open_files() <= CoreLimits::test_min().open_files_max);
    assert_eq!(store.unflushed_bytes(), 0);
    assert_eq!(logs[0].borrow().entries_in_memory().count(), 0, "the one flushed longest ago");
    for log in &logs {
        assert_eq!(running.run(read_all(log)).len() as u64, log.borrow().size_bytes());
    }
    drop(running);
    drop((logs, store));
}

#[test]
fn segments_that_the_checkpoint_does_not_know_are_cut() {
    let sim = SimDisk::new(1);
    let mut running = Running::open(&sim);
    let log = fill(&mut running, 1, 20, 500);
    let store = running.store.clone();
    running.run(store.checkpoint()).unwrap();
    fill(&mut running, 1, 120, 500);
    assert!(log.borrow().segments.len() > 2);
    let expected = running.run(read_all(&log));
    let stray = file_path(Path::new("/data/t-1"), KafkaOffset(99_999), FileKind::Log);
    running.run(store.inner.shared.disk.replace_file(&stray, Bytes::from_static(b"left over"))).unwrap();
    drop((running, store, log));
    let mut again = Running::open(&sim);
    let log = again.store.log(GroupId(1)).unwrap();
    // Segments end elsewhere this time.
    log.borrow_mut().set_config(LogConfig { segment_bytes: 31_000, ..log_config() });
    let last = log.borrow().last_index();
    log.borrow_mut().commit(last);
    again.settle();
    assert!(again.run(read_all(&log)) == expected);
    assert!(sim.content(&stray).is_none());
    again.close();
    let names = running_names(&sim);
    let logs = names.iter().filter(|name| name.ends_with(".log"));
    let bytes: Vec<u8> = logs.flat_map(|name| sim.content(&Path::new("/data/t-1").join(name)).unwrap()).collect();
    assert!(bytes == expected);
}

#[test]
fn groups_move_when_the_number_of_cores_changes() {
    let sim = SimDisk::new(1);
    let mut running = Running::open(&sim);
    let log = fill(&mut running, 1, 10, 100);
    fill(&mut running, 2, 10, 100);
    let expected = running.run(read_all(&log));
    drop((running, log));
    sim.power_cut();
    let dirs = [PathBuf::from("/data")];
    futures::executor::block_on(rehome(sim.disk(), &dirs, 2)).unwrap();
    let core_1 = || StoreConfig {
        core: 1,
        wal: WalConfig { dir: PathBuf::from("/data/thalweg/core-1/wal"), ..config().wal },
        ..config()
    };
    let groups = |running: &Running| running.recovered.iter().map(|found| found.group.0).collect::<Vec<_>>();
    let even = Running::open(&sim);
    assert_eq!(groups(&even), [2]);
    let mut odd = Running::try_open(&sim, core_1()).unwrap();
    assert_eq!(groups(&odd), [1]);
    let log = odd.store.log(GroupId(1)).unwrap();
    let last = log.borrow().last_index();
    log.borrow_mut().commit(last);
    assert!(odd.run(read_all(&log)) == expected);
    drop((even, odd, log));
    futures::executor::block_on(rehome(sim.disk(), &dirs, 2)).unwrap();
    futures::executor::block_on(rehome(sim.disk(), &dirs, 1)).unwrap();
    assert_eq!(groups(&Running::open(&sim)), [1, 2]);
}

fn snapshots(sim: &SimDisk) -> Vec<i64> {
    let names = running_names(sim).into_iter();
    names.filter_map(|name| name.strip_suffix(".snapshot").map(|offset| offset.parse().unwrap())).collect()
}

/// Last offset of the only producer, in the snapshot at an offset.
fn last_in_snapshot(sim: &SimDisk, offset: i64) -> i64 {
    let file = sim.content(&Path::new("/data/t-1").join(format!("{offset:020}.snapshot"))).unwrap();
    let state = crate::log::ProducerState::decode_kafka(&file).unwrap();
    assert_eq!(state.len(), 1);
    state.get(ProducerId(9)).unwrap().batches.back().unwrap().last_offset.0
}

fn bases(log: &LogRef) -> Vec<i64> {
    log.borrow().segments.iter().map(|segment| segment.base_offset.0).collect()
}

#[test]
fn every_sealed_segment_leaves_a_snapshot_of_the_producers() {
    let sim = SimDisk::new(1);
    let mut running = Running::open(&sim);
    let log = fill(&mut running, 1, 200, 500);
    assert!(bases(&log).len() > 3);
    assert_eq!(snapshots(&sim), bases(&log)[1..], "one where each segment but the first begins");
    for offset in snapshots(&sim) {
        assert_eq!(last_in_snapshot(&sim, offset), offset - 1, "as of that offset, whatever was appended since");
    }
    let store = running.store.clone();
    running.run(store.checkpoint()).unwrap();
    drop((running, log, store));
    sim.power_cut();
    // They are an aid: without them, or with what the power cut left of them, all is there.
    let mut again = Running::open(&sim);
    let log = fill(&mut again, 1, 200, 500);
    assert_eq!(log.borrow().next_offset(), KafkaOffset(800));
    let newest = *snapshots(&sim).last().unwrap();
    assert!(newest > 400 && last_in_snapshot(&sim, newest) == newest - 1, "the state goes on behind the checkpoint");
    again.close();
    assert_eq!(*snapshots(&sim).last().unwrap(), 800, "and one at the clean end");
    let mut last = Running::open(&sim);
    fill(&mut last, 1, 1, 10);
    let store = last.store.clone();
    last.run(flush_and_tidy(&store));
    assert!(!snapshots(&sim).contains(&800), "no segment begins there");
}

async fn flush_and_tidy(store: &Store) {
    let log = store.log(GroupId(1)).unwrap();
    crate::log::flush(&log, crate::log::FlushMode::Shutdown).await.unwrap();
    let end = log.borrow().next_offset();
    let disk = Rc::clone(&store.inner.shared.disk);
    disk.remove_file(&Path::new("/data/t-1").join(format!("{:020}.snapshot", end.0))).await.unwrap();
}

#[test]
fn snapshots_go_with_their_segments() {
    let sim = SimDisk::new(1);
    let mut running = Running::open(&sim);
    let log = fill(&mut running, 1, 200, 500);
    let before = bases(&log);
    running.store.persist_log_start(GroupId(1), KafkaOffset(before[2])).unwrap().unwrap();
    let store = running.store.clone();
    running.run(store.check_retention(NOW)).unwrap();
    assert_eq!(bases(&log), before[2..]);
    assert_eq!(snapshots(&sim), before[2..], "those of live segments stay");
    let deleted = format!("{:020}.snapshot.deleted", before[1]);
    assert!(running_names(&sim).contains(&deleted));
    running.run(store.tick(TimestampMs(i64::MAX / 2))).unwrap();
    assert!(!running_names(&sim).contains(&deleted));
}

#[test]
fn a_clean_shutdown_leaves_partitions_without_data_alone() {
    let sim = SimDisk::new(1);
    let mut running = Running::open(&sim);
    let log = running.create(1);
    let entry = noop(&log, 1);
    running.store.persist_entry(GroupId(1), entry);
    running.settle();
    log.borrow_mut().commit(RaftIndex(1));
    drop(log);
    running.close();
    assert!(running_names(&sim).is_empty());
    let again = Running::open(&sim);
    assert_eq!(again.store.log(GroupId(1)).unwrap().borrow().last_index(), RaftIndex(1));
}

#[test]
fn a_clean_shutdown_completes_only_files_that_changed() {
    let sim = SimDisk::new(1);
    let snapshot = Path::new("/data/t-1/00000000000000000020.snapshot");
    let mut running = Running::open(&sim);
    fill(&mut running, 1, 10, 100);
    running.close();
    assert!(sim.content(snapshot).is_some());
    // As after every start: the leader's entry of its own term, and nothing else.
    let mut again = Running::open(&sim);
    let log = again.store.log(GroupId(1)).unwrap();
    let entry = noop(&log, 1);
    again.store.persist_entry(GroupId(1), entry);
    again.settle();
    log.borrow_mut().commit(RaftIndex(11));
    again.run(sim.disk().remove_file(snapshot)).unwrap();
    drop(log);
    again.close();
    assert!(sim.content(snapshot).is_none(), "left alone");
    // A crash behind a later checkpoint: nobody completed the files of that one.
    let mut crashed = Running::open(&sim);
    fill(&mut crashed, 1, 1, 100);
    let store = crashed.store.clone();
    crashed.run(store.checkpoint()).unwrap();
    drop((crashed, store));
    Running::open(&sim).close();
    assert!(sim.content(Path::new("/data/t-1/00000000000000000022.snapshot")).is_some());
}

#[test]
fn the_background_keeps_its_own_times_for_retention_and_for_producers() {
    let sim = SimDisk::new(1);
    let settings = StoreConfig {
        initial_task_delay_ms: 10_000,
        retention_check_interval_ms: 50_000,
        producer_id_expiration_check_interval_ms: 30_000,
        ..config()
    };
    let mut running = Running::try_open(&sim, settings).unwrap();
    let log = fill(&mut running, 1, 200, 500);
    log.borrow_mut().set_config(LogConfig { retention_bytes: 60 << 10, ..log_config() });
    let store = running.store.clone();
    store.set_producer_id_expiration(1);
    let began = crate::store::open::wall_clock();
    let mut seen = Vec::new();
    for seconds in [5, 15, 25, 35, 55, 75] {
        if seconds == 25 {
            log.borrow_mut().set_config(LogConfig { retention_bytes: 1, ..log_config() });
        }
        running.run(store.tick(TimestampMs(began.0 + seconds * 1000))).unwrap();
        let log = log.borrow();
        seen.push((log.segments.len(), log.producers().len()));
    }
    let (all, some, least) = (seen[0].0, seen[1].0, seen[5].0);
    assert!(all > some && some > least, "{seen:?}");
    assert_eq!(seen, [(all, 1), (some, 1), (some, 1), (some, 0), (some, 0), (least, 0)]);
}

#[test]
fn a_checkpoint_of_many_logs_lets_others_have_their_turns() {
    const LOGS: u64 = 200;
    let sim = SimDisk::new(1);
    // Large enough that no checkpoint is wanted before.
    let mut large = config();
    large.wal.file_size_bytes = 4 << 20;
    let mut running = Running::try_open(&sim, large).unwrap();
    let logs: Vec<LogRef> = (1..=LOGS).map(|group| running.filled(group, 1)).collect();
    let is_flushed = move || logs.iter().filter(|log| log.borrow().flushed.index == RaftIndex(1)).count();
    assert_eq!(is_flushed(), 0, "a batch that fills no block stays in memory until there is a checkpoint");
    let done = std::rc::Rc::new(std::cell::Cell::new(false));
    let (watched, store) = (Rc::clone(&done), running.store.clone());
    let longest = running.run(async move {
        let others = async {
            let (mut before, mut longest) = (0, 0);
            while !watched.get() {
                let flushed = is_flushed();
                longest = longest.max(flushed - before);
                before = flushed;
                yield_now().await;
            }
            assert_eq!(before as u64, LOGS);
            longest
        };
        let checkpoint = async {
            store.checkpoint().await.unwrap();
            done.set(true);
        };
        futures::join!(others, checkpoint).0
    });
    assert!(longest <= 16, "{longest} logs were flushed while everybody else waited");
}
