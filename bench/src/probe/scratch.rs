//! The files that are measured: on the device, past the page cache, and gone when dropped.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::fs::{FallocateFlags, fallocate, statvfs};

use super::buffer::AlignedBuffer;
use super::file::{Durable, Extent};
use super::stop::Stop;

const PIECE: usize = 1 << 20;

/// Left free on the file system, whatever is measured.
const SPARE_BYTES: u64 = 256 << 20;

pub(super) struct Scratch {
    path: PathBuf,
    plain: File,
    synced: File,
    pub(super) len: u64,
}

impl Scratch {
    /// An empty file.
    pub(super) fn create(dir: &Path, name: &str) -> Result<Self> {
        let path = dir.join(format!("thalweg-bench-probe-{}-{name}", std::process::id()));
        let open = |create, flags| {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(create).custom_flags(libc::O_DIRECT | flags).open(&path)
        };
        let plain = open(true, 0).with_context(|| {
            format!("cannot create {} with O_DIRECT; choose a directory on the disk to measure", path.display())
        })?;
        match open(false, libc::O_DSYNC) {
            Ok(synced) => Ok(Self { path, plain, synced, len: 0 }),
            Err(error) => {
                remove(&path);
                Err(error).with_context(|| format!("cannot open {} with O_DSYNC", path.display()))
            }
        }
    }

    /// Written from end to end with bytes that no drive makes smaller: `wanted` bytes, or what is written within `time`.
    pub(super) fn filled(dir: &Path, wanted: u64, time: Duration, stop: &Stop) -> Result<Self> {
        let mut scratch = Self::create(dir, "filled")?;
        let began = Instant::now();
        let pieces: Vec<AlignedBuffer> = (1..=16).map(|seed| AlignedBuffer::incompressible(PIECE, seed)).collect();
        for piece in pieces.iter().cycle() {
            if scratch.len >= wanted || (began.elapsed() > time && scratch.len >= LEN_MIN) {
                break;
            }
            stop.check()?;
            scratch.plain.write_all_at(piece.bytes(), scratch.len).context("cannot fill the file")?;
            scratch.len += PIECE as u64;
        }
        scratch.plain.sync_all().context("cannot fill the file")?;
        Ok(scratch)
    }

    /// For writes into a file of that kind, `len` bytes at most.
    pub(super) fn fresh(dir: &Path, extent: Extent, len: u64) -> Result<Self> {
        let mut scratch = Self::create(dir, "fresh")?;
        scratch.len = len;
        if extent == Extent::Fallocated {
            fallocate(&scratch.plain, FallocateFlags::empty(), 0, len)
                .context("the file system cannot reserve space (fallocate)")?;
        }
        scratch.plain.sync_all()?;
        Ok(scratch)
    }

    pub(super) fn opened_for(&self, durable: Durable) -> &File {
        if durable == Durable::ODsync { &self.synced } else { &self.plain }
    }
}

/// Shorter, a file says nothing.
pub(super) const LEN_MIN: u64 = 16 << 20;

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        eprintln!("thalweg-bench: cannot remove {}: {error}", path.display());
    }
}

/// How long the large file may be, where `wanted` would be best and `fresh` more bytes are written beside it.
pub(super) fn room_for(dir: &Path, wanted: u64, fresh: u64) -> Result<u64> {
    let found = statvfs(dir).with_context(|| format!("cannot look at {}", dir.display()))?;
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    affordable(free, wanted, fresh)
        .with_context(|| format!("{} MiB are free in {}; choose another directory", free >> 20, dir.display()))
}

fn affordable(free: u64, wanted: u64, fresh: u64) -> Result<u64> {
    let len = free.saturating_sub(SPARE_BYTES + fresh).min(wanted) / PIECE as u64 * PIECE as u64;
    if len < LEN_MIN {
        bail!("too little space: at least {} MiB must be free", (SPARE_BYTES + fresh + LEN_MIN) >> 20);
    }
    Ok(len)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_full_disk_shortens_the_file_and_then_refuses() {
        assert_eq!(affordable(10 << 30, 1 << 30, 64 << 20).unwrap(), 1 << 30);
        assert_eq!(affordable(1 << 30, 1 << 30, 64 << 20).unwrap(), (1024 - 256 - 64) << 20);
        assert!(affordable(335 << 20, 1 << 30, 64 << 20).unwrap_err().to_string().contains("336 MiB"));
        assert_eq!(affordable(336 << 20, 1 << 30, 64 << 20).unwrap(), 16 << 20);
    }

    #[test]
    fn an_interrupted_file_is_removed() {
        let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let stop = Stop::default();
        stop.raise();
        let error = Scratch::filled(dir.path(), 1 << 20, Duration::from_secs(9), &stop).err().unwrap();
        assert!(error.to_string().contains("interrupted"), "{error:#}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_missing_directory_is_named() {
        let missing = Path::new("/nonexistent/x");
        let error = format!("{:#}", Scratch::create(missing, "x").err().unwrap());
        assert!(error.contains("/nonexistent/x"), "{error}");
        let error = format!("{:#}", room_for(missing, 1, 1).unwrap_err());
        assert!(error.contains("/nonexistent/x"), "{error}");
    }
}
