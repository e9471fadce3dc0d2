//! Framing: every request and response is preceded by its size in four bytes.

use thiserror::Error;

/// What a connection accepts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameLimits {
    /// Kafka's `socket.request.max.bytes`.
    pub request_size_max_bytes: usize,
}

/// Why a frame is refused. The connection closes: there is no request to answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum FrameError {
    #[error("the frame announces {announced} bytes, which no request can have")]
    NotPositive { announced: i32 },
    #[error("the frame announces {announced} bytes, more than socket.request.max.bytes={limit}")]
    TooLarge { announced: usize, limit: usize },
}

/// Size in bytes of the request that these four bytes announce.
///
/// # Errors
/// When it is negative, zero, or more than `limits` allow.
pub fn frame_len(prefix: [u8; 4], limits: &FrameLimits) -> Result<usize, FrameError> {
    let announced = i32::from_be_bytes(prefix);
    let size = match usize::try_from(announced) {
        Ok(size) if size > 0 => size,
        _ => return Err(FrameError::NotPositive { announced }),
    };
    if size > limits.request_size_max_bytes {
        return Err(FrameError::TooLarge { announced: size, limit: limits.request_size_max_bytes });
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::{FrameError, FrameLimits, frame_len};

    const LIMITS: FrameLimits = FrameLimits { request_size_max_bytes: 1000 };

    #[test]
    fn sizes_up_to_the_limit_pass() {
        assert_eq!(frame_len([0, 0, 0, 1], &LIMITS), Ok(1));
        assert_eq!(frame_len(1000_i32.to_be_bytes(), &LIMITS), Ok(1000));
    }

    #[test]
    fn other_sizes_are_refused_with_the_number() {
        assert_eq!(frame_len([0; 4], &LIMITS), Err(FrameError::NotPositive { announced: 0 }));
        assert_eq!(frame_len([0xff; 4], &LIMITS), Err(FrameError::NotPositive { announced: -1 }));
        let http = i32::from_be_bytes(*b"GET ");
        let announced = usize::try_from(http).unwrap_or_default();
        assert_eq!(frame_len(*b"GET ", &LIMITS), Err(FrameError::TooLarge { announced, limit: 1000 }));
    }
}
