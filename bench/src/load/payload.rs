//! What the records hold: bytes without a pattern, or as compressible as asked.

/// Bytes from which every value is cut.
const POOL_BYTES: usize = 1 << 20;

/// Values of one size, each a different cut of the same bytes.
pub(crate) struct Payload {
    pool: Vec<u8>,
    size: usize,
    at: usize,
}

impl Payload {
    /// `compressible` is the share of bytes, in per cent, that a compressor should get rid of.
    pub(crate) fn new(size: usize, compressible: u8, seed: u64) -> Self {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let mut pool = Vec::with_capacity(POOL_BYTES + size);
        // Runs of 64 bytes: long enough for every codec to see that they are all alike.
        while pool.len() < POOL_BYTES + size {
            if random() % 100 < u64::from(compressible) {
                pool.extend_from_slice(&[b' '; 64]);
            } else {
                (0..8).for_each(|_| pool.extend_from_slice(&random().to_le_bytes()));
            }
        }
        Self { pool, size, at: 0 }
    }

    pub(crate) fn next(&mut self) -> &[u8] {
        // A step that is prime to the pool's size, so that cuts do not repeat soon.
        self.at = (self.at + 4099) % POOL_BYTES;
        self.pool.get(self.at..self.at + self.size).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use thalweg_protocol::TimestampMs;
    use thalweg_protocol::records::{BatchBuilder, Compression};

    use super::*;

    #[test]
    fn values_are_as_compressible_as_asked() {
        for (percent, least, most) in [(0, 98, 102), (50, 45, 60), (90, 8, 20)] {
            let mut payload = Payload::new(1000, percent, 7);
            let mut batch = BatchBuilder::new().with_compression(Compression::Zstd);
            for _ in 0..200 {
                batch.push(TimestampMs(0), None, Some(payload.next()), &[]).unwrap();
            }
            let size = batch.size_bytes();
            let share = batch.build().unwrap().len() * 100 / size;
            assert!((least..=most).contains(&share), "{percent} %: {share} % were left");
        }
    }

    #[test]
    fn every_value_has_its_size_and_differs_from_the_one_before() {
        let mut payload = Payload::new(100, 0, 1);
        let first = payload.next().to_vec();
        assert_eq!(first.len(), 100);
        assert!((0..1000).all(|_| payload.next() != first.as_slice()));
    }
}
