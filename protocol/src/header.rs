//! Request headers.

use bytes::{Buf, Bytes};
use kafka_protocol::protocol::StrBytes;
use thiserror::Error;

use crate::api::known_api;
use crate::messages::ApiKey;
use crate::wire::{Reader, WireError};

/// The bytes that every header version begins with: API key, API version, correlation id.
const FIXED_LEN: usize = 8;

/// What stands before a request's body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestHead {
    pub api_key: i16,
    pub api_version: i16,
    pub correlation_id: i32,
    /// `None` also when the API or version is unknown, as the rest of the header is then not read.
    pub client_id: Option<StrBytes>,
}

impl RequestHead {
    /// The API, when both it and the version can be decoded.
    pub fn known_api(&self) -> Option<ApiKey> {
        known_api(self.api_key, self.api_version)
    }
}

/// Why a header cannot be read. There is nobody to answer then: the connection closes, as Kafka's does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum HeadError {
    #[error("a request of {available} bytes is shorter than any request header")]
    TooShort { available: usize },
    #[error("the header of a request (API {api_key} version {api_version}) is damaged: {source}")]
    Damaged { api_key: i16, api_version: i16, source: WireError },
    #[error("the client id of a request (API {api_key} version {api_version}) is not UTF-8")]
    ClientIdNotUtf8 { api_key: i16, api_version: i16 },
}

/// Reads a request header and leaves `frame` at the body.
///
/// Key, version and correlation id have stood at the same place in every version, so they are read even from a version
/// of the future: a broker answers an unknown ApiVersions version in version 0 (KIP-511). When API or version are
/// unknown, the rest of the header is left in `frame`, since its shape is unknown too.
///
/// # Errors
/// When the frame is shorter than a header, or a known header is damaged.
pub fn parse_head(frame: &mut Bytes) -> Result<RequestHead, HeadError> {
    let mut reader = Reader::new(frame);
    let too_short = |_| HeadError::TooShort { available: frame.len() };
    let api_key = reader.i16().map_err(too_short)?;
    let api_version = reader.i16().map_err(too_short)?;
    let correlation_id = reader.i32().map_err(too_short)?;
    let Some(api) = known_api(api_key, api_version) else {
        frame.advance(FIXED_LEN);
        return Ok(RequestHead { api_key, api_version, correlation_id, client_id: None });
    };

    let flexible = api.request_header_version(api_version) >= 2;
    let damaged = |source| HeadError::Damaged { api_key, api_version, source };
    let client_id_len = read_rest(&mut reader, flexible).map_err(damaged)?;
    let header_len = frame.len() - reader.remaining();
    let header = frame.split_to(header_len);
    let client_id = match client_id_len {
        None => None,
        Some(len) => {
            let begin = FIXED_LEN + 2;
            let text = StrBytes::from_utf8(header.slice(begin..begin + len));
            Some(text.map_err(|_| HeadError::ClientIdNotUtf8 { api_key, api_version })?)
        }
    };
    Ok(RequestHead { api_key, api_version, correlation_id, client_id })
}

/// Reads client id and tagged fields; gives the client id's length. The client id has a two-byte length even in the
/// flexible header, so that a broker can read it whatever the version (KIP-482).
fn read_rest(reader: &mut Reader<'_>, flexible: bool) -> Result<Option<usize>, WireError> {
    let length = reader.i16()?;
    let client_id_len = match usize::try_from(length) {
        Ok(len) => {
            reader.take(len)?;
            Some(len)
        }
        Err(_) if length == -1 => None,
        Err(_) => {
            return Err(WireError::NegativeLength { length: i64::from(length) });
        }
    };
    if flexible {
        for _ in 0..reader.unsigned_varint()? {
            reader.unsigned_varint()?;
            let size = reader.unsigned_varint()?;
            reader.take(size as usize)?;
        }
    }
    Ok(client_id_len)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use bytes::{BufMut, BytesMut};
    use proptest::prelude::*;

    use super::*;

    fn frame(api_key: i16, api_version: i16, rest: &[u8]) -> Bytes {
        let mut bytes = BytesMut::new();
        bytes.put_i16(api_key);
        bytes.put_i16(api_version);
        bytes.put_i32(77);
        bytes.put_slice(rest);
        bytes.freeze()
    }

    #[test]
    fn the_header_is_consumed_up_to_the_body() {
        let mut plain = frame(3, 1, b"\x00\x03abcbody");
        let head = parse_head(&mut plain).unwrap();
        assert_eq!((head.api_key, head.api_version, head.correlation_id), (3, 1, 77));
        assert_eq!(head.client_id.as_deref(), Some("abc"));
        assert_eq!(head.known_api(), Some(ApiKey::Metadata));
        assert_eq!(&plain[..], b"body");

        let mut flexible = frame(3, 9, b"\xff\xff\x02\x05\x02xx\x90\x01\x00body");
        assert_eq!(parse_head(&mut flexible).unwrap().client_id, None);
        assert_eq!(&flexible[..], b"body");
    }

    #[test]
    fn a_version_of_the_future_still_has_a_correlation_id() {
        for (api_key, api_version) in [(18, 999), (18, -1), (999, 0), (0, 2)] {
            let mut unknown = frame(api_key, api_version, b"whatever");
            let head = parse_head(&mut unknown).unwrap();
            assert_eq!((head.correlation_id, head.client_id.clone(), head.known_api()), (77, None, None));
            assert_eq!(&unknown[..], b"whatever");
        }
    }

    #[test]
    fn damaged_headers_are_errors() {
        assert_eq!(parse_head(&mut Bytes::from_static(&[0; 7])), Err(HeadError::TooShort { available: 7 }));
        let damaged = |source| Err(HeadError::Damaged { api_key: 3, api_version: 9, source });
        let negative = damaged(WireError::NegativeLength { length: -2 });
        assert_eq!(parse_head(&mut frame(3, 9, b"\xff\xfe")), negative);
        let cut = damaged(WireError::Truncated { needed: 4, available: 3 });
        assert_eq!(parse_head(&mut frame(3, 9, b"\x00\x04abc")), cut);
        let endless = damaged(WireError::Truncated { needed: 1, available: 0 });
        assert_eq!(parse_head(&mut frame(3, 9, b"\xff\xff\xff\xff\xff\xff\x0f")), endless);
        let not_text = Err(HeadError::ClientIdNotUtf8 { api_key: 3, api_version: 9 });
        assert_eq!(parse_head(&mut frame(3, 9, b"\x00\x01\xff\x00")), not_text);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_header_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let length = bytes.len();
            let mut frame = Bytes::from(bytes);
            if parse_head(&mut frame).is_ok() {
                prop_assert!(frame.len() + FIXED_LEN <= length);
            }
        }
    }
}
