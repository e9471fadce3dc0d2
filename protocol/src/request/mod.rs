//! The only way a request body is decoded: first walked over its shape, then decoded by the message types.

mod guard;
mod schema;
mod shape;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use kafka_protocol::protocol::Request;
use thiserror::Error;

pub use guard::{ELEMENTS_MAX, GuardError, check_body};

/// Why a body cannot be decoded. Kafka closes the connection, since it cannot tell how to answer either.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum DecodeError {
    #[error("a body is not API {api_key} version {version}: {source}")]
    Shape { api_key: i16, version: i16, source: GuardError },
    #[error("a body cannot be read as API {api_key} version {version}: {reason}")]
    Message { api_key: i16, version: i16, reason: String },
}

/// Decodes a request body; byte fields (such as a produce request's records) are slices of `body`, not copies.
///
/// # Errors
/// When the bytes do not begin with a `T` of that version. Nothing was allocated by then in
/// proportion to a length that the bytes claim.
pub fn decode_request<T: Request>(body: &mut Bytes, version: i16) -> Result<T, DecodeError> {
    let api_key = T::KEY;
    let message = |reason| DecodeError::Message { api_key, version, reason };
    if version < T::VERSIONS.min || version > T::VERSIONS.max {
        return Err(message("the version is unknown".to_owned()));
    }
    let behind =
        check_body(api_key, version, body).map_err(|source| DecodeError::Shape { api_key, version, source })?;
    let request = T::decode(body, version).map_err(|error| message(error.to_string()))?;
    if body.len() != behind {
        return Err(message(format!("the decoder left {} bytes, the walk over the shape {behind}", body.len())));
    }
    body.clear();
    Ok(request)
}
