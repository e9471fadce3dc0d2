//! Retention deleting from a file system that is four fifths full, while a producer goes on: a file system of a given size,
//! in a file.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{Phase, left_out};
use crate::compare::admin::{records, set_topic_config};
use crate::compare::process::output;
use crate::compare::results::{Line, Metrics};
use crate::compare::scenario::plain;
use crate::compare::session::{Bench, Scratch, Session};
use crate::compare::systems::System;
use crate::result::Role;

const PARTITIONS: u64 = 4;
/// Records of 1 KiB per second.
const RATE: u64 = 10_000;
const FILLED_PCT: f64 = 80.0;
const LIMIT: Duration = Duration::from_secs(60);
/// Of mkfs.ext4: no writing in the background once it is mounted.
const NOTHING_LATER: &str = "lazy_itable_init=0,lazy_journal_init=0";
const FILL_LIMIT: Duration = Duration::from_secs(900);
/// What a record of 1 KiB takes in a log, with its lengths and its share of the batch's header.
const RECORD_BYTES: u64 = 1036;
/// Both brokers look for what to delete, and delete it, at once instead of within minutes: there would be no telling
/// what a short run meets.
const SETTINGS: [(&str, &str); 2] =
    [("log.retention.check.interval.ms", "2000"), ("log.segment.delete.delay.ms", "1000")];

pub(super) fn run(bench: &mut Bench, system: &System, rep: u32) -> Result<()> {
    let disk = match Disk::mount(bench) {
        Ok(disk) => disk,
        Err(error) => {
            let why = format!("left out: no file system of a given size: {error:#}");
            return bench.results.add(Line::Missing {
                phase: Phase::Retention.name(),
                system: system.name.clone(),
                rep,
                why,
            });
        }
    };
    let dir = disk.mounted.join("broker");
    // The session, and with it the broker, ends before the file system goes.
    let mut session = Session::begin_in(bench, system, rep, dir, &SETTINGS, None)?;
    let outcome = measure(&mut session, &disk);
    let outcome = session.explain(outcome);
    drop(session);
    outcome
}

fn measure(session: &mut Session<'_>, disk: &Disk) -> Result<()> {
    let topic = "retention";
    session.create(topic, PARTITIONS, &[("segment.bytes", "16777216"), ("retention.ms", "-1")])?;
    if disk.used_pct()? >= FILLED_PCT {
        return left_out(
            session,
            Phase::Retention,
            "the broker alone fills the file system: give a larger --image-mib",
        );
    }
    fill(session, topic, disk)?;
    // What is there now is what may stay.
    let records = records(&session.broker.bootstrap, &session.topic(topic), PARTITIONS)?;
    let records = records.context("the broker does not say how many records it holds")?;
    let keep = records.unsigned_abs() * RECORD_BYTES / PARTITIONS;
    set_topic_config(&session.broker.bootstrap, &session.topic(topic), "retention.bytes", &keep.to_string())?;
    let mut scenario = session.scenario("retention", topic, plain(1024, Some(RATE)));
    scenario.duration_s = session.bench.sizes.retention_s;
    let done = session.load(&scenario)?;
    let mut metrics: Metrics = done.throughput(Role::Produce, "");
    metrics.extend(done.latency(Role::Produce, "latency", ""));
    metrics.push(("filled_pct".to_owned(), disk.used_pct()?));
    metrics.extend(done.refused());
    metrics.extend(done.cost());
    let case = format!("{} MiB four fifths full, {RATE} records/s of 1 KiB", session.bench.sizes.image_mib);
    session.row("retention", &case, metrics)
}

/// As fast as it goes, and slowly near four fifths, not to go far beyond.
fn fill(session: &mut Session<'_>, topic: &str, disk: &Disk) -> Result<()> {
    let deadline = Instant::now() + FILL_LIMIT;
    loop {
        let rate = match disk.used_pct()? {
            used if used >= FILLED_PCT => return Ok(()),
            used if used >= FILLED_PCT - 15.0 => Some(2 * RATE),
            _ => None,
        };
        session.write_for(topic, &plain(1024, rate), 1)?;
        ensure!(Instant::now() < deadline, "the file system is not four fifths full after {} s", FILL_LIMIT.as_secs());
    }
}

/// An ext4 in a file, mounted; gone when dropped.
///
/// As near to a disk as a file comes: all of it written once, so that no write allocates, and with direct I/O, so that a
/// flush of the one does not wait for whatever the page cache holds of the other.
struct Disk {
    mounted: PathBuf,
    _scratch: Scratch,
}

impl Disk {
    fn mount(bench: &Bench) -> Result<Self> {
        ensure!(rustix::process::geteuid().is_root(), "mounting one needs root");
        let dir = bench.work.join("disk");
        let scratch = Scratch(dir.clone());
        let (image, mounted) = (dir.join("image"), dir.join("mounted"));
        std::fs::create_dir_all(&mounted)?;
        write_zeros(&image, bench.sizes.image_mib)?;
        let run = |command: &mut Command, what: &str| output(command, what, &dir, LIMIT, &bench.interrupt);
        // No reserve for root: full is full.
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0", "-E", NOTHING_LATER]).arg(&image), "mkfs.ext4")?;
        run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&mounted), "mount")?;
        let disk = Self { mounted, _scratch: scratch };
        run(Command::new("losetup").arg("--direct-io=on").arg(device_of(&disk.mounted)?), "losetup")?;
        Ok(disk)
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers of blocks")]
    fn used_pct(&self) -> Result<f64> {
        let space = rustix::fs::statvfs(&self.mounted).context("cannot tell how full the file system is")?;
        let used = space.f_blocks.saturating_sub(space.f_bfree);
        Ok(100.0 * used as f64 / space.f_blocks.max(1) as f64)
    }
}

/// Every block of the file allocated and written.
fn write_zeros(image: &Path, mib: u64) -> Result<()> {
    let zeros = vec![0; 1 << 20];
    let mut file = std::fs::File::create(image)?;
    for _ in 0..mib {
        file.write_all(&zeros).with_context(|| format!("cannot write {} MiB to {}", mib, image.display()))?;
    }
    Ok(file.sync_all()?)
}

/// The loop device behind a mounted directory.
fn device_of(mounted: &Path) -> Result<String> {
    let mounted = mounted.canonicalize()?;
    let mounts = std::fs::read_to_string("/proc/self/mounts")?;
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let found = fields.into_iter().find_map(|fields| match fields.as_slice() {
        [device, place, ..] if Path::new(place) == mounted => Some((*device).to_owned()),
        _ => None,
    });
    found.with_context(|| format!("{} is not among the mounted file systems", mounted.display()))
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Err(error) = unmount(&self.mounted) {
            eprintln!("thalweg-bench: cannot unmount {}: {error:#}", self.mounted.display());
        }
    }
}

/// A broker that was just killed may hold its files a moment longer.
fn unmount(mounted: &Path) -> Result<()> {
    for _ in 0..50 {
        if Command::new("umount").arg(mounted).output()?.status.success() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let done = Command::new("umount").arg("-l").arg(mounted).output()?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr).trim());
    Ok(())
}
