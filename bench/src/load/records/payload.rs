//! What the records hold: bytes without a pattern, or as compressible as asked.

use super::random::Random;
use crate::load::moment;

/// Bytes from which every value is cut.
const POOL_BYTES: usize = 1 << 20;

/// Values, each a different cut of the same bytes, with a head of its own.
pub(crate) struct Payload {
    pool: Vec<u8>,
    at: usize,
    /// What the last value's head took the place of.
    covered: Option<[u8; moment::LEN]>,
}

impl Payload {
    /// Values up to `size_max` bytes. `compressible` is the share of them, in per cent, that a compressor should get rid
    /// of.
    pub(crate) fn new(size_max: usize, compressible: u8, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut pool = Vec::with_capacity(POOL_BYTES + size_max);
        // Runs of 64 bytes: long enough for every codec to see that they are all alike.
        while pool.len() < POOL_BYTES + size_max {
            if random.below(100) < u64::from(compressible) {
                pool.extend_from_slice(&[b' '; 64]);
            } else {
                (0..8).for_each(|_| pool.extend_from_slice(&random.next().to_le_bytes()));
            }
        }
        Self { pool, at: 0, covered: None }
    }

    /// The next value; where it is long enough, it begins with this head.
    pub(crate) fn next(&mut self, size: usize, head: &[u8; moment::LEN]) -> &[u8] {
        // The head is written into the pool and taken out again, so that no value is copied before it is in its batch.
        let head_before = self.pool.get_mut(self.at..).and_then(|cut| cut.first_chunk_mut());
        if let (Some(place), Some(covered)) = (head_before, self.covered.take()) {
            *place = covered;
        }
        // A step that is prime to the pool's size, so that cuts do not repeat soon.
        self.at = (self.at + 4099) % POOL_BYTES;
        let cut = self.pool.get_mut(self.at..self.at + size).unwrap_or_default();
        self.covered = cut.first_chunk_mut().map(|place| std::mem::replace(place, *head));
        cut
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use thalweg_protocol::TimestampMs;
    use thalweg_protocol::records::{BatchBuilder, Compression};

    use super::*;

    const HEAD: [u8; moment::LEN] = *b"TWB1 and moments";

    #[test]
    fn values_are_as_compressible_as_asked() {
        for (percent, least, most) in [(0, 98, 102), (50, 45, 60), (90, 8, 20)] {
            let mut payload = Payload::new(1000, percent, 7);
            let mut batch = BatchBuilder::new().with_compression(Compression::Zstd);
            for _ in 0..200 {
                batch.push(TimestampMs(0), None, Some(payload.next(1000, &HEAD)), &[]).unwrap();
            }
            let size = batch.size_bytes();
            let share = batch.build().unwrap().len() * 100 / size;
            assert!((least..=most).contains(&share), "{percent} %: {share} % were left");
        }
    }

    #[test]
    fn every_value_has_its_size_and_head_and_differs_from_the_one_before() {
        let mut payload = Payload::new(100, 0, 1);
        let first = payload.next(100, &HEAD).to_vec();
        assert_eq!((first.len(), &first[..16]), (100, &HEAD[..]));
        assert!((0..1000).all(|_| payload.next(100, &HEAD) != first.as_slice()));
        assert_eq!(payload.next(15, &HEAD).len(), 15);
    }

    #[test]
    fn heads_leave_no_traces_in_the_pool() {
        let mut payload = Payload::new(100, 0, 1);
        let before = payload.pool.clone();
        for size in [100, 15, 16, 100, 1, 100, 1] {
            payload.next(size, &HEAD);
        }
        assert!(payload.pool == before);
    }
}
