//! The checkpoint's bytes are frozen: a store of an older build must open.

use thalweg_protocol::records::{Marker, control, stamp};

use super::*;

/// A batch of a transaction of this producer, or its end, at the log's end.
fn of_transaction(log: &LogRef, producer: i64, end: Option<Marker>) -> LogEntry {
    let (index, base) = (log.borrow().last_index().next(), log.borrow().next_offset());
    let (id, epoch) = (ProducerId(producer), ProducerEpoch(2));
    let data = match end {
        Some(marker) => control::marker_batch(marker, 4, id, epoch, NOW).unwrap(),
        None => {
            let mut builder = BatchBuilder::new().with_producer(id, epoch, 0).transactional();
            builder.push(NOW, None, Some(b"v"), &[]).unwrap();
            builder.build().unwrap().freeze()
        }
    };
    let mut data = bytes::BytesMut::from(data.as_ref());
    stamp(&mut data, base, LeaderEpoch(0));
    LogEntry { index, term: Term(1), kind: EntryKind::Batch, data: data.freeze() }
}

/// A small store's checkpoint: two groups, one with a fragment, a Raft-only entry and an entry behind the segments, the
/// other with an aborted transaction and one that is open.
fn checkpoint() -> Vec<u8> {
    let sim = SimDisk::new(1);
    let mut running = Running::open(&sim);
    running.store.inner.shared.set_now(NOW);
    let log = running.create(1);
    let other = running.create(2);
    for (producer, end) in [(7, None), (8, None), (7, Some(Marker::Abort))] {
        let entry = of_transaction(&other, producer, end);
        running.store.persist_entry(GroupId(2), entry);
    }
    other.borrow_mut().commit(RaftIndex(3));
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
/// Of before there were transactions, with nothing in the second group.
const GOLDEN_V1: &str = include_str!("golden_checkpoint_v1.hex");

fn golden() -> Vec<u8> {
    bytes_of(GOLDEN)
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
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
    let mut running = open(golden()).unwrap();
    the_first_group_is_as_it_was(&running);
    let log = LogRef::clone(&running.recovered[1].log);
    assert_eq!(log.borrow().high_watermark(), KafkaOffset(3));
    assert_eq!(log.borrow().last_stable_offset(), KafkaOffset(1), "the transaction of producer 8 is open");
    let found = running.run(crate::log::aborted_transactions(&log, KafkaOffset(0), KafkaOffset(1))).unwrap();
    let aborted: Vec<_> = found.iter().map(|one| (one.producer.0, one.first_offset.0, one.last_offset.0)).collect();
    assert_eq!(aborted, [(7, 0, 2)]);
}

#[test]
fn a_checkpoint_of_before_transactions_opens() {
    let running = open(bytes_of(GOLDEN_V1)).unwrap();
    the_first_group_is_as_it_was(&running);
    let log = &running.recovered[0].log;
    assert_eq!(log.borrow().last_stable_offset(), KafkaOffset(2));
}

fn the_first_group_is_as_it_was(running: &Running) {
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
