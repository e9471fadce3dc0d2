//! Kafka's four codecs, both ways, in the framings that clients read and write.
//!
//! Decompression streams through a window of fixed size and stops at a limit of output bytes, so a few bytes that claim
//! to be gigabytes cost neither memory nor unbounded time.

mod lz4;
mod snappy;

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};

use super::header::RecordError;

/// Bytes of the window through which streams without a buffer of their own are read.
const WINDOW_SIZE_BYTES: usize = 16 * 1024;

/// How the records of a batch are compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum Compression {
    #[default]
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Compression {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The codec with this number in a batch's attributes.
    pub const fn from_id(id: i16) -> Option<Self> {
        match id {
            0 => Some(Self::None),
            1 => Some(Self::Gzip),
            2 => Some(Self::Snappy),
            3 => Some(Self::Lz4),
            4 => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Its number in a batch's attributes.
    pub const fn id(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// Its name in Kafka's configuration, where `None` is also called `uncompressed`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// The codec of this name, either of those that Kafka's producer and topic configuration use.
    pub fn from_name(name: &str) -> Option<Self> {
        if name == "uncompressed" {
            return Some(Self::None);
        }
        Self::ALL.into_iter().find(|codec| codec.name() == name)
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A codec and how hard it tries.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct Codec {
    pub compression: Compression,
    /// In the codec's own scale (`compression.gzip.level`, `compression.lz4.level`, `compression.zstd.level`); `None`
    /// is its default.
    pub level: Option<i32>,
}

impl From<Compression> for Codec {
    fn from(compression: Compression) -> Self {
        Self { compression, level: None }
    }
}

/// Reads decompressed bytes, and fails once they are more than the limit.
pub(super) struct Decompressor<'a> {
    inner: Box<dyn BufRead + 'a>,
    codec: Compression,
    limit_bytes: usize,
    left_bytes: usize,
}

/// Marks an [`io::Error`] as "more output than allowed".
#[derive(Debug)]
struct LimitReached;

impl fmt::Display for LimitReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too much output")
    }
}

impl std::error::Error for LimitReached {}

impl<'a> Decompressor<'a> {
    pub(super) fn new(codec: Compression, compressed: &'a [u8], limit_bytes: usize) -> Result<Self, RecordError> {
        let inner: io::Result<Box<dyn BufRead + 'a>> = match codec {
            Compression::None => Ok(Box::new(compressed)),
            Compression::Gzip => Ok(windowed(flate2::bufread::MultiGzDecoder::new(compressed))),
            Compression::Snappy => snappy::reader(compressed, limit_bytes),
            Compression::Lz4 => lz4::reader(compressed),
            Compression::Zstd => zstd::stream::read::Decoder::with_buffer(compressed).map(windowed),
        };
        let inner = inner.map_err(|error| decompress_error(codec, limit_bytes, &error))?;
        Ok(Self { inner, codec, limit_bytes, left_bytes: limit_bytes })
    }

    /// What an error that came out of reading means.
    pub(super) fn explain(&self) -> impl Fn(&io::Error) -> RecordError + use<> {
        let (codec, limit_bytes) = (self.codec, self.limit_bytes);
        move |error| decompress_error(codec, limit_bytes, error)
    }
}

fn windowed<'a, R: Read + 'a>(reader: R) -> Box<dyn BufRead + 'a> {
    Box::new(BufReader::with_capacity(WINDOW_SIZE_BYTES, reader))
}

fn decompress_error(codec: Compression, limit_bytes: usize, error: &io::Error) -> RecordError {
    if error.get_ref().is_some_and(|inner| inner.is::<LimitReached>()) {
        return RecordError::DecompressedTooLarge { codec, limit_bytes };
    }
    RecordError::Decompress { codec, reason: error.to_string() }
}

impl BufRead for Decompressor<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let available = self.inner.fill_buf()?;
        if self.left_bytes == 0 && !available.is_empty() {
            return Err(io::Error::other(LimitReached));
        }
        let allowed = available.len().min(self.left_bytes);
        Ok(available.get(..allowed).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.left_bytes = self.left_bytes.saturating_sub(count);
        self.inner.consume(count);
    }
}

impl Read for Decompressor<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

/// The decompressed bytes.
///
/// # Errors
/// When they are not the codec's, or decompress to more than `limit_bytes`.
pub fn decompress(codec: Compression, compressed: &[u8], limit_bytes: usize) -> Result<Vec<u8>, RecordError> {
    let mut reader = Decompressor::new(codec, compressed, limit_bytes)?;
    let explain = reader.explain();
    let mut out = Vec::with_capacity(compressed.len().saturating_mul(2).min(limit_bytes));
    reader.read_to_end(&mut out).map_err(|error| explain(&error))?;
    Ok(out)
}

/// The compressed bytes, in the framing that Kafka's own producer writes.
///
/// # Errors
/// When the level is not one of the codec's.
pub fn compress(codec: Codec, bytes: &[u8]) -> Result<Vec<u8>, RecordError> {
    let mut compressor = Compressor::new(codec, Vec::new(), usize::MAX)?;
    let result = compressor.write_all(bytes);
    result.map_err(|error| compressor.explain(&error))?;
    compressor.finish()
}

/// Where compressed bytes gather, up to a limit.
struct Capped {
    out: Vec<u8>,
    limit_bytes: usize,
}

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.out.len().saturating_add(bytes.len()) > self.limit_bytes {
            return Err(io::Error::other(LimitReached));
        }
        self.out.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum Stream {
    None(Capped),
    Gzip(flate2::write::GzEncoder<Capped>),
    Snappy(Box<snappy::Writer<Capped>>),
    Lz4(Box<lz4::Writer<Capped>>),
    Zstd(zstd::stream::write::Encoder<'static, Capped>),
}

/// Compresses what is written to it.
pub(super) struct Compressor {
    stream: Stream,
    codec: Compression,
    limit_bytes: usize,
}

impl Compressor {
    /// Appends to `out`, which may become at most `limit_bytes` long.
    pub(super) fn new(codec: Codec, out: Vec<u8>, limit_bytes: usize) -> Result<Self, RecordError> {
        let compression = codec.compression;
        let out = Capped { out, limit_bytes };
        let stream = match compression {
            Compression::None => Ok(Stream::None(out)),
            Compression::Gzip => Ok(Stream::Gzip(flate2::write::GzEncoder::new(out, gzip_level(codec.level)))),
            Compression::Snappy => snappy::Writer::new(out).map(|writer| Stream::Snappy(Box::new(writer))),
            Compression::Lz4 => lz4::Writer::new(codec.level, out).map(|writer| Stream::Lz4(Box::new(writer))),
            Compression::Zstd => {
                let level = codec.level.unwrap_or(zstd::DEFAULT_COMPRESSION_LEVEL);
                zstd::stream::write::Encoder::new(out, level).map(Stream::Zstd)
            }
        };
        let stream = stream.map_err(|error| decompress_error(compression, limit_bytes, &error))?;
        Ok(Self { stream, codec: compression, limit_bytes })
    }

    pub(super) fn explain(&self, error: &io::Error) -> RecordError {
        decompress_error(self.codec, self.limit_bytes, error)
    }

    /// Ends the stream and gives back what it was appended to.
    pub(super) fn finish(self) -> Result<Vec<u8>, RecordError> {
        let out = match self.stream {
            Stream::None(out) => Ok(out),
            Stream::Gzip(encoder) => encoder.finish(),
            Stream::Snappy(writer) => writer.finish(),
            Stream::Lz4(writer) => writer.finish(),
            Stream::Zstd(encoder) => encoder.finish(),
        };
        out.map(|capped| capped.out).map_err(|error| decompress_error(self.codec, self.limit_bytes, &error))
    }
}

fn gzip_level(level: Option<i32>) -> flate2::Compression {
    match level.and_then(|level| u32::try_from(level).ok()) {
        Some(level) => flate2::Compression::new(level.min(9)),
        None => flate2::Compression::default(),
    }
}

impl Write for Compressor {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.stream {
            Stream::None(out) => out.write(bytes),
            Stream::Gzip(encoder) => encoder.write(bytes),
            Stream::Snappy(writer) => writer.write(bytes),
            Stream::Lz4(encoder) => encoder.write(bytes),
            Stream::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
