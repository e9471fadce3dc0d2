//! Replicas that are removed while everything else goes wrong.

use super::*;

fn exists(sim: &SimDisk, path: &str) -> bool {
    let path = Path::new(path);
    let names = futures::executor::block_on(sim.disk().read_dir(path.parent().unwrap())).unwrap();
    names.iter().any(|name| Some(name.as_os_str()) == path.file_name())
}

/// A removed replica, a checkpoint, and a power cut after so many turns: was the replica, or its directory, forgotten?
/// A replica that is `busy` cannot be renamed before the power cut.
fn remove_and_crash(seed: u64, turns: u64, busy: bool) {
    let sim = SimDisk::new(seed);
    sim.set_faults(SimFaults { write_delay_polls_max: seed % 5, ..SimFaults::default() });
    let mut running = Running::open(&sim);
    for group in [1, 2] {
        running.filled(group, 20);
    }
    let writing = running.store.log(GroupId(1)).unwrap().borrow().writing.clone();
    let passage = busy.then(|| running.run(writing.pass()));
    running.store.remove(GroupId(1));
    let (store, wal) = (running.store.clone(), running.store.wal().clone());
    let removal = wal.last_appended();
    running.begin(turns, async move {
        store.wal().flush();
        if busy {
            store.inner.wait_durable(removal).await.unwrap_or_default();
        }
        store.checkpoint().await.unwrap_or_default();
    });
    let was_durable = wal.durable() >= removal;
    drop((running, wal, passage));
    sim.power_cut();
    let mut again = Running::open(&sim);
    let groups: Vec<_> = again.recovered.iter().map(|found| found.group.0).collect();
    let store = again.store.clone();
    again.run(store.tick(TimestampMs(i64::MAX / 2))).unwrap();
    let has_directory = exists(&sim, "/data/t-1");
    match groups.as_slice() {
        // The removal was not durable yet: whoever asked for it asks again.
        [1, 2] => assert!(has_directory && !was_durable, "seed {seed}, {turns} turns"),
        [2] => assert!(!has_directory, "seed {seed}, {turns} turns: the directory was left behind"),
        other => panic!("seed {seed}, {turns} turns: {other:?}"),
    }
    let log = store.log(GroupId(2)).unwrap();
    let last = log.borrow().last_index();
    assert_eq!(last, RaftIndex(20), "the other one has everything");
}

#[test]
fn a_crash_leaves_no_directory_behind() {
    for seed in 0..10 {
        for turns in 0..60 {
            remove_and_crash(seed, turns, false);
            remove_and_crash(seed, turns, true);
        }
    }
}

/// A full write-ahead log waits for a checkpoint, and a removal for the write-ahead log.
#[test]
fn a_removal_does_not_hold_up_the_checkpoint_it_waits_for() {
    let sim = SimDisk::new(1);
    let mut running = Running::open(&sim);
    running.create(1);
    let log = running.create(2);
    running.settle();
    let store = running.store.clone();
    // More than the write-ahead log can hold.
    for _ in 0..70 {
        let entry = batch(&log, 1, 1, 40_000);
        store.persist_entry(GroupId(2), entry);
    }
    store.remove(GroupId(1));
    let again = store.clone();
    let same_place = LogDescriptor { dir: PathBuf::from("/data/t-1"), ..descriptor(3) };
    running.begin(200, async move {
        again.create(GroupId(3), same_place, log_config()).await.unwrap();
    });
    for _ in 0..20 {
        let last = log.borrow().last_index();
        log.borrow_mut().commit(last);
        running.run(store.checkpoint()).unwrap();
        running.begin(200, async {});
    }
    assert!(store.log(GroupId(3)).is_some());
    assert!(exists(&sim, "/data/t-1"));
}
