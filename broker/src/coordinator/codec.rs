//! The words that records of coordinators are made of, as Kafka's generated classes write and read them.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use thalweg_protocol::StrBytes;
use thiserror::Error;

/// Why a record's bytes are not what they should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum CodecError {
    /// The bytes end too early.
    #[error("the record ends in the middle of its {0}")]
    Cut(&'static str),
    /// A length that is negative or beyond the end.
    #[error("the length of the record's {what} is {length}")]
    Length {
        /// The field.
        what: &'static str,
        /// What stands there.
        length: i64,
    },
    /// Not text.
    #[error("the record's {0} is not UTF-8")]
    Text(&'static str),
    /// A version from the future.
    #[error("the record's value has version {0}, which is not known")]
    Version(i16),
    /// A string that does not fit the format.
    #[error("the {what} of {length} bytes does not fit the record format")]
    TooLong {
        /// The field.
        what: &'static str,
        /// Its length in bytes.
        length: usize,
    },
}

/// A string of a flexible version: its length and one, as a varint, before it.
pub(super) fn put_compact(to: &mut BytesMut, text: &str) {
    put_varint(to, text.len() as u64 + 1);
    to.put_slice(text.as_bytes());
}

pub(super) fn put_varint(to: &mut BytesMut, mut value: u64) {
    while value > 0x7F {
        to.put_u8((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    to.put_u8(value as u8);
}

pub(super) fn put_string(to: &mut BytesMut, what: &'static str, text: &str) -> Result<(), CodecError> {
    let length = i16::try_from(text.len()).map_err(|_| CodecError::TooLong { what, length: text.len() })?;
    to.put_i16(length);
    to.put_slice(text.as_bytes());
    Ok(())
}

pub(super) fn put_nullable(to: &mut BytesMut, what: &'static str, text: Option<&StrBytes>) -> Result<(), CodecError> {
    match text {
        Some(text) => put_string(to, what, text),
        None => {
            to.put_i16(-1);
            Ok(())
        }
    }
}

pub(super) fn put_length(to: &mut BytesMut, what: &'static str, length: usize) -> Result<(), CodecError> {
    to.put_i32(i32::try_from(length).map_err(|_| CodecError::TooLong { what, length })?);
    Ok(())
}

pub(super) fn put_bytes(to: &mut BytesMut, what: &'static str, bytes: &[u8]) -> Result<(), CodecError> {
    put_length(to, what, bytes.len())?;
    to.put_slice(bytes);
    Ok(())
}

pub(super) fn compact(from: &mut &[u8], what: &'static str) -> Result<StrBytes, CodecError> {
    let length = varint(from, what)?.checked_sub(1).ok_or(CodecError::Length { what, length: -1 })?;
    let bytes = take(from, what, i64::try_from(length).unwrap_or(-1))?;
    std::str::from_utf8(bytes).map(own).map_err(|_| CodecError::Text(what))
}

pub(super) fn varint(from: &mut &[u8], what: &'static str) -> Result<u64, CodecError> {
    let mut value = 0;
    // Kafka's unsigned varints are of 32 bits: five bytes.
    for shift in (0..35).step_by(7) {
        let byte = from.try_get_u8().map_err(|_| CodecError::Cut(what))?;
        value |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(CodecError::Length { what, length: -1 })
}

pub(super) fn int32(from: &mut &[u8], what: &'static str) -> Result<i32, CodecError> {
    from.try_get_i32().map_err(|_| CodecError::Cut(what))
}

pub(super) fn int64(from: &mut &[u8], what: &'static str) -> Result<i64, CodecError> {
    from.try_get_i64().map_err(|_| CodecError::Cut(what))
}

pub(super) fn text(from: &mut &[u8], what: &'static str) -> Result<StrBytes, CodecError> {
    nullable(from, what)?.ok_or(CodecError::Length { what, length: -1 })
}

pub(super) fn nullable(from: &mut &[u8], what: &'static str) -> Result<Option<StrBytes>, CodecError> {
    let length = from.try_get_i16().map_err(|_| CodecError::Cut(what))?;
    if length == -1 {
        return Ok(None);
    }
    let bytes = take(from, what, i64::from(length))?;
    let text = std::str::from_utf8(bytes).map_err(|_| CodecError::Text(what))?;
    Ok(Some(own(text)))
}

pub(super) fn bytes(from: &mut &[u8], what: &'static str) -> Result<Bytes, CodecError> {
    let length = int32(from, what)?;
    Ok(Bytes::copy_from_slice(take(from, what, i64::from(length))?))
}

pub(super) fn take<'a>(from: &mut &'a [u8], what: &'static str, length: i64) -> Result<&'a [u8], CodecError> {
    let error = CodecError::Length { what, length };
    let (taken, rest) = from.split_at_checked(usize::try_from(length).map_err(|_| error)?).ok_or(error)?;
    *from = rest;
    Ok(taken)
}

/// Shows each tagged field to `see`.
pub(super) fn tagged<'a>(
    from: &mut &'a [u8],
    mut see: impl FnMut(u64, &'a [u8]) -> Result<(), CodecError>,
) -> Result<(), CodecError> {
    for _ in 0..varint(from, "tagged fields")? {
        let tag = varint(from, "tag")?;
        let length = varint(from, "tagged field")?;
        see(tag, take(from, "tagged field", i64::try_from(length).unwrap_or(-1))?)?;
    }
    Ok(())
}

/// A copy that owns exactly its bytes: what is kept must not pin the frame or the batch it came in.
pub(super) fn own(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
