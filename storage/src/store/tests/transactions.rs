//! Transactions against a model: whatever is written, taken back, flushed, deleted or lost, the last stable offset and what
//! a `read_committed` consumer sees are those of the batches themselves.

use std::collections::{BTreeMap, HashMap};

use thalweg_protocol::records::{Marker, control, stamp};

use super::moving::{move_to, two_dirs};
use super::reader::committed_records;
use super::*;
use crate::log::{AbortedTransaction, FlushMode, aborted_transactions, flush};

const GROUP: GroupId = GroupId(1);
/// Producers from 3 on write transactions.
const PRODUCERS: u64 = 6;
const FIRST_TRANSACTIONAL: i64 = 3;

/// What an entry is, by its Raft index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Written {
    Noop,
    Records { base: i64, count: i64, producer: i64 },
    End { base: i64, producer: i64, marker: Marker },
}

impl Written {
    fn next(self) -> Option<i64> {
        match self {
            Self::Noop => None,
            Self::Records { base, count, .. } => Some(base + count),
            Self::End { base, .. } => Some(base + 1),
        }
    }
}

#[derive(Default)]
struct Model {
    entries: Vec<Written>,
    epochs: HashMap<i64, i16>,
    log_start: i64,
}

/// What the committed part of the log says.
struct Expected {
    high_watermark: i64,
    last_stable: i64,
    aborted: Vec<AbortedTransaction>,
    /// Offsets of records that were not aborted.
    committed: Vec<i64>,
}

impl Model {
    /// Producers with a transaction open at the log's end.
    fn open(&self) -> BTreeMap<i64, i64> {
        let mut open = BTreeMap::new();
        for written in &self.entries {
            match *written {
                Written::Records { base, producer, .. } if producer >= FIRST_TRANSACTIONAL => {
                    open.entry(producer).or_insert(base);
                }
                Written::End { producer, .. } => drop(open.remove(&producer)),
                _ => {}
            }
        }
        open
    }

    /// By brute force, from the first entry to the last committed one.
    fn expect(&self, commit: RaftIndex) -> Expected {
        let committed_entries = &self.entries[..commit.0 as usize];
        let mut open: BTreeMap<i64, i64> = BTreeMap::new();
        let mut records: BTreeMap<i64, (i64, bool)> = BTreeMap::new();
        let (mut aborted, mut high_watermark) = (Vec::new(), 0);
        for written in committed_entries {
            high_watermark = written.next().unwrap_or(high_watermark);
            match *written {
                Written::Noop => {}
                Written::Records { base, count, producer } => {
                    if producer >= FIRST_TRANSACTIONAL {
                        open.entry(producer).or_insert(base);
                    }
                    records.extend((base..base + count).map(|offset| (offset, (producer, true))));
                }
                Written::End { base, producer, marker } => {
                    let Some(first) = open.remove(&producer).filter(|_| marker == Marker::Abort) else { continue };
                    let stable = open.values().min().copied().unwrap_or(base + 1);
                    aborted.push(AbortedTransaction {
                        producer: ProducerId(producer),
                        first_offset: KafkaOffset(first),
                        last_offset: KafkaOffset(base),
                        last_stable_offset: KafkaOffset(stable),
                    });
                    for (_, record) in records.range_mut(first..base).filter(|(_, (owner, _))| *owner == producer) {
                        record.1 = false;
                    }
                }
            }
        }
        let first_open = open.values().min().copied().unwrap_or(high_watermark);
        let last_stable = first_open.max(self.log_start);
        let committed = records.range(..last_stable).filter(|(_, (_, stays))| *stays).map(|(offset, _)| *offset);
        Expected { high_watermark, last_stable, aborted, committed: committed.collect() }
    }
}

struct Bench {
    running: Running,
    log: LogRef,
    model: Model,
    term: u64,
}

impl Bench {
    fn open(sim: &SimDisk, model: Model, term: u64) -> Self {
        let mut running = Running::open(sim);
        let log = match running.store.log(GROUP) {
            Some(log) => log,
            None => running.create(GROUP.0),
        };
        log.borrow_mut().set_config(LogConfig { segment_bytes: 2 << 10, ..log_config() });
        Self { running, log, model, term }
    }

    fn append(&mut self, written: Written, data: Bytes, kind: EntryKind) {
        let index = RaftIndex(self.model.entries.len() as u64 + 1);
        self.running.store.persist_entry(GROUP, LogEntry { index, term: Term(self.term), kind, data });
        self.running.store.wal().flush();
        self.model.entries.push(written);
    }

    fn noop(&mut self) {
        self.append(Written::Noop, Bytes::new(), EntryKind::Noop);
    }

    fn next_offset(&self) -> i64 {
        self.model.entries.iter().rev().find_map(|written| written.next()).unwrap_or(0)
    }

    fn write(&mut self, random: &mut SimRandom, producer: i64) {
        let base = KafkaOffset(self.next_offset());
        let mut builder = BatchBuilder::new().with_base_offset(base).with_leader_epoch(Term(self.term).leader_epoch());
        if producer > 0 {
            let epoch = ProducerEpoch(self.model.epochs.get(&producer).copied().unwrap_or(0));
            builder = builder.with_producer(ProducerId(producer), epoch, 0);
        }
        if producer >= FIRST_TRANSACTIONAL {
            builder = builder.transactional();
        }
        let count = 1 + random.below(3) as i64;
        for _ in 0..count {
            let value = vec![7_u8; random.below(80) as usize];
            builder.push(NOW, Some(b"key"), Some(&value), &[]).unwrap();
        }
        let data = builder.build().unwrap().freeze();
        self.append(Written::Records { base: base.0, count, producer }, data, EntryKind::Batch);
    }

    /// Now and then with a new epoch, as transactions V2 has it, and also where nothing is open.
    fn end(&mut self, random: &mut SimRandom, producer: i64) {
        let marker = if random.one_in(2) { Marker::Abort } else { Marker::Commit };
        let base = KafkaOffset(self.next_offset());
        let epoch = self.model.epochs.entry(producer).or_default();
        *epoch += i16::from(random.one_in(2));
        let batch = control::marker_batch(marker, 3, ProducerId(producer), ProducerEpoch(*epoch), NOW).unwrap();
        let mut batch = bytes::BytesMut::from(batch);
        stamp(&mut batch, base, Term(self.term).leader_epoch());
        self.append(Written::End { base: base.0, producer, marker }, batch.freeze(), EntryKind::Batch);
    }

    /// Another leader replaces what is not committed.
    fn conflict(&mut self, random: &mut SimRandom) {
        let (commit, last) = (self.log.borrow().commit_index().0, self.model.entries.len() as u64);
        if commit < last {
            self.model.entries.truncate((commit + random.below(last - commit)) as usize);
            self.term += 1;
            self.noop();
            // What a crash takes is the end of what was appended: the model knows no other.
            self.running.settle();
        }
    }

    fn commit(&mut self, random: &mut SimRandom) {
        self.running.settle();
        let (commit, last) = (self.log.borrow().commit_index().0, self.model.entries.len() as u64);
        if commit < last {
            self.log.borrow_mut().commit(RaftIndex(commit + 1 + random.below(last - commit)));
        }
    }

    fn step(&mut self, random: &mut SimRandom) {
        let producer = random.below(PRODUCERS) as i64;
        match random.below(24) {
            0 => self.noop(),
            1 => self.conflict(random),
            2..=6 => self.commit(random),
            7 => self.running.run(flush(&self.log, FlushMode::FullBlocks)).unwrap(),
            8 => {
                self.running.settle();
                let store = self.running.store.clone();
                self.running.run(store.checkpoint()).unwrap();
            }
            9 => self.log.borrow_mut().expire_producers(TimestampMs(NOW.0 + 1_000_000), 1),
            10 => drop(self.log.borrow_mut().evict(usize::MAX)),
            11..=13 if producer >= FIRST_TRANSACTIONAL => self.end(random, producer),
            _ => self.write(random, producer),
        }
    }

    /// Nothing before some committed offset is kept.
    fn delete_records(&mut self, random: &mut SimRandom) {
        let high_watermark = self.log.borrow().high_watermark();
        let to = KafkaOffset(random.below(high_watermark.0 as u64 + 1) as i64);
        if self.running.store.persist_log_start(GROUP, to).unwrap().is_some() {
            self.model.log_start = to.0;
        }
        self.running.settle();
        let (store, log) = (self.running.store.clone(), LogRef::clone(&self.log));
        self.running.run(store.check_retention_of(&log, NOW)).unwrap();
        self.model.log_start = self.log.borrow().log_start_offset().0;
    }

    fn verify(&mut self, random: &mut SimRandom) {
        let expected = self.model.expect(self.log.borrow().commit_index());
        assert_eq!(self.log.borrow().high_watermark().0, expected.high_watermark);
        assert_eq!(self.log.borrow().last_stable_offset().0, expected.last_stable);
        let known = self.log.borrow().producers().open_transactions();
        let open: Vec<_> =
            self.model.open().into_iter().map(|(id, first)| (ProducerId(id), KafkaOffset(first))).collect();
        assert_eq!(known, open, "what a leader knows at the log's end");
        for _ in 0..4 {
            self.verify_reader(random, &expected);
        }
    }

    /// A consumer that begins anywhere and reads on, in pieces of any size.
    fn verify_reader(&mut self, random: &mut SimRandom, expected: &Expected) {
        let span = (expected.last_stable - self.model.log_start) as u64;
        let mut from = KafkaOffset(self.model.log_start + random.below(span + 1) as i64);
        let (begin, end) = (from, KafkaOffset(expected.last_stable));
        let size_max_bytes = 1 + random.below(3000) as usize;
        let mut seen = Vec::new();
        while from < end {
            let read = self.running.run(crate::log::read(&self.log, from, end, size_max_bytes)).unwrap();
            let bytes = read.batches.concat();
            let headers = thalweg_protocol::records::batches(&bytes).map(|view| view.unwrap().header);
            let behind = headers.last().unwrap_or_else(|| panic!("nothing at {from}, before {end}")).next_offset();
            let found = self.running.run(aborted_transactions(&self.log, from, behind)).unwrap();
            let overlaps = |aborted: &&AbortedTransaction| aborted.last_offset >= from && aborted.first_offset < behind;
            let wanted: Vec<_> = expected.aborted.iter().filter(overlaps).copied().collect();
            assert_eq!(found, wanted, "aborted between {from} and {behind}");
            seen.extend(committed_records(&bytes, from, &found));
            from = behind;
        }
        let wanted = expected.committed.iter().filter(|offset| **offset >= begin.0);
        assert_eq!(seen, wanted.map(|offset| KafkaOffset(*offset)).collect::<Vec<_>>(), "from {begin}");
    }

    /// What is not on the device is gone with the power, and so is it from the model.
    fn crash(self, sim: &SimDisk, random: &mut SimRandom) -> Self {
        let Self { running, mut model, term, .. } = self;
        let store = running.store.clone();
        match random.below(3) {
            0 => running.close(),
            1 => {
                let mut running = running;
                running.begin(random.below(80), async move { store.checkpoint().await.unwrap_or_default() });
            }
            _ => drop(running),
        }
        sim.power_cut();
        let recovered = Self::open(sim, Model::default(), term + 1);
        let last = recovered.log.borrow().last_index().0 as usize;
        assert!(last <= model.entries.len(), "entries came from nowhere");
        model.entries.truncate(last);
        recovered.log.borrow_mut().commit(RaftIndex(last as u64));
        model.log_start = recovered.log.borrow().log_start_offset().0;
        Self { model, ..recovered }
    }
}

fn simulate(seed: u64, rounds: u64, mut after_round: impl FnMut(&mut Bench, &mut SimRandom)) {
    let sim = SimDisk::new(seed);
    let mut random = SimRandom::new(seed ^ 0x7a25);
    let mut bench = Bench::open(&sim, Model::default(), 1);
    for _ in 0..rounds {
        for _ in 0..30 + random.below(60) {
            bench.step(&mut random);
        }
        bench.verify(&mut random);
        after_round(&mut bench, &mut random);
        bench.verify(&mut random);
        if random.one_in(2) {
            bench = bench.crash(&sim, &mut random);
            bench.verify(&mut random);
        }
    }
}

#[test]
fn readers_of_committed_records_see_what_was_committed() {
    for seed in 0..60 {
        simulate(seed, 6, |_, _| {});
    }
}

#[test]
fn also_where_the_beginning_of_the_log_is_deleted() {
    for seed in 100..130 {
        simulate(seed, 6, Bench::delete_records);
    }
}

/// Indexes that are lost, cut or rotten are built again from the segments.
#[test]
fn a_damaged_index_is_built_again() {
    let mut damaged = 0;
    for seed in 200..220 {
        let sim = SimDisk::new(seed);
        let mut random = SimRandom::new(seed);
        let mut bench = Bench::open(&sim, Model::default(), 1);
        for _ in 0..300 {
            bench.step(&mut random);
        }
        bench.commit(&mut random);
        bench.running.run(flush(&bench.log, FlushMode::FullBlocks)).unwrap();
        let disk = sim.disk();
        let dir = Path::new("/data/t-1");
        let names = bench.running.run(disk.read_dir(dir)).unwrap();
        for name in names.into_iter().filter(|name| name.extension().is_some_and(|suffix| suffix == "txnindex")) {
            let path = dir.join(name);
            let content = sim.content(&path).unwrap();
            bench.running.run(async {
                match random.below(3) {
                    0 => disk.remove_file(&path).await.unwrap(),
                    1 => disk.replace_file(&path, Bytes::from(content[..content.len() / 2].to_vec())).await.unwrap(),
                    _ => assert!(sim.rot(&path, 1, 1), "another version"),
                }
            });
            damaged += 1;
        }
        // As if nobody had looked yet.
        bench.log.borrow().shared.indexes.forget(GROUP, |_| true);
        bench.log.borrow().shared.files.close_matching(|_| true);
        bench.verify(&mut random);
    }
    assert!(damaged > 20, "only {damaged} indexes were there to damage");
}

/// Kafka's tools read the files: after a clean stop they hold every abort, in Kafka's form.
#[test]
fn the_files_hold_every_abort_after_a_clean_stop() {
    let sim = SimDisk::new(5);
    let mut random = SimRandom::new(5);
    let mut bench = Bench::open(&sim, Model::default(), 1);
    for _ in 0..1200 {
        bench.step(&mut random);
    }
    bench.running.settle();
    let last = bench.log.borrow().last_index();
    bench.log.borrow_mut().commit(last);
    let expected = bench.model.expect(last);
    let bases: Vec<_> = bench.log.borrow().segments.iter().map(|segment| segment.base_offset).collect();
    bench.running.close();
    let mut bytes = Vec::new();
    for base in bases {
        let path = crate::log::file_path(Path::new("/data/t-1"), base, crate::log::FileKind::TransactionIndex);
        bytes.extend(sim.content(&path).unwrap_or_default());
    }
    let wanted: Vec<u8> = expected.aborted.iter().flat_map(AbortedTransaction::encode).collect();
    assert!(wanted.len() > 10 * 34);
    assert!(bytes == wanted, "{} bytes instead of {}", bytes.len(), wanted.len());
}

#[test]
fn aborts_move_with_their_log() {
    let sim = SimDisk::new(6);
    let mut random = SimRandom::new(6);
    let mut bench = Bench::open(&sim, Model::default(), 1);
    for _ in 0..900 {
        bench.step(&mut random);
    }
    bench.running.settle();
    let last = bench.log.borrow().last_index();
    bench.log.borrow_mut().commit(last);
    let expected = bench.model.expect(last);
    bench.running.close();
    let mut running = Running::try_open(&sim, two_dirs()).unwrap();
    assert!(move_to(&mut running, "/more"));
    let log = running.store.log(GROUP).unwrap();
    log.borrow_mut().commit(last);
    let bases: Vec<_> = log.borrow().segments.iter().map(|segment| segment.base_offset).collect();
    let index = |base| crate::log::file_path(Path::new("/more/t-1"), base, crate::log::FileKind::TransactionIndex);
    assert!(bases.into_iter().any(|base| sim.content(&index(base)).is_some_and(|bytes| !bytes.is_empty())));
    let up_to = KafkaOffset(expected.last_stable);
    let found = running.run(aborted_transactions(&log, KafkaOffset(0), up_to)).unwrap();
    let wanted: Vec<_> = expected.aborted.into_iter().filter(|aborted| aborted.first_offset < up_to).collect();
    assert!(wanted.len() > 10 && found == wanted, "{found:?} instead of {wanted:?}");
    running.close();
}
