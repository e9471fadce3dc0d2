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
