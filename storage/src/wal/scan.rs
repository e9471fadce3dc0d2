//! Reads blocks from a file, through a window, and looks through what lies behind the end of the log.

use std::rc::Rc;

use bytes::Bytes;

use super::block::{BlockHeader, HEADER_LEN, NoBlock, VERSION, check_payload};
use super::file::WalFile;
use super::recovery::{Here, Later};
use crate::StorageError;
use crate::io::BLOCK_SIZE_BYTES;

const PAGE: u64 = BLOCK_SIZE_BYTES as u64;

/// Read at once.
const WINDOW_BYTES: usize = 4 << 20;

/// How far into a file that does not begin with a block of its own, spare files mostly, blocks are looked for: more than
/// all writes in flight can cover.
pub(crate) const SPARE_SCAN_BYTES: u64 = 8 << 20;

/// A whole block.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) header: BlockHeader,
    pub(crate) payload: Bytes,
}

/// Reads one file.
pub(crate) struct Scanner {
    pub(crate) file: Rc<WalFile>,
    len: u64,
    window: Bytes,
    window_start: u64,
}

impl Scanner {
    pub(crate) fn new(file: &Rc<WalFile>) -> Self {
        Self { file: Rc::clone(file), len: file.zeroed_bytes.get(), window: Bytes::new(), window_start: 0 }
    }

    /// The block at a position, of whatever file it says it is.
    pub(crate) async fn block(&mut self, position: u64) -> Result<Result<Block, NoBlock>, StorageError> {
        let head = self.bytes(position, HEADER_LEN).await?;
        let header = match BlockHeader::parse(&head) {
            Ok((header, _)) => header,
            Err(none) => return Ok(Err(none)),
        };
        let bytes = self.bytes(position, header.size_bytes()).await?;
        match check_payload(&bytes, position) {
            Ok((header, raw)) if raw.version == VERSION && raw.flags == 0 => {
                let payload = bytes.slice(HEADER_LEN..HEADER_LEN + header.payload_len as usize);
                Ok(Ok(Block { header, payload }))
            }
            Ok((_, raw)) => Err(StorageError::WalMalformed {
                file: self.file.path.clone(),
                position,
                problem: format!(
                    "the block is of version {} (flags {:#x}), newer than this program",
                    raw.version, raw.flags
                ),
            }),
            Err(none) => Ok(Err(none)),
        }
    }

    /// Up to `len` bytes; fewer at the end of the file.
    async fn bytes(&mut self, position: u64, len: usize) -> Result<Bytes, StorageError> {
        let len = len.min(self.len.saturating_sub(position) as usize);
        let inside =
            position >= self.window_start && position + len as u64 <= self.window_start + self.window.len() as u64;
        if !inside {
            let wanted = len.max(WINDOW_BYTES).min((self.len - position) as usize);
            let read = self.file.handle.read_at(position, wanted).await;
            self.window = read.map_err(StorageError::io("read", &self.file.path))?;
            self.window_start = position;
        }
        let start = (position - self.window_start) as usize;
        Ok(self.window.slice(start.min(self.window.len())..(start + len).min(self.window.len())))
    }

    /// The next block of this file's own at or behind `position`, before `end`.
    pub(crate) async fn next_own(
        &mut self,
        mut position: u64,
        end: u64,
    ) -> Result<Option<(u64, BlockHeader)>, StorageError> {
        while position < end.min(self.len) {
            match self.block(position).await? {
                Ok(block) if block.header.file == self.file.number => return Ok(Some((position, block.header))),
                _ => position += PAGE,
            }
        }
        Ok(None)
    }
}

pub(crate) fn classify(found: &Result<Block, NoBlock>, file: u64, expected: u64) -> Here {
    match found {
        Err(_) => Here::Nothing,
        Ok(block) if block.header.file < file => Here::Stale,
        Ok(block) if block.header.file > file => Here::Foreign,
        Ok(block) if block.header.block == expected => Here::Expected,
        Ok(block) if block.header.block > expected => Here::Ahead,
        Ok(_) => Here::Behind,
    }
}

/// What speaks for damage: where, and what it says.
#[derive(Clone, Debug)]
pub(crate) struct Evidence {
    pub(crate) later: Later,
    pub(crate) text: String,
}

/// Looks through the file behind `position`, and through all later files, for a block that knows better.
pub(crate) async fn look_later(
    current: &mut Scanner,
    position: u64,
    later_files: &[Rc<WalFile>],
    expected: u64,
) -> Result<Evidence, StorageError> {
    if let Some(evidence) = look_through(current, position, u64::MAX, expected).await? {
        return Ok(evidence);
    }
    for file in later_files {
        let mut scanner = Scanner::new(file);
        let begins = matches!(scanner.block(0).await?, Ok(block) if block.header.file == file.number);
        let end = if begins { u64::MAX } else { SPARE_SCAN_BYTES };
        if let Some(evidence) = look_through(&mut scanner, 0, end, expected).await? {
            return Ok(evidence);
        }
    }
    Ok(Evidence { later: Later::Silent, text: String::new() })
}

async fn look_through(
    scanner: &mut Scanner,
    mut position: u64,
    end: u64,
    expected: u64,
) -> Result<Option<Evidence>, StorageError> {
    while let Some((at, header)) = scanner.next_own(position, end).await? {
        let place = format!("block {} in {} at byte {at}", header.block, scanner.file.path.display());
        if header.block < expected {
            return Ok(Some(Evidence { later: Later::Overlaps, text: format!("{place} comes later in the log") }));
        }
        if header.durable_block >= expected {
            let text = format!("{place} says that everything up to block {} was on the device", header.durable_block);
            return Ok(Some(Evidence { later: Later::Durable, text }));
        }
        position = at + header.size_bytes() as u64;
    }
    Ok(None)
}
