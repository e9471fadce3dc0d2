//! LZ4 in its frame format, as Kafka restricts it: `Lz4BlockInputStream` reads one frame of independent blocks, so what
//! it could not read is refused here too, before a consumer meets it.
//!
//! The wrong header checksum of Kafka before 0.10 (KAFKA-3160) goes with message formats 0 and 1 only.

use std::io::{self, BufRead, Write};

use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

const MAGIC: [u8; 4] = 0x184D_2204_u32.to_le_bytes();
/// Of the byte behind the magic: version (two bits, 01) and block independence.
const VERSION_MASK: u8 = 0xc0;
const VERSION_1: u8 = 0x40;
const BLOCKS_INDEPENDENT: u8 = 0x20;

pub(super) fn reader<'a>(compressed: &'a [u8]) -> io::Result<Box<dyn BufRead + 'a>> {
    let flags = match compressed.strip_prefix(&MAGIC).and_then(|rest| rest.first()) {
        Some(flags) => *flags,
        None => return Err(io::Error::other("it does not begin with an LZ4 frame")),
    };
    if flags & VERSION_MASK != VERSION_1 {
        return Err(io::Error::other("the version of its LZ4 frame is unknown"));
    }
    if flags & BLOCKS_INDEPENDENT == 0 {
        return Err(io::Error::other(
            "the blocks of its LZ4 frame depend on each other, which Kafka's clients cannot read",
        ));
    }
    Ok(Box::new(FrameDecoder::new(compressed)))
}

/// Writes the frame that Kafka's producer writes: independent blocks of 64 KiB, no content size, no checksums.
pub(super) fn writer<W: Write>(out: W) -> FrameEncoder<W> {
    let info = FrameInfo::new().block_mode(BlockMode::Independent).block_size(BlockSize::Max64KB);
    FrameEncoder::with_frame_info(info, out)
}
