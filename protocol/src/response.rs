//! Responses: size, header, body.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::protocol::{Encodable, HeaderVersion};
use thiserror::Error;

/// Why a response cannot be written. It is our own fault: a field the version lacks, or more than a frame can hold.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum EncodeError {
    #[error("a response cannot be encoded in version {version}: {reason}")]
    Message { version: i16, reason: String },
    #[error("a response of {size_bytes} bytes does not fit a frame")]
    TooLarge { size_bytes: usize },
}

/// The whole frame: four bytes of size, the response header of the version that belongs to `version`, the body.
///
/// # Errors
/// When the body cannot be expressed in `version` or its size is beyond what a frame announces.
pub fn encode_response<T: Encodable + HeaderVersion>(
    correlation_id: i32,
    version: i16,
    body: &T,
) -> Result<Bytes, EncodeError> {
    let flexible = T::header_version(version) >= 1;
    let header_size = 4 + usize::from(flexible);
    let body_size =
        body.compute_size(version).map_err(|error| EncodeError::Message { version, reason: error.to_string() })?;
    let size_bytes = header_size + body_size;
    let announced = i32::try_from(size_bytes).map_err(|_| EncodeError::TooLarge { size_bytes })?;

    let mut frame = BytesMut::with_capacity(4 + size_bytes);
    frame.put_i32(announced);
    frame.put_i32(correlation_id);
    if flexible {
        frame.put_u8(0);
    }
    body.encode(&mut frame, version).map_err(|error| EncodeError::Message { version, reason: error.to_string() })?;
    assert_eq!(frame.len(), 4 + size_bytes, "the message's size was computed wrongly");
    Ok(frame.freeze())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use kafka_protocol::messages::{ApiVersionsResponse, MetadataResponse};

    use super::*;

    #[test]
    fn the_response_header_is_of_the_version_that_belongs_to_the_body() {
        let plain = encode_response(7, 1, &MetadataResponse::default()).unwrap();
        assert_eq!(&plain[..8], [0, 0, 0, 16, 0, 0, 0, 7]);
        assert_eq!(plain.len(), 20);
        let flexible = encode_response(7, 9, &MetadataResponse::default()).unwrap();
        assert_eq!(&flexible[4..9], [0, 0, 0, 7, 0]);
    }

    /// A client that does not know the broker's version yet must be able to read it (KIP-511).
    #[test]
    fn api_versions_are_answered_with_the_oldest_header() {
        let response = encode_response(7, 3, &ApiVersionsResponse::default().with_error_code(35)).unwrap();
        assert_eq!(&response[4..10], [0, 0, 0, 7, 0, 35]);
    }

    #[test]
    fn an_unknown_version_is_an_error() {
        let body = MetadataResponse::default();
        assert!(encode_response(7, 9, &body).is_ok());
        assert!(matches!(encode_response(7, 99, &body), Err(EncodeError::Message { version: 99, .. })));
    }
}
