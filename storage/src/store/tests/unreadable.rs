//! A place on the medium that cannot be read: whoever needs it is told which file it is, nobody else notices.

use super::*;
use crate::io::sim::Unreadable;
use crate::log::read;

fn make_unreadable(sim: &SimDisk, path: &Path, bytes: std::ops::Range<u64>) {
    let unreadable = Some(Unreadable { path: path.to_path_buf(), bytes });
    sim.set_faults(SimFaults { unreadable, ..SimFaults::default() });
}

/// Two logs with data that no memory holds.
fn cold(sim: &SimDisk) -> Running {
    let mut running = Running::open(sim);
    for group in [1, 2] {
        running.filled(group, 60);
    }
    running.close();
    Running::open(sim)
}

#[test]
fn a_reader_of_the_place_gets_an_error_that_names_it_and_others_nothing() {
    let sim = SimDisk::new(1);
    let mut running = cold(&sim);
    let segment = Path::new("/data/t-1/00000000000000000000.log");
    make_unreadable(&sim, segment, 0..1);
    let (bad, good) = (running.store.log(GroupId(1)).unwrap(), running.store.log(GroupId(2)).unwrap());
    let error = running.run(read(&bad, KafkaOffset(0), KafkaOffset(120), 1000)).unwrap_err();
    assert!(error.to_string().contains("cannot read /data/t-1/00000000000000000000.log"), "{error}");
    let second_segment = bad.borrow().segments[1].base_offset;
    assert!(running.run(read(&bad, second_segment, KafkaOffset(120), 1000)).unwrap().size_bytes() > 0);
    assert!(!running.run(read_all(&good)).is_empty());
    sim.set_faults(SimFaults::default());
    assert!(!running.run(read_all(&bad)).is_empty(), "nothing of the error stays");
}

fn error_at_start(sim: &SimDisk, path: &Path) -> String {
    assert!(sim.content(path).is_some(), "{} is not there", path.display());
    make_unreadable(sim, path, 0..u64::MAX);
    match Running::try_open(sim, config()) {
        Ok(_) => panic!("opened without {}", path.display()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn recovery_stops_and_names_the_file() {
    let sim = SimDisk::new(1);
    let mut running = Running::open(&sim);
    let log = running.create(1);
    let store = running.store.clone();
    running.run(store.checkpoint()).unwrap();
    let entry = batch(&log, 1, 2, 500);
    store.persist_entry(GroupId(1), entry);
    running.settle();
    drop((running, store, log));
    sim.power_cut();
    let wal = Path::new("/data/thalweg/core-0/wal");
    let names = futures::executor::block_on(sim.disk().read_dir(wal)).unwrap();
    for path in [Path::new("/data/thalweg/core-0/checkpoint").to_path_buf(), wal.join(&names[0])] {
        let error = error_at_start(&sim, &path);
        assert!(error.contains(&format!("cannot read {}", path.display())), "{error}");
    }
    sim.set_faults(SimFaults::default());
    assert_eq!(Running::open(&sim).store.log(GroupId(1)).unwrap().borrow().last_index(), RaftIndex(1));
}
