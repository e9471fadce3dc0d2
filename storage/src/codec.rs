//! Reading and writing of this crate's own little-endian formats: fixed numbers and length-prefixed bytes.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

/// Why encoded bytes make no sense. The caller knows which file they came from.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CodecError {
    #[error("it ends within {what}")]
    Truncated { what: &'static str },
    #[error("{what} cannot be {found}")]
    BadValue { what: &'static str, found: u64 },
    #[error("{what} is not UTF-8")]
    NotUtf8 { what: &'static str },
    #[error("it is not of this kind: magic {found:#018x}")]
    BadMagic { found: u64 },
    #[error("format version {found} is unknown; this program reads {known}")]
    BadVersion { found: u16, known: u16 },
    #[error("checksum {stored:#010x} does not match its bytes, which give {computed:#010x}")]
    ChecksumMismatch { stored: u32, computed: u32 },
    #[error("{count} bytes follow where it should end")]
    TrailingBytes { count: usize },
}

/// Takes values off the front of encoded bytes.
pub(crate) struct Reader {
    rest: Bytes,
}

impl Reader {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self { rest: bytes }
    }

    fn need(&self, count: usize, what: &'static str) -> Result<(), CodecError> {
        if self.rest.len() < count { Err(CodecError::Truncated { what }) } else { Ok(()) }
    }

    pub(crate) fn u8(&mut self, what: &'static str) -> Result<u8, CodecError> {
        self.need(1, what)?;
        Ok(self.rest.get_u8())
    }

    pub(crate) fn u16(&mut self, what: &'static str) -> Result<u16, CodecError> {
        self.need(2, what)?;
        Ok(self.rest.get_u16_le())
    }

    pub(crate) fn u32(&mut self, what: &'static str) -> Result<u32, CodecError> {
        self.need(4, what)?;
        Ok(self.rest.get_u32_le())
    }

    pub(crate) fn u64(&mut self, what: &'static str) -> Result<u64, CodecError> {
        self.need(8, what)?;
        Ok(self.rest.get_u64_le())
    }

    pub(crate) fn i64(&mut self, what: &'static str) -> Result<i64, CodecError> {
        self.u64(what).map(u64::cast_signed)
    }

    pub(crate) fn i32(&mut self, what: &'static str) -> Result<i32, CodecError> {
        self.u32(what).map(u32::cast_signed)
    }

    /// Length-prefixed bytes, sharing the input's memory.
    pub(crate) fn bytes(&mut self, what: &'static str) -> Result<Bytes, CodecError> {
        let len = self.u32(what)? as usize;
        self.need(len, what)?;
        Ok(self.rest.split_to(len))
    }

    pub(crate) fn string(&mut self, what: &'static str) -> Result<String, CodecError> {
        String::from_utf8(self.bytes(what)?.to_vec()).map_err(|_| CodecError::NotUtf8 { what })
    }

    pub(crate) fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], CodecError> {
        self.need(N, what)?;
        let mut array = [0; N];
        self.rest.copy_to_slice(&mut array);
        Ok(array)
    }

    /// A count of items of which each takes at least `least_bytes`: never more than the input could hold.
    pub(crate) fn count(&mut self, least_bytes: usize, what: &'static str) -> Result<usize, CodecError> {
        let count = self.u32(what)? as usize;
        if count.saturating_mul(least_bytes) > self.rest.len() {
            return Err(CodecError::BadValue { what, found: count as u64 });
        }
        Ok(count)
    }

    pub(crate) fn end(self) -> Result<(), CodecError> {
        if self.rest.is_empty() { Ok(()) } else { Err(CodecError::TrailingBytes { count: self.rest.len() }) }
    }
}

/// Lengths and counts are 32 bits wide.
pub(crate) trait WriteExt {
    fn put_count(&mut self, count: usize);
    fn put_prefixed(&mut self, bytes: &[u8]);
}

impl WriteExt for BytesMut {
    #[expect(clippy::expect_used, reason = "nothing in this crate gathers four thousand million of anything")]
    fn put_count(&mut self, count: usize) {
        self.put_u32_le(u32::try_from(count).expect("a count fits 32 bits"));
    }

    fn put_prefixed(&mut self, bytes: &[u8]) {
        self.put_count(bytes.len());
        self.put_slice(bytes);
    }
}
