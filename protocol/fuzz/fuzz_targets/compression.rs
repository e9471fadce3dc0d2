//! Any bytes as compressed data, and as data to compress. The first byte chooses the codec and what is done.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thalweg_protocol::records::compression::{Codec, Compression, compress, decompress};

const LIMIT: usize = 1 << 20;

fuzz_target!(|data: &[u8]| {
    let Some((choice, data)) = data.split_first() else { return };
    let compression = Compression::ALL[usize::from(choice & 0x7f) % Compression::ALL.len()];
    if choice & 0x80 == 0 {
        if let Ok(out) = decompress(compression, data, LIMIT) {
            assert!(out.len() <= LIMIT);
        }
    } else {
        let codec = Codec { compression, level: None };
        let packed = compress(codec, data).expect("any bytes can be compressed");
        assert_eq!(decompress(compression, &packed, LIMIT).expect("what was compressed"), data);
    }
});
