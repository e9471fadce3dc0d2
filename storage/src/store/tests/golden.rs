//! The checkpoint's bytes are frozen: a store of an older build must open.

use super::*;

/// A small store's checkpoint: two groups, one with a fragment, a Raft-only entry and an entry behind the segments.
fn checkpoint() -> Vec<u8> {
    let sim = SimDisk::new(1);
    let mut running = Running::open(&sim);
    running.store.inner.shared.set_now(NOW);
    let log = running.create(1);
    running.create(2);
    for entry in [0, 1] {
        let entry = if entry == 0 { noop(&log, 1) } else { batch(&log, 1, 2, 5) };
        running.store.persist_entry(GroupId(1), entry);
    }
    running.store.persist_hard_state(GroupId(1), HardState { term: Term(1), vote: 1, commit: RaftIndex(2) });
    log.borrow_mut().commit(RaftIndex(2));
    let entry = batch(&log, 1, 1, 3);
    running.store.persist_entry(GroupId(1), entry);
    running.settle();
    let store = running.store.clone();
    running.run(store.checkpoint()).unwrap();
    sim.content(Path::new("/data/thalweg/core-0/checkpoint")).unwrap()
}

const GOLDEN: &str = include_str!("golden_checkpoint.hex");

fn golden() -> Vec<u8> {
    let digits: Vec<u8> = GOLDEN.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

#[test]
fn the_format_is_what_it_was() {
    let hex: Vec<String> = checkpoint().chunks(32).map(hex_line).collect();
    assert_eq!(hex.join("\n"), GOLDEN.trim());
}

fn hex_line(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Opens a store whose checkpoint has these bytes.
fn open(bytes: Vec<u8>) -> Result<Running, StorageError> {
    let sim = SimDisk::new(1);
    let disk = sim.disk();
    futures::executor::block_on(async {
        disk.create_dir_all(Path::new("/data/thalweg/core-0")).await.unwrap();
        disk.replace_file(Path::new("/data/thalweg/core-0/checkpoint"), Bytes::from(bytes)).await.unwrap();
    });
    Running::try_open(&sim, config())
}

#[test]
fn the_golden_checkpoint_opens() {
    let running = open(golden()).unwrap();
    let groups: Vec<_> = running.recovered.iter().map(|found| found.group.0).collect();
    assert_eq!(groups, [1, 2]);
    assert_eq!(running.recovered[0].descriptor, descriptor(1));
    assert_eq!(running.recovered[0].hard_state.commit, RaftIndex(2));
    let log = &running.recovered[0].log;
    assert_eq!(log.borrow().last_index(), RaftIndex(3));
    assert_eq!(log.borrow().high_watermark(), KafkaOffset(2));
    assert_eq!(log.borrow().next_offset(), KafkaOffset(3));
}

#[test]
fn every_flipped_bit_and_every_cut_is_noticed() {
    let whole = golden();
    for at in 0..whole.len() {
        let mut rotten = whole.clone();
        rotten[at] ^= 0x10;
        assert!(matches!(open(rotten), Err(StorageError::FileDamaged { .. })), "byte {at}");
        assert!(matches!(open(whole[..at].to_vec()), Err(StorageError::FileDamaged { .. })), "cut at {at}");
    }
}
