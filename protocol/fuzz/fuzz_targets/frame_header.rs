//! Any bytes as a frame: its size, then its request header.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use thalweg_protocol::{FrameLimits, frame_len, parse_head};

fuzz_target!(|data: &[u8]| {
    let limits = FrameLimits { request_size_max_bytes: 1 << 20 };
    let Some((prefix, rest)) = data.split_first_chunk::<4>() else { return };
    if let Ok(size) = frame_len(*prefix, &limits) {
        assert!(size > 0 && size <= limits.request_size_max_bytes);
    }
    let mut frame = Bytes::copy_from_slice(rest);
    if let Ok(head) = parse_head(&mut frame) {
        assert_eq!(&rest[..2], head.api_key.to_be_bytes());
        assert!(frame.len() + 8 <= rest.len());
        if head.client_id.is_some() {
            assert!(head.known_api().is_some());
        }
    }
});
