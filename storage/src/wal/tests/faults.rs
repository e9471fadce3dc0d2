//! Power cuts, delays and failing writes, by the hundred, each from its seed.

use super::*;
use crate::io::sim::SimRandom;

const SEEDS: u64 = 300;

/// What the log promised, over its lives.
#[derive(Default)]
struct Promises {
    /// Everything appended in the present life and what came back from earlier ones, by sequence from 1.
    records: Vec<WalRecord>,
    acknowledged: usize,
}

#[test]
fn every_acknowledged_record_comes_back_and_nothing_else() {
    for seed in 0..SEEDS {
        let (disk, mut random) = (SimDisk::new(seed), SimRandom::new(seed ^ 0xABCD));
        let mut promises = Promises::default();
        let mut trimmed = 0;
        for life in 0..5 {
            live(seed, life, &disk, &mut random, &mut promises, &mut trimmed);
            disk.power_cut();
        }
    }
}

/// Opens the log, checks what comes back, writes for a while, and leaves with writes in flight.
fn live(seed: u64, life: u64, disk: &SimDisk, random: &mut SimRandom, promises: &mut Promises, trimmed: &mut u64) {
    let mut pool = LocalPool::new();
    disk.set_faults(SimFaults::default());
    let (wal, replayed) =
        start(&mut pool, disk, config(), *trimmed).unwrap_or_else(|error| panic!("seed {seed}, life {life}: {error}"));
    check(seed, life, promises, &replayed, *trimmed);
    let writes_until_error = random.one_in(4).then(|| random.below(40));
    let write_delay_polls_max = random.below(12);
    disk.set_faults(SimFaults { write_delay_polls_max, writes_until_error, ..SimFaults::default() });
    let mut number = seed * 1000 + life * 100;
    pool.run_until(async {
        for _ in 0..random.below(60) {
            for _ in 0..random.below(4) {
                number += 1;
                let len = if random.one_in(20) { random.below(40_000) } else { random.below(600) };
                let written = record(number, len as usize);
                assert_eq!(wal.append(&written).0, promises.records.len() as u64 + 1);
                promises.records.push(written);
            }
            wal.flush();
            crate::io::sim::polls(random.below(6)).await;
            promises.acknowledged = promises.acknowledged.max(wal.durable().0 as usize);
            if random.one_in(10) {
                *trimmed = wal.durable().0;
                wal.trim(WalSequence(*trimmed));
            }
        }
    });
}

fn check(seed: u64, life: u64, promises: &mut Promises, replayed: &Replayed, trimmed: u64) {
    let found = trimmed as usize + replayed.len();
    assert!(found >= promises.acknowledged, "seed {seed}, life {life}: {found} of {} came back", promises.acknowledged);
    for (index, (sequence, record)) in replayed.iter().enumerate() {
        let number = trimmed as usize + index + 1;
        assert_eq!(sequence.0 as usize, number, "seed {seed}, life {life}: order");
        assert_eq!(record, &promises.records[number - 1], "seed {seed}, life {life}: record {number}");
    }
    // What came back is promised from here on; what did not was never acknowledged, and its numbers are given again.
    promises.records.truncate(found);
    promises.acknowledged = found;
}

#[test]
fn rot_is_reported_or_harmless_but_never_replayed() {
    let mut reported = 0;
    for seed in 0..SEEDS {
        let (mut pool, disk, mut random) = (LocalPool::new(), SimDisk::new(seed), SimRandom::new(seed));
        let (wal, _) = start(&mut pool, &disk, config(), 0).unwrap();
        let count = 5 + random.below(40);
        for number in 1..=count {
            write(&mut pool, &wal, &record(number, random.below(5000) as usize));
        }
        let in_last_write = wal.shared.state.borrow().durable.0;
        drop(wal);
        let file = wal_file(1 + random.below(3));
        let position = random.below(64 << 10);
        let rotten = disk.rot(&file, position, 1 << random.below(8));
        match open(&mut pool, &disk, config(), 0) {
            Ok((_, replayed)) => {
                let expected = (1..).zip(&replayed).all(|(number, (sequence, found))| {
                    sequence.0 == number && matches!(found, WalRecord::Entry { entry, .. } if entry.index.0 == number)
                });
                assert!(expected, "seed {seed}");
                // Only the very last write may be missing: nothing later says that it was durable.
                assert!(replayed.len() as u64 + 1 >= in_last_write, "seed {seed}: {} of {count}", replayed.len());
            }
            Err(StorageError::WalCorrupt { file: reported_file, .. }) => {
                assert!(rotten && reported_file.starts_with("/wal"), "seed {seed}");
                reported += 1;
            }
            Err(StorageError::WalGap { .. }) => reported += 1,
            Err(other) => panic!("seed {seed}: {other}"),
        }
    }
    assert!(reported > SEEDS / 10, "only {reported} reports: the test does not reach what it is about");
}
