//! Which key a record has, and to which partition Kafka's default partitioner takes it.

use super::random::Random;
use super::zipf::Zipf;
use crate::load::scenario::{Keys, Produce};

pub(crate) struct KeySource {
    kind: Kind,
    key: Vec<u8>,
}

enum Kind {
    None,
    Unique,
    Uniform(u64),
    Zipf(Zipf),
}

impl KeySource {
    pub(crate) fn new(produce: &Produce) -> Self {
        let kind = match produce.keys {
            Keys::None => Kind::None,
            Keys::Unique => Kind::Unique,
            Keys::Uniform => Kind::Uniform(produce.key_count),
            Keys::Zipf => Kind::Zipf(Zipf::new(produce.key_count)),
        };
        Self { kind, key: vec![0; produce.key_bytes as usize] }
    }

    /// The key of the record with this number: a number itself, its last byte last.
    pub(crate) fn next(&mut self, number: u64, random: &mut Random) -> Option<&[u8]> {
        let number = match &self.kind {
            Kind::None => return None,
            Kind::Unique => number,
            Kind::Uniform(count) => random.below(*count),
            Kind::Zipf(zipf) => zipf.next(random),
        };
        for (place, byte) in self.key.iter_mut().rev().zip(number.to_le_bytes()) {
            *place = byte;
        }
        Some(&self.key)
    }
}

/// The partition of a key among `partitions`, as `BuiltInPartitioner.partitionForKey` has it.
pub(crate) fn partition_for_key(key: &[u8], partitions: usize) -> usize {
    let positive = murmur2(key) & 0x7fff_ffff;
    positive as usize % partitions.max(1)
}

/// MurmurHash2 with the seed that Kafka's clients use (`org.apache.kafka.common.utils.Utils.murmur2`).
fn murmur2(bytes: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const MULTIPLIER: u32 = 0x5bd1_e995;
    #[expect(clippy::cast_possible_truncation, reason = "keys are at most 64 KiB")]
    let mut hash = SEED ^ bytes.len() as u32;
    let (words, rest) = bytes.as_chunks::<4>();
    for word in words {
        let mut word = u32::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        word ^= word >> 24;
        hash = hash.wrapping_mul(MULTIPLIER) ^ word.wrapping_mul(MULTIPLIER);
    }
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// What Kafka 4.3.1's `Utils.murmur2` and `BuiltInPartitioner.partitionForKey(key, 1000)` answer.
    const GOLDEN: [(&[u8], i32, usize); 8] = [
        (b"", 275_646_681, 681),
        (b"a", -1_563_381_124, 524),
        (b"21", -973_932_308, 340),
        (b"abc", 479_470_107, 107),
        (b"foobar", -790_332_482, 166),
        (b"a-little-bit-longer-string", -1_486_304_829, 819),
        (b"\xff\x80\xfe", 957_058_525, 525),
        (&[0, 0, 0, 0, 0, 0, 0, 1], 2_100_486_060, 60),
    ];

    #[test]
    fn keys_go_where_kafkas_partitioner_takes_them() {
        for (key, hash, partition) in GOLDEN {
            assert_eq!(murmur2(key).cast_signed(), hash, "{key:?}");
            assert_eq!(partition_for_key(key, 1000), partition, "{key:?}");
        }
    }

    #[test]
    fn keys_have_their_length_and_kind() {
        let random = &mut Random::new(1);
        let keys = |keys, key_bytes| KeySource::new(&Produce { keys, key_bytes, key_count: 300, ..Produce::default() });
        assert_eq!(keys(Keys::None, 8).next(7, random), None);
        assert_eq!(keys(Keys::Unique, 8).next(258, random).unwrap(), [0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(keys(Keys::Unique, 1).next(258, random).unwrap(), [2]);
        assert_eq!(keys(Keys::Unique, 20).next(258, random).unwrap(), [[0; 18].as_slice(), &[1, 2]].concat());
        let mut uniform = keys(Keys::Uniform, 2);
        let drawn: std::collections::BTreeSet<_> =
            (0..10_000).map(|number| uniform.next(number, random).unwrap().to_vec()).collect();
        assert_eq!(drawn.len(), 300);
    }
}
