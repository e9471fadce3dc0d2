//! Reading Kafka's primitive types from borrowed bytes. Every read is checked; nothing is allocated.

use bytes::{BufMut, BytesMut};
use thiserror::Error;

/// Why bytes could not be read as the primitive they should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum WireError {
    #[error("the bytes end after {available} of {needed} bytes needed")]
    Truncated { needed: usize, available: usize },
    #[error("a variable-length integer does not end within {bytes_max} bytes")]
    VarintTooLong { bytes_max: usize },
    #[error("length {length} is negative where a value must be")]
    NegativeLength { length: i64 },
    #[error("version {version} is not known")]
    UnknownVersion { version: i16 },
}

/// A position in borrowed bytes that only moves forward.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next `count` bytes, without copying them.
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let (head, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or(WireError::Truncated { needed: count, available: self.rest.len() })?;
        self.rest = rest;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (head, rest) =
            self.rest.split_first_chunk::<N>().ok_or(WireError::Truncated { needed: N, available: self.rest.len() })?;
        self.rest = rest;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, WireError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn i16(&mut self) -> Result<i16, WireError> {
        self.array().map(i16::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, WireError> {
        self.array().map(i32::from_be_bytes)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, WireError> {
        self.array().map(i64::from_be_bytes)
    }

    /// The length of an array or of bytes, in four bytes or compact; `None` for null.
    pub(crate) fn length(&mut self, compact: bool) -> Result<Option<usize>, WireError> {
        if compact {
            return Ok(self.unsigned_varint()?.checked_sub(1).map(|length| length as usize));
        }
        Ok(usize::try_from(self.i32()?).ok())
    }

    /// Bytes behind their length; null is read as none.
    pub(crate) fn bytes(&mut self, compact: bool) -> Result<&'a [u8], WireError> {
        let length = self.length(compact)?.unwrap_or_default();
        self.take(length)
    }

    /// Steps over tagged fields.
    pub(crate) fn skip_tags(&mut self) -> Result<(), WireError> {
        for _ in 0..self.unsigned_varint()? {
            self.unsigned_varint()?;
            let size = self.unsigned_varint()?;
            self.take(size as usize)?;
        }
        Ok(())
    }

    /// An unsigned LEB128 number of up to five bytes, as compact lengths and tags are written. Like Kafka's
    /// `ByteUtils.readUnsignedVarint`, a sixth byte is an error; unlike it, bits beyond the 32nd are one too.
    pub(crate) fn unsigned_varint(&mut self) -> Result<u32, WireError> {
        let value = self.leb128(5)?;
        u32::try_from(value).map_err(|_| WireError::VarintTooLong { bytes_max: 5 })
    }

    /// A zigzag number of up to five bytes, as lengths within records are written.
    pub(crate) fn varint(&mut self) -> Result<i32, WireError> {
        let raw = self.unsigned_varint()?;
        Ok((raw >> 1).cast_signed() ^ -((raw & 1).cast_signed()))
    }

    /// A zigzag number of up to ten bytes, as timestamps within records are written.
    pub(crate) fn varlong(&mut self) -> Result<i64, WireError> {
        let raw = self.leb128(10)?;
        Ok((raw >> 1).cast_signed() ^ -((raw & 1).cast_signed()))
    }

    fn leb128(&mut self, bytes_max: usize) -> Result<u64, WireError> {
        let mut value = 0_u64;
        for index in 0..bytes_max {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(WireError::VarintTooLong { bytes_max })
    }
}

/// Appends a number in unsigned LEB128.
pub(crate) fn put_unsigned_varint(out: &mut BytesMut, value: u32) {
    put_leb128(out, u64::from(value));
}

/// Appends a zigzag number of up to five bytes.
pub(crate) fn put_varint(out: &mut BytesMut, value: i32) {
    put_leb128(out, u64::from(zigzag32(value)));
}

/// Appends a zigzag number of up to ten bytes.
pub(crate) fn put_varlong(out: &mut BytesMut, value: i64) {
    put_leb128(out, zigzag64(value));
}

/// Bytes that [`put_varint`] writes.
pub(crate) const fn varint_len(value: i32) -> usize {
    leb128_len(zigzag32(value) as u64)
}

/// Bytes that [`put_varlong`] writes.
pub(crate) const fn varlong_len(value: i64) -> usize {
    leb128_len(zigzag64(value))
}

const fn zigzag32(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)).cast_unsigned()
}

const fn zigzag64(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

const fn leb128_len(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

fn put_leb128(out: &mut BytesMut, mut value: u64) {
    while value >= 0x80 {
        out.put_u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

#[cfg(test)]
mod tests {
    use super::{Reader, WireError};

    #[test]
    fn unsigned_varints_are_read_up_to_32_bits() {
        for (bytes, value) in
            [(&[0_u8][..], 0), (&[0x7f], 127), (&[0x80, 0x01], 128), (&[0xff, 0xff, 0xff, 0xff, 0x0f], u32::MAX)]
        {
            assert_eq!(Reader::new(bytes).unsigned_varint(), Ok(value));
        }
    }

    #[test]
    fn abused_varints_are_errors() {
        let too_long = Err(WireError::VarintTooLong { bytes_max: 5 });
        assert_eq!(Reader::new(&[0x80; 6]).unsigned_varint(), too_long);
        assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x1f]).unsigned_varint(), too_long);
        assert_eq!(Reader::new(&[0x80]).unsigned_varint(), Err(WireError::Truncated { needed: 1, available: 0 }));
    }
}
