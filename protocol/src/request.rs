//! The only way a request body is decoded.

use bytes::Bytes;
use kafka_protocol::protocol::Request;
use thiserror::Error;

/// Why a body cannot be decoded. Kafka closes the connection, since it cannot tell how to answer either.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum DecodeError {
    #[error("the message types cannot read API {api_key} version {version}: {reason}")]
    Message {
        api_key: i16,
        version: i16,
        reason: String,
    },
    #[error("API {api_key} version {version} leaves {remaining} bytes unread behind the request")]
    TrailingBytes {
        api_key: i16,
        version: i16,
        remaining: usize,
    },
}

/// Decodes a request body; byte fields (such as a produce request's records) are slices of `body`, not copies.
///
/// # Errors
/// When the bytes are not a `T` of that version, from the first to the last.
pub fn decode_request<T: Request>(body: &mut Bytes, version: i16) -> Result<T, DecodeError> {
    let api_key = T::KEY;
    let request = T::decode(body, version).map_err(|error| DecodeError::Message {
        api_key,
        version,
        reason: error.to_string(),
    })?;
    if !body.is_empty() {
        return Err(DecodeError::TrailingBytes {
            api_key,
            version,
            remaining: body.len(),
        });
    }
    Ok(request)
}
