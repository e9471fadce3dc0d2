//! Tests of the whole log on the simulated disk.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::FutureExt as _;
use futures::executor::LocalPool;
use futures::task::LocalSpawnExt as _;

use super::*;
use crate::io::sim::{SimDisk, SimFaults};
use crate::types::{EntryKind, GroupId, LogEntry, RaftIndex, Term};

mod faults;
mod golden;
mod offline;
mod recovery;
mod writing;

fn config() -> WalConfig {
    WalConfig {
        file_size_bytes: 64 << 10,
        files_max: 4,
        writes_in_flight_max: 4,
        block_size_max_bytes: 16 << 10,
        ..WalConfig::new(PathBuf::from("/wal"))
    }
}

/// A record that tells its number, `len` bytes of data long.
fn record(number: u64, len: usize) -> WalRecord {
    let data: Vec<u8> = (0..len).map(|at| (number as usize + at * 7) as u8).collect();
    let (index, term, kind) = (RaftIndex(number), Term(1), EntryKind::Batch);
    WalRecord::Entry { group: GroupId(number % 5), entry: LogEntry { index, term, kind, data: Bytes::from(data) } }
}

type Replayed = Vec<(WalSequence, WalRecord)>;

/// Opens the log without running it.
fn open(pool: &mut LocalPool, disk: &SimDisk, config: WalConfig, from: u64) -> Result<(Wal, Replayed), StorageError> {
    let mut replayed = Vec::new();
    let mut keep = |sequence, record| replayed.push((sequence, record));
    let wal = pool.run_until(Wal::open(disk.disk(), config, WalSequence(from), &mut keep))?;
    Ok((wal, replayed))
}

/// Opens the log and runs it in the background.
fn start(pool: &mut LocalPool, disk: &SimDisk, config: WalConfig, from: u64) -> Result<(Wal, Replayed), StorageError> {
    let (wal, replayed) = open(pool, disk, config, from)?;
    let running = wal.clone();
    pool.spawner()
        .spawn_local(async move {
            // The waiters get the error, and the tests look there.
            let _ = running.run().await;
        })
        .unwrap();
    Ok((wal, replayed))
}

/// Appends, and waits until it is durable.
fn write(pool: &mut LocalPool, wal: &Wal, record: &WalRecord) -> WalSequence {
    let sequence = wal.append(record);
    wal.flush();
    pool.run_until_stalled();
    assert!(wal.durable() >= sequence, "record {sequence} is not durable");
    sequence
}

fn close(pool: &mut LocalPool, wal: &Wal) {
    wal.close();
    pool.run_until_stalled();
    assert!(wal.shared.state.borrow().ended, "run ends after close");
}

/// The waiter's answer, which must be there once nothing moves any more.
fn answer(pool: &mut LocalPool, wal: &Wal, after: u64) -> Result<WalSequence, StorageError> {
    pool.run_until_stalled();
    wal.wait_durable(WalSequence(after)).now_or_never().expect("an answer")
}

fn wal_file(number: u64) -> PathBuf {
    file::file_path(Path::new("/wal"), number)
}
