//! Crashes at any moment, against a model: what recovery finds is exactly what the records up to some point said, and
//! that point is at or behind everything that was durable.

use std::collections::BTreeMap;

use super::*;

const GROUPS: u64 = 3;

/// Every entry that was ever appended, with its place in the write-ahead log.
#[derive(Default)]
struct Model {
    appended: Vec<(WalSequence, GroupId, LogEntry)>,
    /// The highest index committed: never taken back.
    committed: BTreeMap<GroupId, RaftIndex>,
}

impl Model {
    /// The log of a group when records up to `last` count.
    fn entries(&self, group: GroupId, last: WalSequence) -> Vec<LogEntry> {
        let mut entries: Vec<LogEntry> = Vec::new();
        let mine = self.appended.iter().filter(|(sequence, owner, _)| *owner == group && *sequence <= last);
        for (_, _, entry) in mine {
            entries.truncate(entry.index.previous().0 as usize);
            assert_eq!(entries.len() as u64, entry.index.previous().0);
            entries.push(entry.clone());
        }
        entries
    }
}

fn verify(running: &mut Running, model: &mut Model, durable: WalSequence) {
    let last = running.store.wal().last_appended();
    assert!(last >= durable, "records up to {durable} were durable, {last} is the last one found");
    model.appended.retain(|(sequence, _, _)| *sequence <= last);
    for group in (1..=GROUPS).map(GroupId) {
        let expected = model.entries(group, last);
        let Some(log) = running.store.log(group) else {
            assert!(expected.is_empty(), "group {group} is lost");
            continue;
        };
        assert_eq!(log.borrow().last_index().0, expected.len() as u64, "group {group}");
        let committed = model.committed.get(&group).copied().unwrap_or_default();
        assert!(committed <= log.borrow().last_index(), "entry {committed} of group {group} was committed");
        for entry in &expected {
            assert_eq!(log.borrow().term_at(entry.index), Some(entry.term), "term of entry {}", entry.index);
        }
        for entry in log.borrow().entries_in_memory() {
            assert_eq!(entry, &expected[entry.index.previous().0 as usize]);
        }
        // Its only voter elects itself and commits all it has.
        let last_index = log.borrow().last_index();
        log.borrow_mut().commit(last_index);
        model.committed.insert(group, last_index);
        let bytes: Vec<u8> = expected.iter().flat_map(|entry| entry.data.to_vec()).collect();
        let read = running.run(read_all(&log));
        assert!(read == bytes, "group {group}: {} bytes instead of {}", read.len(), bytes.len());
        assert_producers(&log, &expected);
        let end = last_index.next();
        let mut entries = Vec::new();
        while (entries.len() as u64) < last_index.0 {
            let low = RaftIndex(entries.len() as u64 + 1);
            let more = running.run(crate::log::read_entries(&log, low, end, 5000)).unwrap();
            assert!(!more.is_empty(), "entry {low} of group {group}");
            entries.extend(more);
        }
        assert!(entries == expected, "Raft reads what it wrote");
    }
}

/// The producer's last batches are those of the log.
fn assert_producers(log: &LogRef, entries: &[LogEntry]) {
    let batches = entries.iter().filter(|entry| entry.kind == EntryKind::Batch);
    let mut last: Vec<i64> = batches
        .map(|entry| thalweg_protocol::records::BatchHeader::parse(&entry.data).unwrap().last_offset().0)
        .collect();
    let log = log.borrow();
    let known = log.producers().get(ProducerId(9));
    let known: Vec<i64> = known.into_iter().flat_map(|entry| &entry.batches).map(|batch| batch.last_offset.0).collect();
    let keep_from = last.len().saturating_sub(crate::log::producers::BATCHES_RETAINED);
    assert_eq!(known, last.split_off(keep_from));
}

fn step(running: &mut Running, model: &mut Model, random: &mut SimRandom, term: u64) {
    let group = GroupId(1 + random.below(GROUPS));
    let Some(log) = running.store.log(group) else {
        running.create(group.0);
        return;
    };
    match random.below(16) {
        0..=7 => {
            let len = if random.one_in(10) { 9_000 } else { random.below(600) as usize };
            let entry = batch(&log, term, 1 + random.below(3) as usize, len);
            append(running, model, group, entry);
        }
        8 => append(running, model, group, noop(&log, term)),
        9 => conflict(running, model, random, group, term),
        10..=12 => commit(running, model, random, group),
        13 => running.settle(),
        14 => {
            let read = running.run(read_all(&log));
            assert!(read.len() as u64 <= log.borrow().size_bytes());
        }
        _ => {
            // A checkpoint may be ahead of the write-ahead log, which the model does not know.
            running.settle();
            let store = running.store.clone();
            running.run(store.checkpoint()).unwrap();
        }
    }
}

fn append(running: &mut Running, model: &mut Model, group: GroupId, entry: LogEntry) {
    let sequence = running.store.persist_entry(group, entry.clone());
    running.store.wal().flush();
    model.appended.push((sequence, group, entry));
}

/// Another leader replaces entries that were not committed.
fn conflict(running: &mut Running, model: &mut Model, random: &mut SimRandom, group: GroupId, term: u64) {
    let log = running.store.log(group).unwrap();
    let (commit, last) = (log.borrow().commit_index(), log.borrow().last_index());
    if commit == last {
        return;
    }
    let index = RaftIndex(commit.0 + 1 + random.below(last.0 - commit.0));
    let entries = model.entries(group, WalSequence(u64::MAX));
    let before = &entries[..index.previous().0 as usize];
    let header = |entry: &LogEntry| thalweg_protocol::records::BatchHeader::parse(&entry.data).unwrap();
    let last_batch = before.iter().rev().find(|entry| entry.kind == EntryKind::Batch);
    let base = last_batch.map_or(KafkaOffset::ZERO, |entry| header(entry).next_offset());
    append(running, model, group, batch_at(index, base, term, 1, 50));
}

/// Raft commits only what is durable.
fn commit(running: &mut Running, model: &mut Model, random: &mut SimRandom, group: GroupId) {
    let durable = running.store.wal().durable();
    let log = running.store.log(group).unwrap();
    let reachable = model.entries(group, WalSequence(u64::MAX));
    let is_durable = |entry: &&LogEntry| model.appended.iter().any(|(at, _, other)| *at <= durable && other == *entry);
    let last = reachable.iter().take_while(is_durable).count() as u64;
    let commit = log.borrow().commit_index().0;
    if last <= commit {
        return;
    }
    let index = RaftIndex(commit + 1 + random.below(last - commit));
    log.borrow_mut().commit(index);
    model.committed.insert(group, index);
    if random.one_in(2) {
        let term = Term(1);
        running.store.persist_hard_state(group, HardState { term, vote: 1, commit: index });
    }
}

fn simulate(seed: u64) {
    let sim = SimDisk::new(seed);
    let mut random = SimRandom::new(seed ^ 0x5eed);
    let mut model = Model::default();
    let mut durable = WalSequence::ZERO;
    for round in 0..5 {
        sim.set_faults(SimFaults { write_delay_polls_max: random.below(4), ..SimFaults::default() });
        let mut running = Running::open(&sim);
        verify(&mut running, &mut model, durable);
        for _ in 0..60 {
            step(&mut running, &mut model, &mut random, round + 1);
        }
        let (store, wal) = (running.store.clone(), running.store.wal().clone());
        if random.one_in(2) {
            running.settle();
        }
        match random.below(4) {
            0 => running.close(),
            1 if store.wal().durable() == store.wal().last_appended() => {
                running.begin(random.below(60), async move { store.checkpoint().await.unwrap_or_default() })
            }
            2 => running.begin(random.below(60), async move { store.close().await.unwrap_or_default() }),
            _ => {}
        }
        durable = wal.durable();
        sim.power_cut();
    }
}

#[test]
fn recovery_finds_what_was_durable() {
    for seed in 0..60 {
        simulate(seed);
    }
}
