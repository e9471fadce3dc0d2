//! Appending, group commit, files, back-pressure.

use super::*;

#[test]
fn what_was_durable_comes_back_in_order() {
    let (mut pool, disk) = (LocalPool::new(), SimDisk::new(1));
    let (wal, replayed) = start(&mut pool, &disk, config(), 0).unwrap();
    assert!(replayed.is_empty());
    for number in 1..=50 {
        assert_eq!(write(&mut pool, &wal, &record(number, 300)), WalSequence(number));
    }
    assert_eq!(wal.durable(), WalSequence(50));
    close(&mut pool, &wal);
    let (_, replayed) = open(&mut pool, &disk, config(), 0).unwrap();
    let expected: Replayed = (1..=50).map(|number| (WalSequence(number), record(number, 300))).collect();
    assert_eq!(replayed, expected);
    let (_, replayed) = open(&mut pool, &disk, config(), 48).unwrap();
    assert_eq!(replayed.first().unwrap().0, WalSequence(49));
}

#[test]
fn a_lone_record_costs_one_page_at_once() {
    let (mut pool, disk) = (LocalPool::new(), SimDisk::new(1));
    let (wal, _) = start(&mut pool, &disk, config(), 0).unwrap();
    pool.run_until_stalled();
    let before = disk.writes();
    write(&mut pool, &wal, &record(1, 100));
    let after = disk.writes();
    assert_eq!((after.0 - before.0, after.1 - before.1), (1, BLOCK_SIZE_BYTES as u64));
}

#[test]
fn records_gather_while_all_slots_are_taken() {
    let (mut pool, disk) = (LocalPool::new(), SimDisk::new(3));
    let (wal, _) = start(&mut pool, &disk, WalConfig { file_size_bytes: 1 << 20, ..config() }, 0).unwrap();
    pool.run_until_stalled();
    disk.set_faults(SimFaults { write_delay_polls_max: 20, ..SimFaults::default() });
    let before = disk.writes().0;
    pool.run_until(async {
        for number in 1..=100 {
            wal.append(&record(number, 100));
            wal.flush();
            crate::io::sim::polls(1).await;
        }
    });
    assert_eq!(answer(&mut pool, &wal, 99).unwrap(), WalSequence(100));
    let writes = disk.writes().0 - before;
    assert!((2..60).contains(&writes), "{writes} writes for 100 records");
}

#[test]
fn nothing_is_written_before_flush() {
    let (mut pool, disk) = (LocalPool::new(), SimDisk::new(1));
    let (wal, _) = start(&mut pool, &disk, config(), 0).unwrap();
    pool.run_until_stalled();
    let before = disk.writes().0;
    wal.append(&record(1, 100));
    pool.run_until_stalled();
    assert_eq!(disk.writes().0, before);
    assert!(wal.gathered_bytes() > 100);
    wal.flush();
    pool.run_until_stalled();
    assert_eq!((wal.durable(), wal.gathered_bytes()), (WalSequence(1), 0));
}

#[test]
fn a_record_larger_than_a_file_is_split_and_comes_back() {
    let (mut pool, disk) = (LocalPool::new(), SimDisk::new(1));
    let (wal, _) = start(&mut pool, &disk, config(), 0).unwrap();
    for (number, len) in [(1, 10), (2, 150_000), (3, 0), (4, 20_000), (5, 1)] {
        write(&mut pool, &wal, &record(number, len));
    }
    close(&mut pool, &wal);
    let (_, replayed) = open(&mut pool, &disk, config(), 0).unwrap();
    let lens = [(1, 10), (2, 150_000), (3, 0), (4, 20_000), (5, 1)];
    assert_eq!(replayed.len(), lens.len());
    for ((sequence, found), (number, len)) in replayed.into_iter().zip(lens) {
        assert_eq!((sequence, found), (WalSequence(number), record(number, len)));
    }
}

#[test]
fn files_are_recycled_and_never_more_than_allowed() {
    let (mut pool, disk) = (LocalPool::new(), SimDisk::new(1));
    let (wal, _) = start(&mut pool, &disk, config(), 0).unwrap();
    for number in 1..=300 {
        let sequence = write(&mut pool, &wal, &record(number, 3000));
        wal.trim(sequence);
        assert!(wal.used_bytes() <= wal.capacity_bytes());
    }
    pool.run_until_stalled();
    let files = pool.run_until(disk.disk().read_dir(Path::new("/wal"))).unwrap();
    assert!(files.len() <= config().files_max, "{files:?}");
    close(&mut pool, &wal);
    let (_, replayed) = open(&mut pool, &disk, config(), 295).unwrap();
    assert_eq!(replayed.iter().map(|(sequence, _)| sequence.0).collect::<Vec<_>>(), [296, 297, 298, 299, 300]);
}

#[test]
fn a_full_log_gathers_and_goes_on_after_trim() {
    let (mut pool, disk) = (LocalPool::new(), SimDisk::new(1));
    let (wal, _) = start(&mut pool, &disk, config(), 0).unwrap();
    for number in 1..=100 {
        wal.append(&record(number, 4000));
        wal.flush();
    }
    pool.run_until_stalled();
    assert!(wal.is_full());
    assert!(wal.durable() < WalSequence(100) && wal.durable() > WalSequence(30), "{}", wal.durable());
    assert!(wal.gathered_bytes() > 0);
    let mut trims = 0;
    while wal.durable() < WalSequence(100) && trims < 10 {
        wal.trim(wal.durable());
        pool.run_until_stalled();
        trims += 1;
    }
    assert_eq!((wal.durable(), wal.gathered_bytes()), (WalSequence(100), 0));
}

#[test]
fn no_room_for_a_new_file_is_not_an_error() {
    let (mut pool, disk) = (LocalPool::new(), SimDisk::new(1));
    disk.set_faults(SimFaults { capacity_bytes: Some(100 << 10), ..SimFaults::default() });
    let (wal, _) = start(&mut pool, &disk, WalConfig { files_max: 16, ..config() }, 0).unwrap();
    for number in 1..=60 {
        wal.append(&record(number, 4000));
        wal.flush();
        pool.run_until_stalled();
    }
    let durable = wal.durable();
    assert!(wal.is_full() && durable < WalSequence(60) && durable > WalSequence(5), "{durable}");
    disk.set_faults(SimFaults::default());
    wal.flush();
    answer(&mut pool, &wal, 59).unwrap();
    assert!(!wal.is_full());
}

#[test]
fn no_room_for_the_first_file_is_a_clean_error() {
    let (mut pool, disk) = (LocalPool::new(), SimDisk::new(1));
    disk.set_faults(SimFaults { capacity_bytes: Some(1 << 10), ..SimFaults::default() });
    let error = open(&mut pool, &disk, config(), 0).map(|_| ()).unwrap_err();
    assert!(error.is_disk_full(), "{error}");
    disk.set_faults(SimFaults::default());
    assert!(open(&mut pool, &disk, config(), 0).is_ok());
}

#[test]
fn a_failed_write_is_told_to_everybody() {
    let (mut pool, disk) = (LocalPool::new(), SimDisk::new(1));
    let (wal, _) = start(&mut pool, &disk, config(), 0).unwrap();
    write(&mut pool, &wal, &record(1, 10));
    pool.run_until_stalled();
    disk.set_faults(SimFaults { writes_until_error: Some(0), ..SimFaults::default() });
    for number in 2..=4 {
        wal.append(&record(number, 10));
        wal.flush();
    }
    let results = [1, 2, 3].map(|after| answer(&mut pool, &wal, after));
    assert!(results.iter().all(|result| matches!(result, Err(StorageError::WalPoisoned { .. }))), "{results:?}");
    assert_eq!(wal.durable(), WalSequence(1));
}

#[test]
fn waiting_on_a_closed_log_ends() {
    let (mut pool, disk) = (LocalPool::new(), SimDisk::new(1));
    let (wal, _) = start(&mut pool, &disk, config(), 0).unwrap();
    wal.append(&record(1, 10));
    wal.close();
    assert_eq!(answer(&mut pool, &wal, 0).unwrap(), WalSequence(1));
    let closed = answer(&mut pool, &wal, 1);
    assert!(matches!(closed, Err(StorageError::WalClosed)), "{closed:?}");
}
