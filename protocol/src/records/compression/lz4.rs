//! LZ4 in its frame format, as Kafka restricts it: `Lz4BlockInputStream` reads one frame of independent blocks, so what
//! it could not read is refused here too, before a consumer meets it.
//!
//! The wrong header checksum of Kafka before 0.10 (KAFKA-3160) goes with message formats 0 and 1 only.

use std::io::{self, BufRead, Write};

use lz4::liblz4::{BlockChecksum, ContentChecksum};
use lz4::{BlockMode as HighBlockMode, BlockSize as HighBlockSize, EncoderBuilder};
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

/// Kafka's default level, which stands for the fast mode (`Lz4BlockOutputStream`).
const LEVEL_FAST: i32 = 9;
/// Below this the C library's frames would be of the fast mode too, where Kafka's are not.
const LEVEL_HIGH_MIN: u32 = 3;

/// Writes the frame that Kafka's producer writes: independent blocks of 64 KiB, no content size, no checksums.
pub(super) enum Writer<W: Write> {
    Fast(FrameEncoder<W>),
    /// The high-compression mode, which only the C library has.
    High(lz4::Encoder<W>),
}

impl<W: Write> Writer<W> {
    pub(super) fn new(level: Option<i32>, out: W) -> io::Result<Self> {
        match level.filter(|level| *level != LEVEL_FAST) {
            None => {
                let info = FrameInfo::new().block_mode(BlockMode::Independent).block_size(BlockSize::Max64KB);
                Ok(Self::Fast(FrameEncoder::with_frame_info(info, out)))
            }
            Some(level) => EncoderBuilder::new()
                .block_mode(HighBlockMode::Independent)
                .block_size(HighBlockSize::Max64KB)
                .block_checksum(BlockChecksum::NoBlockChecksum)
                .checksum(ContentChecksum::NoChecksum)
                .level(u32::try_from(level).unwrap_or_default().max(LEVEL_HIGH_MIN))
                .build(out)
                .map(Self::High),
        }
    }

    pub(super) fn finish(self) -> io::Result<W> {
        match self {
            Self::Fast(encoder) => encoder.finish().map_err(io::Error::other),
            Self::High(encoder) => {
                let (out, result) = encoder.finish();
                result.map(|()| out)
            }
        }
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Fast(encoder) => encoder.write(bytes),
            Self::High(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Fast(encoder) => encoder.flush(),
            Self::High(encoder) => encoder.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::io::Read as _;

    use super::*;

    fn compressed(level: Option<i32>, bytes: &[u8]) -> Vec<u8> {
        let mut writer = Writer::new(level, Vec::new()).unwrap();
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    }

    /// Text of few words: what the high mode finds and the fast one does not.
    fn text() -> Vec<u8> {
        let mut state = 7_u32;
        let words = ["stream ", "offset ", "partition ", "leader ", "broker ", "record ", "epoch ", "batch "];
        let word = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            words.get((state >> 29) as usize).unwrap().as_bytes()
        });
        word.take(30_000).flatten().copied().collect()
    }

    #[test]
    fn higher_levels_compress_more_and_all_are_read_alike() {
        let text = text();
        let sizes: Vec<usize> = [None, Some(1), Some(12)]
            .into_iter()
            .map(|level| {
                let bytes = compressed(level, &text);
                assert_eq!(
                    bytes.get(4..6).unwrap(),
                    [VERSION_1 | BLOCKS_INDEPENDENT, 0x40],
                    "the frame of Kafka's producer"
                );
                let mut read = Vec::new();
                reader(&bytes).unwrap().read_to_end(&mut read).unwrap();
                assert!(read == text, "{level:?}");
                bytes.len()
            })
            .collect();
        assert!(sizes.is_sorted_by(|a, b| a > b), "{sizes:?}");
        assert_eq!(compressed(Some(LEVEL_FAST), &text), compressed(None, &text));
    }
}
