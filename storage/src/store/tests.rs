//! Tests of a whole store on the simulated disk.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::future::Future;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::executor::LocalPool;
use futures::task::LocalSpawnExt as _;
use thalweg_protocol::records::BatchBuilder;
use thalweg_protocol::{LeaderEpoch, PartitionIndex, ProducerEpoch, ProducerId};

use super::*;
use crate::io::sim::{SimDisk, SimFaults, SimRandom};
use crate::io::yield_now;
use crate::log::LogPoint;
use crate::types::{EntryKind, Term};

mod compaction;
mod crash;
mod golden;
mod life;
mod moving;
mod reader;
mod reading;
mod removal;
mod transactions;
mod unreadable;

const NOW: TimestampMs = TimestampMs(1_700_000_000_000);

pub(super) fn config() -> StoreConfig {
    StoreConfig {
        log_dirs: vec![PathBuf::from("/data")],
        wal: WalConfig {
            file_size_bytes: 256 << 10,
            files_max: 8,
            writes_in_flight_max: 4,
            block_size_max_bytes: 64 << 10,
            ..WalConfig::new(PathBuf::from("/data/thalweg/core-0/wal"))
        },
        log_config: log_config(),
        limits: Some(CoreLimits::test_min()),
        ..StoreConfig::default()
    }
}

fn log_config() -> LogConfig {
    LogConfig { segment_bytes: 48 << 10, index_interval_bytes: 256, retention_ms: -1, ..LogConfig::default() }
}

pub(super) fn descriptor(group: u64) -> LogDescriptor {
    LogDescriptor {
        topic_id: [group as u8; 16],
        topic: "t".into(),
        partition: PartitionIndex(group as i32),
        dir: PathBuf::from(format!("/data/t-{group}")),
        voters: vec![1],
        created: NOW,
        start: LogPoint::default(),
    }
}

/// A store that runs, on a disk that outlives it.
pub(super) struct Running {
    pub(super) store: Store,
    pub(super) recovered: Vec<RecoveredGroup>,
    pool: LocalPool,
}

impl Running {
    pub(super) fn open(sim: &SimDisk) -> Self {
        Self::try_open(sim, config()).unwrap()
    }

    pub(super) fn try_open(sim: &SimDisk, config: StoreConfig) -> Result<Self, StorageError> {
        let mut pool = LocalPool::new();
        let (store, recovered) = pool.run_until(Store::open(sim.disk(), config))?;
        let (wal, background) = (store.wal().clone(), store.clone());
        // Who waits for the log gets its errors; the background's are looked for where they are expected.
        let spawn = pool.spawner();
        spawn.spawn_local(async move { wal.run().await.unwrap_or_default() }).unwrap();
        spawn.spawn_local(async move { background.run().await.unwrap_or_default() }).unwrap();
        Ok(Self { store, recovered, pool })
    }

    pub(super) fn run<T>(&mut self, work: impl Future<Output = T>) -> T {
        self.pool.run_until(work)
    }

    /// Starts something and leaves it behind after so many turns.
    pub(super) fn begin(&mut self, turns: u64, work: impl Future<Output = ()> + 'static) {
        self.pool.spawner().spawn_local(work).unwrap();
        self.pool.run_until(async {
            for _ in 0..turns {
                yield_now().await;
            }
        });
    }

    pub(super) fn create(&mut self, group: u64) -> LogRef {
        let store = self.store.clone();
        self.run(store.create(GroupId(group), descriptor(group), log_config())).unwrap()
    }

    /// A group with so many durable, committed batches of 500 bytes and two records each.
    pub(super) fn filled(&mut self, group: u64, batches: u64) -> LogRef {
        let log = self.create(group);
        for _ in 0..batches {
            let entry = batch(&log, 1, 2, 500);
            self.store.persist_entry(GroupId(group), entry);
        }
        self.settle();
        log.borrow_mut().commit(RaftIndex(batches));
        log
    }

    pub(super) fn settle(&mut self) {
        let store = self.store.clone();
        self.run(async {
            store.inner.wait_durable(store.wal().last_appended()).await.unwrap();
            store.work().await.unwrap();
        });
    }

    pub(super) fn close(mut self) {
        let store = self.store.clone();
        self.run(store.close()).unwrap();
    }
}

/// A batch for the log's end, with recognisable content.
pub(super) fn batch(log: &LogRef, term: u64, records: usize, value_len: usize) -> LogEntry {
    let log = log.borrow();
    batch_at(log.last_index().next(), log.next_offset(), term, records, value_len)
}

pub(super) fn batch_at(index: RaftIndex, base: KafkaOffset, term: u64, records: usize, value_len: usize) -> LogEntry {
    let mut builder = BatchBuilder::new()
        .with_base_offset(base)
        .with_leader_epoch(Term(term).leader_epoch())
        .with_producer(ProducerId(9), ProducerEpoch(0), base.0 as i32);
    for at in 0..records {
        let value: Vec<u8> = (0..value_len).map(|byte| (base.0 as usize + at * 31 + byte * 7) as u8).collect();
        builder.push(TimestampMs(NOW.0 + base.0 + at as i64), Some(b"key"), Some(&value), &[]).unwrap();
    }
    let data = builder.build().unwrap().freeze();
    LogEntry { index, term: Term(term), kind: EntryKind::Batch, data }
}

pub(super) fn noop(log: &LogRef, term: u64) -> LogEntry {
    LogEntry { index: log.borrow().last_index().next(), term: Term(term), kind: EntryKind::Noop, data: Bytes::new() }
}

/// Everything readable, from memory or disk, in small pieces.
pub(super) async fn read_all(log: &LogRef) -> Vec<u8> {
    let (mut from, end) = (log.borrow().log_start_offset(), log.borrow().high_watermark());
    let mut bytes = Vec::new();
    while from < end {
        let result = crate::log::read(log, from, end, 10_000).await.unwrap();
        assert!(!result.out_of_range && !result.batches.is_empty(), "nothing at offset {from}");
        for slice in &result.batches {
            for view in thalweg_protocol::records::batches(slice) {
                let view = view.unwrap();
                assert!(view.header.next_offset() > from, "the batch that contains the offset comes first");
                view.check_crc().unwrap();
                from = view.header.next_offset();
            }
            bytes.extend_from_slice(slice);
        }
    }
    bytes
}
