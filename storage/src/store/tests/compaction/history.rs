//! What was written, and what must be left of it.

use std::collections::{BTreeMap, HashMap};

use thalweg_protocol::records::{BatchHeader, BatchView, Compression, ControlRecord, Marker, Record, batches, control};

use super::super::reader::committed_records;
use super::*;

/// A record as it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Written {
    key: Option<Bytes>,
    value: Option<Bytes>,
    timestamp: TimestampMs,
    producer: i64,
    epoch: LeaderEpoch,
    transactional: bool,
}

#[derive(Default)]
struct Producer {
    sequence: i32,
    /// Last offset of its last batch with records.
    last_offset: Option<i64>,
    open_from: Option<i64>,
}

pub(super) struct History {
    pub(super) now: TimestampMs,
    term: u64,
    records: BTreeMap<i64, Written>,
    producers: HashMap<i64, Producer>,
    /// Producer, first offset, offset of the marker.
    aborted: Vec<(i64, i64, i64)>,
    /// Times of passes, and what was the log's end then.
    passes: Vec<(TimestampMs, i64)>,
}

/// Of them the last two write transactions; 0 is no producer.
const PRODUCERS: u64 = 5;
const KEYS: u64 = 14;

impl History {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            now: TimestampMs(NOW.0 + seed as i64),
            term: 1,
            records: BTreeMap::new(),
            producers: HashMap::new(),
            aborted: Vec::new(),
            passes: Vec::new(),
        }
    }

    pub(super) fn pass_time(&mut self, running: &mut Running, by_ms: i64) {
        self.now = TimestampMs(self.now.0 + by_ms);
        running.store.inner.shared.set_now(self.now);
    }

    pub(super) fn step(&mut self, running: &mut Running, log: &LogRef, random: &mut SimRandom) {
        let producer = random.below(PRODUCERS) as i64;
        match random.below(12) {
            0 => {
                self.term += u64::from(random.one_in(2));
                running.store.persist_entry(GroupId(1), noop(log, self.term));
            }
            1..=3 if self.producers.get(&producer).is_some_and(|known| known.open_from.is_some()) => {
                let marker = if random.one_in(2) { Marker::Abort } else { Marker::Commit };
                self.end(running, log, producer, marker);
            }
            _ => self.write(running, log, random, producer),
        }
    }

    fn write(&mut self, running: &mut Running, log: &LogRef, random: &mut SimRandom, producer: i64) {
        let base = log.borrow().next_offset();
        let (epoch, transactional) = (Term(self.term).leader_epoch(), producer >= 3);
        let codec = Compression::ALL[random.below(5) as usize];
        let mut builder = BatchBuilder::new().with_base_offset(base).with_leader_epoch(epoch).with_compression(codec);
        let count = 1 + random.below(4) as i64;
        if producer > 0 {
            let known = self.producers.entry(producer).or_default();
            builder = builder.with_producer(ProducerId(producer), ProducerEpoch(0), known.sequence);
            known.sequence += count as i32;
            known.last_offset = Some(base.0 + count - 1);
            if transactional {
                builder = builder.transactional();
                known.open_from.get_or_insert(base.0);
            }
        }
        for at in 0..count {
            let key = (!random.one_in(40)).then(|| Bytes::from(format!("key-{}", random.below(KEYS))));
            let value = (!random.one_in(4)).then(|| Bytes::from(vec![at as u8; random.below(150) as usize]));
            let timestamp = TimestampMs(self.now.0 - random.below(50) as i64);
            builder.push(timestamp, key.as_deref(), value.as_deref(), &[(b"h", None)]).unwrap();
            let written = Written { key, value, timestamp, producer, epoch, transactional };
            self.records.insert(base.0 + at, written);
        }
        self.append(running, log, builder.build().unwrap().freeze());
    }

    fn end(&mut self, running: &mut Running, log: &LogRef, producer: i64, marker: Marker) {
        let base = log.borrow().next_offset();
        let mut batch = bytes::BytesMut::from(
            control::marker_batch(marker, 0, ProducerId(producer), ProducerEpoch(0), self.now).unwrap().as_ref(),
        );
        thalweg_protocol::records::stamp(&mut batch, base, Term(self.term).leader_epoch());
        let first = self.producers.get_mut(&producer).and_then(|known| known.open_from.take()).unwrap();
        if marker == Marker::Abort {
            self.aborted.push((producer, first, base.0));
        }
        self.append(running, log, batch.freeze());
    }

    fn append(&mut self, running: &mut Running, log: &LogRef, data: Bytes) {
        let index = log.borrow().last_index().next();
        let entry = LogEntry { index, term: Term(self.term), kind: EntryKind::Batch, data };
        running.store.persist_entry(GroupId(1), entry);
    }

    pub(super) fn commit(&self, log: &LogRef) {
        let last = log.borrow().last_index();
        log.borrow_mut().commit(last);
    }

    pub(super) fn compact(&mut self, running: &mut Running) {
        self.note_pass(running);
        let (store, now) = (running.store.clone(), self.now);
        running.run(store.compact(now)).unwrap();
    }

    pub(super) fn note_pass(&mut self, running: &Running) {
        let end = running.store.log(GroupId(1)).unwrap().borrow().high_watermark().0;
        self.passes.push((self.now, end));
    }

    fn is_aborted(&self, offset: i64, written: &Written) -> bool {
        let of_producer = self.aborted.iter().filter(|(producer, _, _)| *producer == written.producer);
        written.transactional && of_producer.into_iter().any(|(_, first, marker)| (*first..*marker).contains(&offset))
    }

    fn last_stable_offset(&self, log: &LogRef) -> i64 {
        let open = self.producers.values().filter_map(|known| known.open_from).min();
        open.unwrap_or_else(|| log.borrow().high_watermark().0)
    }

    /// The newest committed record of each key.
    fn newest(&self, last_stable: i64) -> BTreeMap<Bytes, (i64, Option<Bytes>)> {
        let committed =
            self.records.range(..last_stable).filter(|(offset, written)| !self.is_aborted(**offset, written));
        committed
            .filter_map(|(offset, written)| Some((written.key.clone()?, (*offset, written.value.clone()))))
            .collect()
    }

    /// Whether a tombstone may be gone: a pass saw it, and one after its time came.
    fn may_be_gone(&self, offset: i64) -> bool {
        let first = self.passes.iter().find(|(_, end)| offset < *end);
        let Some((first, _)) = first else { return false };
        self.passes.iter().any(|(at, _)| at.0 >= first.0 + compacted().delete_retention_ms)
    }

    pub(super) fn verify(&self, running: &mut Running, log: &LogRef, random: &mut SimRandom) {
        let bytes = running.run(read_all(log));
        let last_stable = self.last_stable_offset(log);
        let found = self.parse(&bytes, last_stable);
        self.verify_newest(&found, last_stable);
        self.verify_index(running, log, random, &found, last_stable);
        self.verify_producers(&bytes);
        for _ in 0..5 {
            self.verify_lookups(running, log, random, &bytes);
        }
    }

    /// A consumer that is told of aborted transactions sees the same, from wherever it begins.
    fn verify_index(
        &self,
        running: &mut Running,
        log: &LogRef,
        random: &mut SimRandom,
        found: &BTreeMap<i64, Record>,
        last_stable: i64,
    ) {
        let end = KafkaOffset(last_stable);
        assert_eq!(log.borrow().last_stable_offset(), end);
        let begin = KafkaOffset(random.below(last_stable.unsigned_abs() + 1) as i64);
        let (mut from, mut seen) = (begin, Vec::new());
        while from < end {
            let bytes = running.run(crate::log::read(log, from, end, 5000)).unwrap().batches.concat();
            let Some(last) = batches(&bytes).last() else { break };
            let behind = last.unwrap().header.next_offset();
            let aborted = running.run(crate::log::aborted_transactions(log, from, behind)).unwrap();
            seen.extend(committed_records(&bytes, from, &aborted));
            from = behind;
        }
        let wanted = found.keys().copied().filter(|offset| *offset >= begin.0).map(KafkaOffset);
        assert_eq!(seen, wanted.collect::<Vec<_>>(), "from {begin} to {end}");
    }

    /// What a `read_committed` consumer sees, each record compared with what was written at its offset.
    fn parse(&self, bytes: &[u8], last_stable: i64) -> BTreeMap<i64, Record> {
        let (mut seen, mut open, mut next) = (BTreeMap::new(), HashMap::<i64, Vec<Record>>::new(), 0);
        for view in batches(bytes) {
            let view = view.unwrap();
            let header = view.header;
            assert!(header.base_offset.0 >= next, "offsets rise");
            next = header.next_offset().0;
            if header.attributes.is_control() {
                self.end_transaction(&view, &mut open, &mut seen);
                continue;
            }
            for record in view.records(1 << 20).unwrap() {
                let record = record.unwrap();
                self.compare(&header, &record);
                if record.offset.0 >= last_stable {
                    continue;
                }
                if header.attributes.is_transactional() {
                    open.entry(header.producer_id.0).or_default().push(record);
                } else {
                    seen.insert(record.offset.0, record);
                }
            }
        }
        let undecided: Vec<_> = open.values().flatten().map(|record| record.offset).collect();
        assert!(undecided.is_empty(), "the markers of {undecided:?} are gone, the last stable offset is {last_stable}");
        seen
    }

    fn end_transaction(
        &self,
        view: &BatchView<'_>,
        open: &mut HashMap<i64, Vec<Record>>,
        seen: &mut BTreeMap<i64, Record>,
    ) {
        let Some(record) = view.records(1 << 20).unwrap().next() else { return };
        let ended = open.remove(&view.header.producer_id.0).unwrap_or_default();
        match ControlRecord::parse(&record.unwrap()).unwrap() {
            ControlRecord::TransactionEnd { marker: Marker::Commit, .. } => {
                seen.extend(ended.into_iter().map(|record| (record.offset.0, record)));
            }
            ControlRecord::TransactionEnd { .. } => {
                let is_aborted = |record: &Record| self.is_aborted(record.offset.0, &self.records[&record.offset.0]);
                assert!(ended.iter().all(is_aborted), "a committed record is before a marker of an abort");
            }
            ControlRecord::Other { .. } => panic!("nobody wrote this"),
        }
    }

    fn compare(&self, header: &BatchHeader, record: &Record) {
        let found = Written {
            key: record.key.clone(),
            value: record.value.clone(),
            timestamp: record.timestamp,
            producer: header.producer_id.0.max(0),
            epoch: header.leader_epoch,
            transactional: header.attributes.is_transactional(),
        };
        assert_eq!(found, self.records[&record.offset.0], "at offset {}", record.offset);
        assert_eq!(record.headers, [(Bytes::from_static(b"h"), None)]);
    }

    fn verify_newest(&self, found: &BTreeMap<i64, Record>, last_stable: i64) {
        let mut newest_found = BTreeMap::new();
        for (offset, record) in found {
            assert!(!self.is_aborted(*offset, &self.records[offset]), "offset {offset} was aborted, and is seen");
            if let Some(key) = &record.key {
                newest_found.insert(key.clone(), (*offset, record.value.clone()));
            }
        }
        for (key, (offset, value)) in self.newest(last_stable) {
            match newest_found.remove(&key) {
                Some(found) => assert_eq!(found, (offset, value), "of {key:?}"),
                None => {
                    assert_eq!(value, None, "{key:?} lost its value of offset {offset}");
                    assert!(self.may_be_gone(offset), "the tombstone of {key:?} at {offset} went early");
                }
            }
        }
        assert!(newest_found.is_empty(), "{newest_found:?} came from nowhere");
    }

    /// The last sequence number of each producer can still be read.
    fn verify_producers(&self, bytes: &[u8]) {
        for (id, known) in self.producers.iter().filter(|(id, _)| **id > 0) {
            let of_producer = |header: &BatchHeader| header.producer_id.0 == *id && !header.attributes.is_control();
            let headers = batches(bytes).map(|view| view.unwrap().header).filter(of_producer);
            let last = headers.last().map(|header| (header.last_offset().0, header.last_sequence()));
            let expected = known.last_offset.map(|offset| (offset, known.sequence - 1));
            assert_eq!(last, expected, "the last batch of producer {id}");
        }
    }

    /// Reading from any offset, and by any time, finds what reading everything finds there.
    fn verify_lookups(&self, running: &mut Running, log: &LogRef, random: &mut SimRandom, bytes: &[u8]) {
        let end = log.borrow().high_watermark();
        let from = KafkaOffset(random.below(end.0.unsigned_abs() + 1) as i64);
        let expected = batches(bytes).map(|view| view.unwrap().header).find(|header| header.next_offset() > from);
        let read = running.run(crate::log::read(log, from, end, 1)).unwrap();
        let found = read.batches.first().map(|batch| BatchHeader::parse(batch).unwrap());
        assert_eq!(found, expected, "from {from}");
        let at = TimestampMs(self.now.0 - random.below(300_000) as i64);
        let records = batches(bytes).flat_map(|view| view.unwrap().records(1 << 20).unwrap().map(Result::unwrap));
        let expected = records.into_iter().find(|record| record.timestamp >= at);
        let found = running.run(crate::log::lookup_timestamp(log, at)).unwrap();
        let place = |(timestamp, offset, _)| (timestamp, offset);
        assert_eq!(found.map(place), expected.map(|record| (record.timestamp, record.offset)), "at {at}");
    }
}
