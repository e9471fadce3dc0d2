//! Compresses bytes anew while they are being read.

use std::io::{self, BufRead, Read, Write};

use super::compression::Compressor;
use super::header::RecordError;

/// Hands on what it reads, and compresses whatever its reader consumes.
pub(super) struct Tee<R> {
    reader: R,
    compressor: Compressor,
    failed: Option<io::Error>,
}

impl<R: BufRead> Tee<R> {
    pub(super) const fn new(reader: R, compressor: Compressor) -> Self {
        Self { reader, compressor, failed: None }
    }

    /// The compressed bytes.
    pub(super) fn finish(self) -> Result<Vec<u8>, RecordError> {
        match self.failed {
            Some(error) => Err(self.compressor.explain(&error)),
            None => self.compressor.finish(),
        }
    }
}

impl<R: BufRead> BufRead for Tee<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    /// `consume` cannot fail, so what failed is kept for [`Tee::finish`]; the bytes stay those of the last `fill_buf`.
    fn consume(&mut self, count: usize) {
        if self.failed.is_none() {
            let written = self
                .reader
                .fill_buf()
                .and_then(|available| self.compressor.write_all(available.get(..count).unwrap_or_default()));
            self.failed = written.err();
        }
        self.reader.consume(count);
    }
}

impl<R: BufRead> Read for Tee<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(out)?;
        self.consume(count);
        Ok(count)
    }
}
