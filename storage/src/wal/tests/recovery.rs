//! The decision table, row by row, and how the walk comes to each row.

use super::*;
use crate::wal::recovery::{Decision, Here, Later, decide};

#[test]
fn every_row_of_the_table() {
    use {Decision as D, Here as H, Later as L};
    for here in H::ALL {
        for later in L::ALL {
            let expected = match (here, later) {
                (H::Expected, L::Silent | L::Durable) => D::Accept,
                (H::Expected | H::Nothing | H::Stale | H::Ahead, L::Continues) => D::NextFile,
                (H::Nothing | H::Stale | H::Ahead, L::Silent) => D::Cut,
                (H::Nothing | H::Stale | H::Ahead, L::Durable) => D::Corrupt,
                (H::Behind | H::Foreign, _) | (_, L::Overlaps) => D::Corrupt,
            };
            assert_eq!(decide(here, later), expected, "{here:?} {later:?}");
        }
    }
}

/// Ten records of a page each, all acknowledged, the log then dropped as by a kill.
fn ten_pages(pool: &mut LocalPool, disk: &SimDisk) {
    let (wal, _) = start(pool, disk, config(), 0).unwrap();
    for number in 1..=10 {
        write(pool, &wal, &record(number, 3000));
    }
}

fn numbers(replayed: &Replayed) -> Vec<u64> {
    replayed.iter().map(|(sequence, _)| sequence.0).collect()
}

#[test]
fn rot_below_the_durable_mark_is_reported_with_its_place() {
    for page in 0..9 {
        let (mut pool, disk) = (LocalPool::new(), SimDisk::new(1));
        ten_pages(&mut pool, &disk);
        assert!(disk.rot(&wal_file(1), page * 4096 + 100, 0x10));
        match open(&mut pool, &disk, config(), 0).map(|_| ()) {
            Err(StorageError::WalCorrupt { file, position, expected_block, .. }) => {
                assert_eq!((file, position, expected_block), (wal_file(1), page * 4096, page + 1));
            }
            other => panic!("page {page}: {other:?}"),
        }
    }
}

#[test]
fn rot_in_the_last_block_of_a_killed_log_looks_like_a_torn_tail() {
    let (mut pool, disk) = (LocalPool::new(), SimDisk::new(1));
    ten_pages(&mut pool, &disk);
    disk.rot(&wal_file(1), 9 * 4096 + 100, 1);
    let (_, replayed) = open(&mut pool, &disk, config(), 0).unwrap();
    assert_eq!(numbers(&replayed), (1..=9).collect::<Vec<_>>());
}

#[test]
fn rot_in_the_last_block_of_a_closed_log_is_reported() {
    let (mut pool, disk) = (LocalPool::new(), SimDisk::new(1));
    let (wal, _) = start(&mut pool, &disk, config(), 0).unwrap();
    write(&mut pool, &wal, &record(1, 100));
    write(&mut pool, &wal, &record(2, 100));
    close(&mut pool, &wal);
    disk.rot(&wal_file(1), 4096 + 100, 1);
    let opened = open(&mut pool, &disk, config(), 0).map(|_| ());
    assert!(matches!(opened, Err(StorageError::WalCorrupt { position: 4096, .. })), "{opened:?}");
}

#[test]
fn a_hole_that_was_never_acknowledged_is_cut_and_stays_cut() {
    let (mut pool, disk) = (LocalPool::new(), SimDisk::new(1));
    let (wal, _) = start(&mut pool, &disk, config(), 0).unwrap();
    write(&mut pool, &wal, &record(1, 100));
    // Two blocks that know only the first one durable: the state is built by hand, then the first of them is damaged.
    let writes: Vec<_> = (2..=3)
        .map(|number| {
            let mut state = wal.shared.state.borrow_mut();
            state.gather.push(&record(number, 100));
            state.flush_wanted = true;
            state.next_write(&*wal.shared.disk, &wal.shared.config).unwrap()
        })
        .collect();
    for write in writes {
        pool.run_until(write.file.handle.write_at(write.position, write.buffer)).unwrap();
    }
    disk.rot(&wal_file(1), 4096 + 80, 1);
    let (wal, replayed) = start(&mut pool, &disk, config(), 0).unwrap();
    assert_eq!(numbers(&replayed), [1]);
    // The number is given again; the block behind the hole is whole, and must not come back with it.
    assert_eq!(write(&mut pool, &wal, &record(20, 100)), WalSequence(2));
    drop(wal);
    let (_, replayed) = open(&mut pool, &disk, config(), 0).unwrap();
    assert_eq!(replayed, [(WalSequence(1), record(1, 100)), (WalSequence(2), record(20, 100))]);
}

#[test]
fn a_block_that_was_cut_and_reads_well_again_is_not_replayed() {
    let (mut pool, disk) = (LocalPool::new(), SimDisk::new(1));
    ten_pages(&mut pool, &disk);
    disk.rot(&wal_file(1), 9 * 4096 + 100, 1);
    let (wal, _) = start(&mut pool, &disk, config(), 0).unwrap();
    write(&mut pool, &wal, &record(77, 50));
    drop(wal);
    disk.rot(&wal_file(1), 9 * 4096 + 100, 1); // the same bit again: as it was
    let (_, replayed) = open(&mut pool, &disk, config(), 0).unwrap();
    assert_eq!(replayed.last().unwrap(), &(WalSequence(10), record(77, 50)));
    assert_eq!(replayed.len(), 10);
}

#[test]
fn a_missing_file_is_reported() {
    let (mut pool, disk) = (LocalPool::new(), SimDisk::new(1));
    let (wal, _) = start(&mut pool, &disk, config(), 0).unwrap();
    for number in 1..=40 {
        write(&mut pool, &wal, &record(number, 3000));
    }
    drop(wal);
    pool.run_until(disk.disk().remove_file(&wal_file(1))).unwrap();
    let opened = open(&mut pool, &disk, config(), 0).map(|_| ());
    assert!(matches!(opened, Err(StorageError::WalGap { .. })), "{opened:?}");
}

#[test]
fn a_checkpoint_ahead_of_the_log_is_where_it_goes_on() {
    let (mut pool, disk) = (LocalPool::new(), SimDisk::new(1));
    ten_pages(&mut pool, &disk);
    let (wal, replayed) = start(&mut pool, &disk, config(), 15).unwrap();
    assert!(replayed.is_empty());
    assert_eq!(write(&mut pool, &wal, &record(16, 10)), WalSequence(16));
    drop(wal);
    let (_, replayed) = open(&mut pool, &disk, config(), 15).unwrap();
    assert_eq!(replayed, [(WalSequence(16), record(16, 10))]);
}
