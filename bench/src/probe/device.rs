//! Durable writes as a write-ahead log makes them: into a file that is already fully written, past the page cache.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::buffer::{AlignedBuffer, BLOCK};
use super::stop::Stop;

const PIECE: usize = 1 << 20;
const FILE_SIZE: u64 = 64 << 20;

/// A file of zeros on the device; removed when dropped.
pub(super) struct ZeroedFile {
    file: File,
    path: PathBuf,
    block: AlignedBuffer,
    position: u64,
}

impl ZeroedFile {
    pub(super) fn create(dir: &Path, stop: &Stop) -> Result<Self> {
        let path = dir.join(format!("thalweg-bench-probe-{}-zeroed", std::process::id()));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .custom_flags(libc::O_DIRECT | libc::O_DSYNC)
            .open(&path)
            .with_context(|| format!("cannot create {} with O_DIRECT|O_DSYNC", path.display()))?;
        let zeroed = Self { file, path, block: AlignedBuffer::new(BLOCK, 0xa5), position: 0 };
        let piece = AlignedBuffer::new(PIECE, 0);
        for position in (0..FILE_SIZE).step_by(PIECE) {
            stop.check()?;
            zeroed.file.write_all_at(piece.bytes(), position).context("cannot fill the file with zeros")?;
        }
        zeroed.file.sync_all()?;
        Ok(zeroed)
    }

    /// The next 4 KiB, durable on return; from the start again at the file's end.
    pub(super) fn write_block(&mut self) -> Result<()> {
        self.file.write_all_at(self.block.bytes(), self.position).context("a durable write failed")?;
        self.position = (self.position + BLOCK as u64) % FILE_SIZE;
        Ok(())
    }
}

impl Drop for ZeroedFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            eprintln!("thalweg-bench: cannot remove {}: {error}", self.path.display());
        }
    }
}
