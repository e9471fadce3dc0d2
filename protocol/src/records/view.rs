//! Batches where they lie: in a produce request, a segment, a fetch response.

use std::borrow::Cow;

use bytes::Bytes;

use super::header::{BatchHeader, RecordError};
use super::record::Records;
use super::stamp::compute_crc;
use super::{compression, header::at};

/// One batch within borrowed bytes.
#[derive(Clone, Copy, Debug)]
pub struct BatchView<'a> {
    pub header: BatchHeader,
    /// The whole batch, header included.
    pub bytes: &'a [u8],
}

impl<'a> BatchView<'a> {
    /// The batch at the beginning of `bytes`; more may follow it.
    ///
    /// # Errors
    /// When the header is bad or the batch is cut.
    pub fn first(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let header = BatchHeader::parse(bytes)?;
        let needed = header.size_bytes();
        let bytes = bytes.get(..needed).ok_or(RecordError::Truncated { needed, available: bytes.len() })?;
        Ok(Self { header, bytes })
    }

    /// Whether the bytes are those that were written.
    ///
    /// # Errors
    /// When the CRC is another.
    pub fn check_crc(&self) -> Result<(), RecordError> {
        let computed = compute_crc(self.bytes);
        if computed != self.header.crc {
            return Err(RecordError::CrcMismatch { stored: self.header.crc, computed });
        }
        Ok(())
    }

    /// The records as they lie behind the header, compressed if the header says so.
    pub fn body(&self) -> &'a [u8] {
        self.bytes.get(at::RECORDS..).unwrap_or_default()
    }

    /// The records, decompressed to at most `limit_bytes`, in memory of their own.
    ///
    /// # Errors
    /// When they cannot be decompressed; damaged records are found by the iterator.
    pub fn records(&self, limit_bytes: usize) -> Result<Records, RecordError> {
        let body = self.decompressed(limit_bytes)?;
        Ok(Records::new(self.header, Bytes::from(body.into_owned())))
    }

    /// The body, decompressed to at most `limit_bytes`; where it lies, if it is not compressed.
    ///
    /// # Errors
    /// When it cannot be decompressed.
    pub fn decompressed(&self, limit_bytes: usize) -> Result<Cow<'a, [u8]>, RecordError> {
        Ok(match self.header.attributes.compression()? {
            compression::Compression::None => Cow::Borrowed(self.body()),
            codec => Cow::Owned(compression::decompress(codec, self.body(), limit_bytes)?),
        })
    }
}

/// The batches in `bytes`, back to back. A batch that is cut at the end is left out, as consumers do with the end of a
/// fetch; a bad header is given as an error, behind which nothing can be found any more.
pub const fn batches(bytes: &[u8]) -> Batches<'_> {
    Batches { rest: bytes }
}

/// See [`batches`].
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    rest: &'a [u8],
}

impl<'a> Batches<'a> {
    /// The bytes behind the batches given so far.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<BatchView<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        match BatchView::first(self.rest) {
            Ok(view) => {
                self.rest = self.rest.get(view.bytes.len()..).unwrap_or_default();
                Some(Ok(view))
            }
            Err(RecordError::Truncated { .. }) => None,
            Err(error) => {
                self.rest = &[];
                Some(Err(error))
            }
        }
    }
}
