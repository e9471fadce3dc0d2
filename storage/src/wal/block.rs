//! A block of the write-ahead log: one durable write, whole or not there. Format: `docs/formats/wal.md`.

use crate::io::BLOCK_SIZE_BYTES;

/// The first bytes of every block.
pub const MAGIC: [u8; 4] = *b"THWB";
/// The format written here.
pub const VERSION: u16 = 1;
/// Bytes of the header; the payload follows at once.
pub const HEADER_LEN: usize = 72;
/// No block is larger, whatever is configured: a damaged length never makes a reader take more than this.
pub const BLOCK_LEN_MAX: usize = 16 << 20;

/// Where the checksum is; it covers everything else of header and payload.
const CRC_AT: std::ops::Range<usize> = 8..12;

/// The header, decoded. The checksum and the lengths are checked by [`BlockHeader::parse`] and [`check_payload`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BlockHeader {
    /// Number of the file it was written for. A block with another number is left over from the file's earlier life.
    pub file: u64,
    /// Where in the file, in units of 4 KiB: finds writes that went astray.
    pub page: u32,
    /// Number of the block, counted over the log's life; one more than the block before.
    pub block: u64,
    /// Number of the first block of this file.
    pub file_first_block: u64,
    /// This block and all before it were known to be on the device when this one was written.
    pub durable_block: u64,
    /// Sequence of the record that the first frame belongs to.
    pub first_sequence: u64,
    /// Sequence of the record that the last frame belongs to; one less than `first_sequence` in a block without frames.
    pub last_sequence: u64,
    pub frames: u32,
    pub payload_len: u32,
}

/// Why there is no block at some position.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoBlock {
    #[error("the file ends")]
    EndOfFile,
    #[error("only zeros")]
    Blank,
    #[error("no block begins here")]
    Magic,
    #[error("the length {len} is impossible")]
    Length { len: u32 },
    #[error("the checksum is {found:08x}, not {expected:08x}")]
    Checksum { expected: u32, found: u32 },
    #[error("the block belongs to page {page}")]
    Astray { page: u32 },
}

impl BlockHeader {
    /// Bytes that the block takes in its file.
    pub fn size_bytes(&self) -> usize {
        size_bytes(self.payload_len as usize)
    }

    /// Fills in the header of `block`, whose payload is in place already. The rest up to the page's end stays as it is.
    pub(crate) fn seal(&self, block: &mut [u8]) {
        let (Some((head, payload)), len) = (block.split_first_chunk_mut::<HEADER_LEN>(), self.payload_len as usize)
        else {
            panic!("block of {} bytes has no room for its header", block.len());
        };
        *head = self.encode(0);
        let crc = checksum(head, payload.get(..len).unwrap_or_default());
        *head = self.encode(crc);
    }

    fn encode(&self, crc: u32) -> [u8; HEADER_LEN] {
        let mut head = [0; HEADER_LEN];
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            for (to, from) in head.iter_mut().skip(at).zip(bytes) {
                *to = *from;
            }
            at += bytes.len();
        };
        put(&MAGIC);
        put(&VERSION.to_le_bytes());
        put(&0u16.to_le_bytes());
        put(&crc.to_le_bytes());
        put(&self.payload_len.to_le_bytes());
        for number in [self.file, self.block, self.file_first_block, self.durable_block] {
            put(&number.to_le_bytes());
        }
        put(&self.first_sequence.to_le_bytes());
        put(&self.last_sequence.to_le_bytes());
        put(&self.frames.to_le_bytes());
        put(&self.page.to_le_bytes());
        head
    }

    /// Reads the header at the start of `page`; the payload is not looked at yet. Also gives the version and the checksum.
    pub(crate) fn parse(page: &[u8]) -> Result<(Self, RawFields), NoBlock> {
        let Some(head) = page.first_chunk::<HEADER_LEN>() else {
            return Err(NoBlock::EndOfFile);
        };
        if !head.starts_with(&MAGIC) {
            let blank = head.iter().all(|byte| *byte == 0);
            return Err(if blank { NoBlock::Blank } else { NoBlock::Magic });
        }
        let mut fields = Fields { rest: head.get(4..).unwrap_or_default() };
        let raw = RawFields { version: fields.u16(), flags: fields.u16(), crc: fields.u32() };
        let payload_len = fields.u32();
        let header = Self {
            file: fields.u64(),
            block: fields.u64(),
            file_first_block: fields.u64(),
            durable_block: fields.u64(),
            first_sequence: fields.u64(),
            last_sequence: fields.u64(),
            frames: fields.u32(),
            page: fields.u32(),
            payload_len,
        };
        if size_bytes(payload_len as usize) > BLOCK_LEN_MAX {
            return Err(NoBlock::Length { len: payload_len });
        }
        Ok((header, raw))
    }
}

/// The fields that matter to whoever reads a block, not to whoever uses it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RawFields {
    pub(crate) version: u16,
    pub(crate) flags: u16,
    crc: u32,
}

/// Checks the whole block, of which `block` has at least header and payload, and that it stands where it belongs.
pub(crate) fn check_payload(block: &[u8], position: u64) -> Result<(BlockHeader, RawFields), NoBlock> {
    let (header, raw) = BlockHeader::parse(block)?;
    let len = header.payload_len;
    let (Some(head), Some(payload)) = (block.first_chunk(), block.get(HEADER_LEN..HEADER_LEN + len as usize)) else {
        return Err(NoBlock::Length { len });
    };
    let found = checksum(head, payload);
    if found != raw.crc {
        return Err(NoBlock::Checksum { expected: raw.crc, found });
    }
    if u64::from(header.page) * BLOCK_SIZE_BYTES as u64 != position {
        return Err(NoBlock::Astray { page: header.page });
    }
    Ok((header, raw))
}

/// Bytes of a block with this much payload: header and payload, up to whole pages.
pub(crate) const fn size_bytes(payload_len: usize) -> usize {
    (HEADER_LEN + payload_len).next_multiple_of(BLOCK_SIZE_BYTES)
}

fn checksum(head: &[u8; HEADER_LEN], payload: &[u8]) -> u32 {
    let before = head.get(..CRC_AT.start).unwrap_or_default();
    let behind = head.get(CRC_AT.end..).unwrap_or_default();
    crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(before), behind), payload)
}

struct Fields<'a> {
    rest: &'a [u8],
}

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        match self.rest.split_first_chunk::<N>() {
            Some((bytes, rest)) => {
                self.rest = rest;
                *bytes
            }
            None => unreachable!("the header's fields are within its length"),
        }
    }

    fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.take())
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }
}
