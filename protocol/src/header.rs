//! Request headers.

use bytes::{Buf, Bytes};
use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::StrBytes;
use thiserror::Error;

use crate::api::known_api;
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
