//! A segment file, batch by batch. Memory holds one batch at a time.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use thalweg_protocol::records::{BatchHeader, RecordError};

use super::files::{DataFile, unreadable};
use crate::failure::Failure;

const BUFFER_SIZE_BYTES: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Reader {
    file: BufReader<File>,
    pub(super) position: u64,
    size_bytes: u64,
}

/// One whole batch, with where it lies.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) position: u64,
    pub(super) header: BatchHeader,
    pub(super) bytes: Vec<u8>,
}

/// What comes next in a segment.
#[derive(Debug)]
pub(super) enum Next {
    Batch(Batch),
    /// The file ends where a batch ends.
    End,
    /// The file ends inside a batch.
    Cut {
        bytes: u64,
    },
    /// Nothing but zeros until the end, as in blocks that were reserved and not yet written.
    Zeros {
        bytes: u64,
    },
    /// What stands here is no batch; where another begins cannot be known.
    Damaged(RecordError),
}

impl Reader {
    pub(super) fn open(file: &DataFile) -> Result<Self, Failure> {
        Self::new(&file.path).map_err(|error| unreadable(&file.path, &error))
    }

    fn new(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let size_bytes = file.metadata()?.len();
        Ok(Self { file: BufReader::with_capacity(BUFFER_SIZE_BYTES, file), position: 0, size_bytes })
    }

    pub(super) fn next(&mut self) -> io::Result<Next> {
        let left = self.size_bytes.saturating_sub(self.position);
        if left == 0 {
            return Ok(Next::End);
        }
        let mut bytes = Vec::new();
        self.fill(&mut bytes, BatchHeader::LEN as u64)?;
        if bytes.iter().all(|byte| *byte == 0) {
            return self.rest(left);
        }
        let header = match BatchHeader::parse(&bytes) {
            Ok(header) => header,
            Err(RecordError::Truncated { .. }) => return Ok(Next::Cut { bytes: left }),
            Err(error) => return Ok(Next::Damaged(error)),
        };
        let size_bytes = header.size_bytes() as u64;
        if size_bytes > left {
            return Ok(Next::Cut { bytes: left });
        }
        self.fill(&mut bytes, size_bytes - BatchHeader::LEN as u64)?;
        if (bytes.len() as u64) < size_bytes {
            return Ok(Next::Cut { bytes: left });
        }
        let position = self.position;
        self.position += size_bytes;
        Ok(Next::Batch(Batch { position, header, bytes }))
    }

    fn fill(&mut self, bytes: &mut Vec<u8>, count: u64) -> io::Result<()> {
        Read::by_ref(&mut self.file).take(count).read_to_end(bytes).map(|_| ())
    }

    /// A header of zeros was read: padding, if the rest is zeros too.
    fn rest(&mut self, left: u64) -> io::Result<Next> {
        let mut chunk = vec![0; 64 << 10];
        loop {
            let read = self.file.read(&mut chunk)?;
            if read == 0 {
                return Ok(Next::Zeros { bytes: left });
            }
            if chunk.iter().take(read).any(|byte| *byte != 0) {
                return Ok(Next::Damaged(RecordError::UnsupportedMagic { magic: 0 }));
            }
        }
    }
}
