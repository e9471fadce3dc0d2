//! How long one durable record takes through the log, beside the device's own durable 4 KiB write into a zeroed file.
//! The two alternate, so that a drift of the device meets both.
//!
//! `cargo run --release -p thalweg-storage --example wal_latency -- <directory on the device> [rounds]`

use std::cell::RefCell;
use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use thalweg_reactor::{run, sleep, spawn};
use thalweg_storage::io::{OpenMode, direct_disk};
use thalweg_storage::types::{EntryKind, GroupId, LogEntry, RaftIndex, Term, WalSequence};
use thalweg_storage::wal::{Wal, WalConfig, WalRecord};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    let dir = PathBuf::from(args.next().ok_or("usage: wal_latency <directory> [rounds]")?);
    let rounds = args.next().and_then(|rounds| rounds.to_str()?.parse().ok()).unwrap_or(5000);
    let done = run(async move { measure(dir, rounds).await.map_err(|error| error.to_string()) })?;
    Ok(done?)
}

async fn measure(dir: PathBuf, rounds: u64) -> Result<(), Box<dyn Error>> {
    let disk = direct_disk();
    let started = Instant::now();
    let wal = Wal::open(disk.clone(), WalConfig::new(dir.join("wal")), WalSequence(0), &mut |_, _| {}).await?;
    println!("opened in {:?}", started.elapsed());
    let log = wal.clone();
    let running = spawn(async move { log.run().await });

    let path = dir.join("raw");
    let mode = OpenMode { write: true, create_new: true, durable_writes: true };
    let raw = disk.open(&path, mode).await?;
    for piece in 0..16 {
        raw.write_at(piece << 20, disk.allocate(1 << 20)).await?;
    }
    sleep(Duration::from_secs(1)).await; // the log zeroes its file meanwhile

    let (through_log, of_device) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
    for round in 0..rounds {
        let entry = LogEntry {
            index: RaftIndex(round + 1),
            term: Term(1),
            kind: EntryKind::Batch,
            data: Bytes::from_static(&[7; 100]),
        };
        let begun = Instant::now();
        let sequence = wal.append(&WalRecord::Entry { group: GroupId(1), entry });
        wal.flush();
        wal.wait_durable(sequence.previous()).await?;
        through_log.borrow_mut().push(begun.elapsed());
        let begun = Instant::now();
        raw.write_at((round % 4096) << 12, disk.allocate(4096)).await?;
        of_device.borrow_mut().push(begun.elapsed());
    }
    wal.close();
    running.await?;
    disk.remove_file(&path).await?;
    report("through the log", through_log.take());
    report("device alone", of_device.take());
    Ok(())
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or_default();
    println!("{what}: p50 {:?} p99 {:?} max {:?}", at(0.5), at(0.99), at(1.0 - f64::EPSILON));
}
