//! Snappy, in two shapes: a raw block (librdkafka), and the framing of the xerial `snappy-java` library (Java clients):
//! a header of 16 bytes, then blocks, each behind its size in four bytes.

use std::io::{self, BufRead, Read, Write};

use snap::raw::{Decoder, Encoder, decompress_len, max_compress_len};

const XERIAL_MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
/// Magic, then version 1 and compatible with version 1.
const XERIAL_HEADER: [u8; 16] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1];
/// What `snappy-java` compresses at a time.
const BLOCK_SIZE_BYTES: usize = 32 * 1024;
/// The densest element of the format, a copy of 64 bytes in 3, makes a block grow less than this.
const EXPANSION_MAX: usize = 22;

pub(super) fn reader<'a>(compressed: &'a [u8], limit_bytes: usize) -> io::Result<Box<dyn BufRead + 'a>> {
    let blocks = match compressed.strip_prefix(&XERIAL_MAGIC) {
        Some(rest) => Blocks::Xerial(rest.get(8..).ok_or_else(|| cut("header"))?),
        None => Blocks::Raw(compressed),
    };
    Ok(Box::new(Reader { blocks, block: Vec::new(), position: 0, limit_bytes }))
}

fn cut(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, format!("a snappy {what} is cut"))
}

enum Blocks<'a> {
    Raw(&'a [u8]),
    Xerial(&'a [u8]),
}

impl<'a> Blocks<'a> {
    /// The next compressed block.
    fn next(&mut self) -> io::Result<Option<&'a [u8]>> {
        match self {
            Self::Raw([]) | Self::Xerial([]) => Ok(None),
            Self::Raw(block) => Ok(Some(std::mem::take(block))),
            Self::Xerial(rest) => {
                // Streams that were appended to each other repeat the header (`SnappyInputStream.hasNextChunk`).
                if let Some(behind) = rest.strip_prefix(&XERIAL_MAGIC) {
                    *rest = behind.get(8..).ok_or_else(|| cut("header"))?;
                    return self.next_sized();
                }
                self.next_sized()
            }
        }
    }

    fn next_sized(&mut self) -> io::Result<Option<&'a [u8]>> {
        let Self::Xerial(rest) = self else {
            return Ok(None);
        };
        if rest.is_empty() {
            return Ok(None);
        }
        let (size, behind) = rest.split_first_chunk::<4>().ok_or_else(|| cut("block size"))?;
        let size = usize::try_from(i32::from_be_bytes(*size)).map_err(|_| cut("block"))?;
        let (block, behind) = behind.split_at_checked(size).ok_or_else(|| cut("block"))?;
        *rest = behind;
        Ok(Some(block))
    }
}

struct Reader<'a> {
    blocks: Blocks<'a>,
    block: Vec<u8>,
    position: usize,
    limit_bytes: usize,
}

impl Reader<'_> {
    fn decompress(&mut self, compressed: &[u8]) -> io::Result<()> {
        let claimed = decompress_len(compressed).map_err(io::Error::other)?;
        if claimed > compressed.len().saturating_mul(EXPANSION_MAX) {
            return Err(io::Error::other("a snappy block claims more bytes than it can hold"));
        }
        // One byte beyond the limit is enough to be told that there are too many.
        if claimed > self.limit_bytes {
            return Err(io::Error::other(super::LimitReached));
        }
        self.block.resize(claimed, 0);
        let written = Decoder::new().decompress(compressed, &mut self.block).map_err(io::Error::other)?;
        self.block.truncate(written);
        self.position = 0;
        Ok(())
    }
}

impl BufRead for Reader<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.position >= self.block.len() {
            match self.blocks.next()? {
                Some(compressed) => self.decompress(compressed)?,
                None => return Ok(&[]),
            }
        }
        Ok(self.block.get(self.position..).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.position += count;
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

/// Writes the xerial framing, which every client reads.
pub(super) struct Writer<W> {
    out: W,
    encoder: Encoder,
    gathered: Vec<u8>,
    compressed: Vec<u8>,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(mut out: W) -> io::Result<Self> {
        out.write_all(&XERIAL_HEADER)?;
        let compressed = vec![0; max_compress_len(BLOCK_SIZE_BYTES)];
        Ok(Self { out, encoder: Encoder::new(), gathered: Vec::with_capacity(BLOCK_SIZE_BYTES), compressed })
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        self.write_block()?;
        Ok(self.out)
    }

    fn write_block(&mut self) -> io::Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let size = self.encoder.compress(&self.gathered, &mut self.compressed).map_err(io::Error::other)?;
        let announced = i32::try_from(size).map_err(io::Error::other)?;
        self.out.write_all(&announced.to_be_bytes())?;
        self.out.write_all(self.compressed.get(..size).unwrap_or_default())?;
        self.gathered.clear();
        Ok(())
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = BLOCK_SIZE_BYTES - self.gathered.len();
        let taken = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        self.gathered.extend_from_slice(taken);
        if self.gathered.len() == BLOCK_SIZE_BYTES {
            self.write_block()?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
