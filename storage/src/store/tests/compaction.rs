//! Compaction against a model: whatever was written, and wherever a pass or the power ends, readers of the compacted log
//! see of each key what readers of the whole log see.

use super::*;
use crate::log::{FlushMode, flush};

mod crash;
mod history;
mod script;

use history::History;

/// Everything is due at once.
fn compacted() -> LogConfig {
    LogConfig {
        segment_bytes: 3 << 10,
        compact_enabled: true,
        delete_enabled: false,
        min_cleanable_dirty_ratio: 0.0,
        delete_retention_ms: 60_000,
        file_delete_delay_ms: 1000,
        ..log_config()
    }
}

fn store_config(key_map_bytes: usize) -> StoreConfig {
    let compaction = CompactionBudget { key_map_bytes, write_size_bytes: 1 << 10, ..CompactionBudget::default() };
    StoreConfig { log_config: compacted(), compaction, ..config() }
}

fn simulate(seed: u64) {
    let sim = SimDisk::new(seed);
    let mut random = SimRandom::new(seed ^ 0xc1ea);
    let mut history = History::new(seed);
    // From a handful of keys, which takes many passes, to more than there are.
    let key_map_bytes = [24 * 5, 24 * 9, 24 * 40, 1 << 20][random.below(4) as usize];
    let mut running = Running::try_open(&sim, store_config(key_map_bytes)).unwrap();
    let log = running.create(1);
    log.borrow_mut().set_config(compacted());
    for _ in 0..12 {
        for _ in 0..random.below(40) {
            history.step(&mut running, &log, &mut random);
        }
        history.pass_time(&mut running, random.below(100_000) as i64);
        running.settle();
        history.commit(&log);
        if random.one_in(2) {
            running.run(flush(&log, FlushMode::FullBlocks)).unwrap();
        }
        if random.one_in(2) {
            history.compact(&mut running);
        }
        history.verify(&mut running, &log, &mut random);
    }
    let stats = running.store.compaction_stats();
    assert_eq!(stats.uncleanable_logs, 0);
    running.close();
    // And after a clean stop, from the files.
    let mut running = Running::try_open(&sim, store_config(key_map_bytes)).unwrap();
    let log = running.store.log(GroupId(1)).unwrap();
    history.verify(&mut running, &log, &mut random);
}

#[test]
fn a_compacted_log_says_what_the_whole_one_said() {
    for seed in 0..150 {
        simulate(seed);
    }
}
