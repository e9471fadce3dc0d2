//! The words of flexible records that the other records of groups do without.

use bytes::{Buf, Bytes, BytesMut};
use thalweg_protocol::StrBytes;

use crate::coordinator::codec::{CodecError, own, put_compact, put_varint, take, varint};

pub(in crate::coordinator::group) fn put_compact_nullable(to: &mut BytesMut, text: Option<&str>) {
    match text {
        Some(text) => put_compact(to, text),
        None => put_varint(to, 0),
    }
}

pub(in crate::coordinator::group) fn compact_nullable(
    from: &mut &[u8],
    what: &'static str,
) -> Result<Option<StrBytes>, CodecError> {
    let Some(length) = varint(from, what)?.checked_sub(1) else { return Ok(None) };
    let bytes = take(from, what, i64::try_from(length).unwrap_or(-1))?;
    std::str::from_utf8(bytes).map(|text| Some(own(text))).map_err(|_| CodecError::Text(what))
}

pub(in crate::coordinator::group) fn compact_bytes(from: &mut &[u8], what: &'static str) -> Result<Bytes, CodecError> {
    let length = varint(from, what)?.saturating_sub(1);
    Ok(Bytes::copy_from_slice(take(from, what, i64::try_from(length).unwrap_or(-1))?))
}

pub(in crate::coordinator::group) fn int8(from: &mut &[u8], what: &'static str) -> Result<i8, CodecError> {
    from.try_get_i8().map_err(|_| CodecError::Cut(what))
}
