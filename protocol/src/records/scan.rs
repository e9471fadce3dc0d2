//! Walks records without keeping them: what a broker must know of each before it takes a batch.
//!
//! The bytes come through a window (they may be being decompressed), so a batch of any size is walked in fixed memory.

use std::io::{self, BufRead, ErrorKind};

/// What validation asks of one record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Scanned {
    pub(super) timestamp_delta: i64,
    pub(super) offset_delta: i32,
    pub(super) has_key: bool,
}

/// Why a walk ended early.
#[derive(Debug)]
pub(super) enum ScanError {
    /// The record is not one; the reason.
    Bad(&'static str),
    /// The bytes could not be had.
    Read(io::Error),
}

impl From<io::Error> for ScanError {
    fn from(error: io::Error) -> Self {
        if error.kind() == ErrorKind::UnexpectedEof { Self::Bad("the batch ends within it") } else { Self::Read(error) }
    }
}

/// Walks over the next record.
pub(super) fn scan_record<R: BufRead>(reader: &mut R) -> Result<Scanned, ScanError> {
    let mut record = Bounded { reader, left: 5 };
    let length = record.varint()?;
    record.left = usize::try_from(length).map_err(|_| ScanError::Bad("its length is negative"))?;

    record.byte()?;
    let timestamp_delta = record.varlong()?;
    let offset_delta = record.varint()?;
    let has_key = record.skip_nullable()?;
    record.skip_nullable()?;
    let headers = record.varint()?;
    if headers < 0 {
        return Err(ScanError::Bad("its number of headers is negative"));
    }
    for _ in 0..headers {
        if !record.skip_nullable()? {
            return Err(ScanError::Bad("the key of a header is null"));
        }
        record.skip_nullable()?;
    }
    if record.left > 0 {
        return Err(ScanError::Bad("it is longer than its fields"));
    }
    Ok(Scanned { timestamp_delta, offset_delta, has_key })
}

/// Whether the bytes are at their end.
pub(super) fn at_end<R: BufRead>(reader: &mut R) -> io::Result<bool> {
    reader.fill_buf().map(<[u8]>::is_empty)
}

/// Reads no further than one record's own bytes.
struct Bounded<'a, R> {
    reader: &'a mut R,
    left: usize,
}

impl<R: BufRead> Bounded<'_, R> {
    fn byte(&mut self) -> Result<u8, ScanError> {
        self.left = self.left.checked_sub(1).ok_or(ScanError::Bad("its fields are longer than it is"))?;
        let byte = *self.reader.fill_buf()?.first().ok_or(ScanError::Bad("the batch ends within it"))?;
        self.reader.consume(1);
        Ok(byte)
    }

    fn leb128(&mut self, bytes_max: usize) -> Result<u64, ScanError> {
        let mut value = 0;
        for index in 0..bytes_max {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(ScanError::Bad("a number in it does not end"))
    }

    fn varint(&mut self) -> Result<i32, ScanError> {
        let raw = u32::try_from(self.leb128(5)?).map_err(|_| ScanError::Bad("a number in it is too large"))?;
        Ok((raw >> 1).cast_signed() ^ -((raw & 1).cast_signed()))
    }

    fn varlong(&mut self) -> Result<i64, ScanError> {
        let raw = self.leb128(10)?;
        Ok((raw >> 1).cast_signed() ^ -((raw & 1).cast_signed()))
    }

    /// Skips bytes behind their length; false for null.
    fn skip_nullable(&mut self) -> Result<bool, ScanError> {
        let Ok(size) = usize::try_from(self.varint()?) else {
            return Ok(false);
        };
        self.left = self.left.checked_sub(size).ok_or(ScanError::Bad("its fields are longer than it is"))?;
        let mut left = size;
        while left > 0 {
            let available = self.reader.fill_buf()?.len();
            if available == 0 {
                return Err(ScanError::Bad("the batch ends within it"));
            }
            let skipped = available.min(left);
            self.reader.consume(skipped);
            left -= skipped;
        }
        Ok(true)
    }
}
