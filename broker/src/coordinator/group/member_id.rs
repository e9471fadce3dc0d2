//! Member ids. The shard draws no randomness: the edge gives it a seed, so that a simulation repeats.

use thalweg_protocol::StrBytes;
use uuid::{Builder, Uuid};

use super::limits::MEMBER_ID_PREFIX_LENGTH_MAX;

/// Hands out member ids of Kafka's form, `<client id or instance id>-<UUID>`.
#[derive(Debug)]
pub(super) struct MemberIds {
    state: u64,
}

impl MemberIds {
    /// The seed must come from a good random source: two shards, or one before and after a restart, must not repeat ids.
    pub(super) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(super) fn next(&mut self, prefix: &str) -> StrBytes {
        StrBytes::from_string(format!("{}-{}", shortened(prefix), self.draw_uuid()))
    }

    /// An id without a prefix, as members of consumer groups have.
    pub(super) fn bare(&mut self) -> StrBytes {
        StrBytes::from_string(self.draw_uuid().to_string())
    }

    fn draw_uuid(&mut self) -> Uuid {
        let (high, low) = (self.draw().to_be_bytes(), self.draw().to_be_bytes());
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(high.into_iter().chain(low)) {
            *to = from;
        }
        Builder::from_random_bytes(bytes).into_uuid()
    }

    /// SplitMix64 (Steele, Lea, Flood 2014): every state leads to another, all 2^64 of them.
    const fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

fn shortened(prefix: &str) -> &str {
    let mut end = prefix.len().min(MEMBER_ID_PREFIX_LENGTH_MAX);
    while !prefix.is_char_boundary(end) {
        end -= 1;
    }
    prefix.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_repeat_from_the_seed() {
        let mut ids = MemberIds::new(7);
        let (first, second) = (ids.next("c"), ids.next("c"));
        assert_ne!(first, second);
        assert_eq!(first.len(), 2 + 36);
        assert_eq!(MemberIds::new(7).next("c"), first);
    }

    #[test]
    fn a_long_client_id_is_cut_between_characters() {
        let id = MemberIds::new(1).next(&"é".repeat(2000));
        assert_eq!(id.len(), MEMBER_ID_PREFIX_LENGTH_MAX + 37);
        assert!(MemberIds::new(1).next(&format!("a{}", "é".repeat(2000))).len() < id.len());
    }
}
