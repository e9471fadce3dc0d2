//! What a core pays for a batch besides the device: building a block of the write-ahead log, finding a place in a
//! segment, judging a producer's sequence.
//!
//! `cargo bench -p thalweg-storage --bench hot_paths`.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot begin says why and ends")]

use std::hint::black_box;
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Waker};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput};
use futures::FutureExt as _;
use futures::executor::block_on;
use thalweg_protocol::records::{BatchBuilder, BatchHeader};
use thalweg_protocol::{KafkaOffset, PartitionIndex, ProducerEpoch, ProducerId, TimestampMs};
use thalweg_storage::StorageError;
use thalweg_storage::io::sim::SimDisk;
use thalweg_storage::log::producers::{Claim, SequenceCheck};
use thalweg_storage::log::{
    FlushMode, LogConfig, LogDescriptor, LogPoint, LogRef, ProducerState, flush, index_lookup_by_offset,
    index_lookup_by_timestamp,
};
use thalweg_storage::store::{Store, StoreConfig};
use thalweg_storage::types::{EntryKind, GroupId, LogEntry, RaftIndex, Term, WalSequence};
use thalweg_storage::wal::{Wal, WalConfig, WalRecord};

mod null_disk;

use null_disk::NullDisk;

const NOW: TimestampMs = TimestampMs(1_700_000_000_000);

fn main() {
    let mut criterion = Criterion::default().without_plots().configure_from_args();
    wal_blocks(&mut criterion);
    index_lookup(&mut criterion);
    producers(&mut criterion);
    criterion.final_summary();
}

/// A log whose writes are done as soon as they are begun, and whoever drives it.
struct IdleLog {
    disk: Rc<NullDisk>,
    wal: Wal,
    run: Pin<Box<dyn Future<Output = Result<(), StorageError>>>>,
}

impl IdleLog {
    fn open() -> Self {
        let disk = Rc::new(NullDisk::default());
        let (dir, mut replay) = (PathBuf::from("/wal"), |_, _| panic!("a new log has nothing to replay"));
        let wal = block_on(Wal::open(disk.clone(), WalConfig::new(dir), WalSequence(0), &mut replay)).unwrap();
        let running = wal.clone();
        let run = Box::pin(async move { running.run().await });
        let mut log = Self { disk, wal, run };
        log.poll(); // zeroes its first file
        log
    }

    fn poll(&mut self) {
        assert!(self.run.poll_unpin(&mut Context::from_waker(Waker::noop())).is_pending(), "the log ended");
    }

    /// Takes the records into as few blocks as they fit, and lets go of the file when it is full.
    fn write(&mut self, records: &[WalRecord]) {
        for record in records {
            self.wal.append(record);
        }
        self.wal.flush();
        while self.wal.durable() < self.wal.last_appended() {
            self.poll();
        }
        self.wal.trim(self.wal.durable());
    }
}

fn entry(group: u64, size: usize) -> WalRecord {
    let data = Bytes::from(vec![7; size]);
    let entry = LogEntry { index: RaftIndex(1), term: Term(1), kind: EntryKind::Batch, data };
    WalRecord::Entry { group: GroupId(group), entry }
}

/// From records to sealed blocks: gathered, framed, copied, their checksum. Through the log's own writer, on a disk that
/// does nothing with the blocks.
fn wal_blocks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("wal block build");
    for (count, size, blocks) in [(1, 100, 1), (1000, 100, 1), (64, 16 << 10, 2), (1, 1 << 20, 2)] {
        let records: Vec<WalRecord> = (0..count).map(|group| entry(group, size)).collect();
        let mut log = IdleLog::open();
        let before = log.disk.written();
        log.write(&records);
        let after = log.disk.written();
        assert_eq!(after.writes - before.writes, blocks);
        let (bytes, least) = (after.bytes - before.bytes, count * size as u64);
        assert!((least..2 * least + 4096).contains(&bytes), "{bytes} bytes in {blocks} blocks");
        group.throughput(Throughput::Bytes(count * size as u64));
        group.bench_function(BenchmarkId::from_parameter(format!("{count} records of {size} B")), |bencher| {
            bencher.iter(|| log.write(black_box(&records)));
        });
    }
    group.finish();
}

/// Segments of a log, and index entries in each: one per batch, so that a small log has a large index.
const SEGMENTS: i64 = 8;
const ENTRIES: i64 = 8192;
const RECORDS: i64 = SEGMENTS * ENTRIES;

fn batch_at(offset: i64) -> Bytes {
    let mut builder = BatchBuilder::new().with_base_offset(KafkaOffset(offset));
    builder.push(TimestampMs(NOW.0 + offset), None, Some(b"twenty bytes of data"), &[]).unwrap();
    builder.build().unwrap().freeze()
}

/// A log in segments of [`ENTRIES`] batches each, flushed.
fn indexed_log() -> (Store, LogRef) {
    let batch_len = batch_at(0).len() as u64;
    let log_config = LogConfig {
        segment_bytes: batch_len * ENTRIES as u64,
        index_interval_bytes: 1,
        retention_ms: -1,
        ..LogConfig::default()
    };
    let config = StoreConfig {
        log_dirs: vec![PathBuf::from("/data")],
        wal: WalConfig::new(PathBuf::from("/data/thalweg/core-0/wal")),
        ..StoreConfig::default()
    };
    let group = GroupId(1);
    let descriptor = LogDescriptor {
        topic_id: [1; 16],
        topic: "orders".to_owned(),
        partition: PartitionIndex(0),
        dir: PathBuf::from("/data/orders-0"),
        voters: vec![1],
        created: NOW,
        start: LogPoint::default(),
    };
    block_on(async {
        let (store, _) = Store::open(SimDisk::new(1).disk(), config).await.unwrap();
        let log = store.create(group, descriptor, log_config).await.unwrap();
        for offset in 0..RECORDS {
            let index = RaftIndex(offset.unsigned_abs() + 1);
            // Leader epoch 0, that is term 1.
            let mut batch = bytes::BytesMut::from(batch_at(offset));
            thalweg_protocol::records::stamp(&mut batch, KafkaOffset(offset), Term(1).leader_epoch());
            store.persist_entry(group, LogEntry { index, term: Term(1), kind: EntryKind::Batch, data: batch.freeze() });
        }
        log.borrow_mut().commit(RaftIndex(RECORDS.unsigned_abs()));
        flush(&log, FlushMode::FullBlocks).await.unwrap();
        (store, log)
    })
}

/// Where in which segment to begin looking, from indexes that are in memory. Readers jump about, so that neither the
/// segment nor the place can be guessed.
fn index_lookup(criterion: &mut Criterion) {
    let (_store, log) = indexed_log();
    let batch_len = batch_at(0).len() as u64;
    let segment_of = |offset: i64| KafkaOffset(offset / ENTRIES * ENTRIES);
    let by_offset = |offset: i64| {
        let found = index_lookup_by_offset(&log, segment_of(offset), KafkaOffset(offset));
        found.now_or_never().unwrap().unwrap()
    };
    let by_timestamp = |offset: i64| {
        let found = index_lookup_by_timestamp(&log, segment_of(offset), TimestampMs(NOW.0 + offset));
        found.now_or_never().unwrap().unwrap()
    };
    // Once through all indexes, which loads them.
    for offset in (ENTRIES / 2..RECORDS).step_by(ENTRIES as usize) {
        block_on(index_lookup_by_offset(&log, segment_of(offset), KafkaOffset(offset))).unwrap();
        block_on(index_lookup_by_timestamp(&log, segment_of(offset), TimestampMs(NOW.0 + offset))).unwrap();
        let place = (offset % ENTRIES) as u64 * batch_len;
        assert!((place - batch_len..=place).contains(&by_offset(offset)), "the batch before, or the very one");
        assert_eq!(by_timestamp(offset), KafkaOffset(offset));
    }
    let mut group = criterion.benchmark_group("index lookup");
    group.throughput(Throughput::Elements(1));
    let mut at = 0;
    let mut next = || {
        at = (at + 40_503) % RECORDS;
        at
    };
    group.bench_function("offset", |bencher| bencher.iter(|| by_offset(black_box(next()))));
    group.bench_function("timestamp", |bencher| bencher.iter(|| by_timestamp(black_box(next()))));
    group.finish();
}

/// The header of a producer's n-th batch of ten records, stamped.
fn header(producer: i64, number: i64) -> BatchHeader {
    let sequence = i32::try_from(number * 10 % (1 << 31)).unwrap();
    let mut builder = BatchBuilder::new().with_base_offset(KafkaOffset(number * 10)).with_producer(
        ProducerId(producer),
        ProducerEpoch(0),
        sequence,
    );
    builder.push(NOW, None, Some(b"x"), &[]).unwrap();
    BatchHeader { last_offset_delta: 9, ..BatchHeader::parse(&builder.build().unwrap()).unwrap() }
}

/// Whether a batch may follow its producer's last one; and the same with that noted, so that it could be taken back.
fn producers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("producer state");
    group.throughput(Throughput::Elements(1));
    for count in [1, 10_000] {
        let mut state = ProducerState::default();
        for number in 0..5 {
            for producer in 0..count {
                state.record(&header(producer, number), None).unwrap();
            }
        }
        let next: Vec<BatchHeader> = (0..count).map(|producer| header(producer, 5)).collect();
        assert!(next.iter().all(|header| state.check(header, Claim::UNASKED) == SequenceCheck::Accept));
        let old = header(count - 1, 4);
        assert!(matches!(state.check(&old, Claim::UNASKED), SequenceCheck::Duplicate { .. }));

        let mut turns = next.iter().cycle();
        group.bench_function(BenchmarkId::new("check", count), |bencher| {
            bencher.iter(|| state.check(black_box(turns.next().unwrap()), Claim::UNASKED));
        });
        let mut turns = next.iter().cycle();
        group.bench_function(BenchmarkId::new("check, record, take back", count), |bencher| {
            bencher.iter(|| {
                let header = black_box(turns.next().unwrap());
                assert_eq!(state.check(header, Claim::UNASKED), SequenceCheck::Accept);
                let undo = state.record(header, None).unwrap();
                state.undo(undo);
            });
        });
        assert_eq!(state.len(), count as usize, "none came, none went");
    }
    group.finish();
}
