//! Replicas that move to another directory while they are written, and while the power goes.

use std::cell::Cell;
use std::rc::Rc;

use super::*;

pub(super) fn two_dirs() -> StoreConfig {
    StoreConfig { log_dirs: vec![PathBuf::from("/data"), PathBuf::from("/more")], ..config() }
}

/// Names in a directory that have to do with the replica.
fn names(sim: &SimDisk, dir: &str) -> Vec<String> {
    let names = futures::executor::block_on(sim.disk().read_dir(Path::new(dir))).unwrap_or_default();
    let names = names.into_iter().map(|name| name.to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("t-")).collect()
}

fn dir_of(log: &LogRef) -> PathBuf {
    log.borrow().descriptor().dir.clone()
}

/// A log of several segments and its bytes; the last batches are in no segment yet.
fn begin(sim: &SimDisk) -> (Running, LogRef, Vec<u8>) {
    let mut running = Running::try_open(sim, two_dirs()).unwrap();
    let log = running.filled(1, 200);
    let store = running.store.clone();
    running.run(store.checkpoint()).unwrap();
    let bytes = running.run(read_all(&log));
    assert!(log.borrow().segments.len() > 2, "{:?}", log.borrow().segments.len());
    (running, log, bytes)
}

fn append_some(running: &mut Running, log: &LogRef, count: usize) {
    for _ in 0..count {
        let entry = batch(log, 1, 2, 500);
        running.store.persist_entry(GroupId(1), entry);
    }
    running.settle();
    let last = log.borrow().last_index();
    log.borrow_mut().commit(last);
}

pub(super) fn move_to(running: &mut Running, dir: &str) -> bool {
    let store = running.store.clone();
    match store.ask_move(GroupId(1), Path::new(dir)) {
        MoveAsked::Begun(token) => running.run(store.carry_out_move(GroupId(1), token)).unwrap(),
        MoveAsked::Nothing => false,
        MoveAsked::UnknownGroup => panic!("no such group"),
    }
}

#[test]
fn a_moved_log_reads_and_grows_where_it_is_and_after_a_restart() {
    let sim = SimDisk::new(1);
    let (mut running, log, bytes) = begin(&sim);
    assert!(!move_to(&mut running, "/data"), "it is there");
    assert!(move_to(&mut running, "/more"));
    assert_eq!(dir_of(&log), Path::new("/more/t-1"));
    assert_eq!(running.run(read_all(&log)), bytes);
    append_some(&mut running, &log, 50);
    let more = running.run(read_all(&log));
    assert!(more.starts_with(&bytes) && more.len() > bytes.len());
    let store = running.store.clone();
    running.run(store.tick(TimestampMs(i64::MAX / 2))).unwrap();
    assert_eq!((names(&sim, "/data").len(), names(&sim, "/more")), (0, vec!["t-1".to_owned()]));
    running.close();
    let mut again = Running::try_open(&sim, two_dirs()).unwrap();
    let log = again.store.log(GroupId(1)).unwrap();
    let last = log.borrow().last_index();
    log.borrow_mut().commit(last);
    assert_eq!(dir_of(&log), Path::new("/more/t-1"));
    assert_eq!(again.run(read_all(&log)), more);
    // There and back, twice: no name is in the way of another.
    for dir in ["/data", "/more", "/data"] {
        assert!(move_to(&mut again, dir));
        append_some(&mut again, &log, 3);
    }
    let moved = again.run(read_all(&log));
    assert!(moved.starts_with(&more) && moved.len() > more.len());
    again.close();
}

#[test]
fn another_wish_calls_a_move_off_and_so_does_a_removal() {
    let sim = SimDisk::new(2);
    let (mut running, log, bytes) = begin(&sim);
    let store = running.store.clone();
    let MoveAsked::Begun(token) = store.ask_move(GroupId(1), Path::new("/more")) else { panic!("not begun") };
    assert_eq!(store.ask_move(GroupId(1), Path::new("/more")), MoveAsked::Nothing);
    assert_eq!(store.ask_move(GroupId(1), Path::new("/data")), MoveAsked::Nothing);
    assert!(!running.run(store.carry_out_move(GroupId(1), token)).unwrap());
    assert_eq!((dir_of(&log), running.run(read_all(&log))), (PathBuf::from("/data/t-1"), bytes));
    assert_eq!(names(&sim, "/more"), Vec::<String>::new());

    let MoveAsked::Begun(token) = store.ask_move(GroupId(1), Path::new("/more")) else { panic!("not begun") };
    sim.set_faults(SimFaults { one_at_a_time: true, ..SimFaults::default() });
    let (mover, done) = (store.clone(), Rc::new(Cell::new(None)));
    let ended = Rc::clone(&done);
    running.begin(30, async move { ended.set(Some(mover.carry_out_move(GroupId(1), token).await.unwrap())) });
    assert!(done.get().is_none() && log.borrow().moving().is_some(), "it is under way");
    store.remove(GroupId(1));
    running.begin(5000, async {});
    assert_eq!(done.get(), Some(false));
    running.run(store.tick(TimestampMs(i64::MAX / 2))).unwrap();
    assert_eq!((names(&sim, "/data"), names(&sim, "/more")), (Vec::<String>::new(), Vec::<String>::new()));
    assert_eq!(store.ask_move(GroupId(1), Path::new("/more")), MoveAsked::UnknownGroup);
}

#[test]
fn a_disk_without_room_leaves_the_log_where_it_is() {
    let sim = SimDisk::new(3);
    let (mut running, log, bytes) = begin(&sim);
    sim.set_faults(SimFaults { writes_until_error: Some(1), ..SimFaults::default() });
    assert!(!move_to(&mut running, "/more"));
    sim.set_faults(SimFaults::default());
    assert_eq!((dir_of(&log), running.run(read_all(&log))), (PathBuf::from("/data/t-1"), bytes));
    assert!(log.borrow().moving().is_none());
    assert!(move_to(&mut running, "/more"), "and it can be tried again");
}

/// Power is cut so many turns into a move beside which records come in; true if it was through.
fn cut_after(turns: u64, seed: u64) -> bool {
    let sim = SimDisk::new(seed);
    let (mut running, log, bytes) = begin(&sim);
    let store = running.store.clone();
    let MoveAsked::Begun(token) = store.ask_move(GroupId(1), Path::new("/more")) else { panic!("not begun") };
    sim.set_faults(SimFaults { write_delay_polls_max: 2, one_at_a_time: true, ..SimFaults::default() });
    let (mover, done) = (store.clone(), Rc::new(Cell::new(false)));
    let ended = Rc::clone(&done);
    running.begin(turns / 2, async move {
        mover.carry_out_move(GroupId(1), token).await.unwrap_or_default();
        ended.set(true);
    });
    let mut appended = bytes.clone();
    for _ in 0..4 {
        let entry = batch(&log, 1, 2, 3000);
        appended.extend_from_slice(&entry.data);
        store.persist_entry(GroupId(1), entry);
        store.wal().flush();
        running.begin(turns / 8, async {});
        let (durable, last) = (store.wal().durable(), store.wal().last_appended());
        if durable >= last {
            let index = log.borrow().last_index();
            log.borrow_mut().commit(index);
        }
    }
    let committed = log.borrow().commit_index();
    drop(running);
    sim.power_cut();
    sim.set_faults(SimFaults::default());
    for round in 0..2 {
        let mut running = Running::try_open(&sim, two_dirs()).unwrap();
        let log = running.store.log(GroupId(1)).unwrap();
        let last = log.borrow().last_index();
        assert!(last >= committed, "{turns} turns: entry {committed} was committed, {last} is the last");
        log.borrow_mut().commit(last);
        let found = running.run(read_all(&log));
        assert!(found.len() >= bytes.len() && appended.starts_with(&found), "{turns} turns, round {round}");
        let store = running.store.clone();
        running.run(store.tick(TimestampMs(i64::MAX / 2))).unwrap();
        assert_eq!([names(&sim, "/data"), names(&sim, "/more")].concat(), ["t-1"], "{turns} turns, round {round}");
        append_some(&mut running, &log, 2);
        appended = running.run(read_all(&log));
        assert!(appended.starts_with(&found));
        sim.power_cut();
    }
    done.get()
}

#[test]
fn power_goes_at_every_step_of_a_move() {
    let mut turns = 0;
    while !cut_after(turns, turns) {
        turns += 2;
        assert!(turns < 20_000, "a move does not end");
    }
    assert!(turns > 60, "a move has many steps, these were {turns}");
}
