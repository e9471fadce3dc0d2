//! The newest offset of each key, in bounded memory: hashes instead of keys (Kafka's `SkimpyOffsetMap`).
//!
//! Two keys with one hash would be taken for one, and the older lost. A hash has 128 bits and is keyed anew in each map,
//! so that neither chance nor a producer finds such keys.

use std::hash::{BuildHasher as _, RandomState};

use thalweg_protocol::KafkaOffset;

/// Slots are searched in a row from where the hash points; beyond this fill the rows become long.
const LOAD_FACTOR_MAX: f64 = 0.9;

#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Slot {
    hash: (u64, u64),
    /// One more than the offset; 0 for a free slot.
    offset_plus_one: u64,
}

/// Keys of one pass.
pub(super) struct KeyMap {
    slots: Vec<Slot>,
    used: usize,
    used_max: usize,
    hashers: (RandomState, RandomState),
    /// The pass looked at every record before here.
    up_to: KafkaOffset,
}

/// There is no room for another key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Full;

impl KeyMap {
    /// For so many keys, or as many as fit the memory if those are fewer; always for one.
    pub(super) fn new(keys: u64, memory_bytes: usize, load_factor: f64) -> Self {
        let load_factor = load_factor.clamp(0.01, LOAD_FACTOR_MAX);
        let wanted = (keys.max(1) as f64 / load_factor) as usize + 2;
        let slots = wanted.min((memory_bytes / size_of::<Slot>()).max(2));
        let used_max = ((slots as f64 * load_factor) as usize).clamp(1, slots - 1);
        Self {
            slots: vec![Slot::default(); slots],
            used: 0,
            used_max,
            hashers: Default::default(),
            up_to: KafkaOffset::ZERO,
        }
    }

    /// The newest record of this key so far. Offsets come in order.
    pub(super) fn put(&mut self, key: &[u8], offset: KafkaOffset) -> Result<(), Full> {
        let hash = self.hash(key);
        let at = self.find(hash);
        let full = self.used >= self.used_max;
        let Some(slot) = self.slots.get_mut(at) else { return Err(Full) };
        if slot.offset_plus_one == 0 {
            if full {
                return Err(Full);
            }
            slot.hash = hash;
            self.used += 1;
        }
        slot.offset_plus_one = offset.0.cast_unsigned() + 1;
        Ok(())
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<KafkaOffset> {
        let slot = self.slots.get(self.find(self.hash(key)))?;
        slot.offset_plus_one.checked_sub(1).map(|offset| KafkaOffset(offset.cast_signed()))
    }

    pub(super) fn set_up_to(&mut self, offset: KafkaOffset) {
        self.up_to = offset;
    }

    /// Of records from here on, nothing is known.
    pub(super) fn up_to(&self) -> KafkaOffset {
        self.up_to
    }

    fn hash(&self, key: &[u8]) -> (u64, u64) {
        (self.hashers.0.hash_one(key), self.hashers.1.hash_one(key))
    }

    /// The slot of this hash, or the free one that it would get: there is always one.
    fn find(&self, hash: (u64, u64)) -> usize {
        let count = self.slots.len();
        let mut at = (hash.0 % count as u64) as usize;
        while let Some(slot) = self.slots.get(at) {
            if slot.offset_plus_one == 0 || slot.hash == hash {
                break;
            }
            at = if at + 1 == count { 0 } else { at + 1 };
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_newest_offset_of_each_key() {
        let mut map = KeyMap::new(1000, 1 << 20, 0.9);
        for offset in 0..5000_i64 {
            assert_eq!(map.put(&(offset % 1000).to_be_bytes(), KafkaOffset(offset)), Ok(()));
        }
        for key in 0..1000_i64 {
            assert_eq!(map.get(&key.to_be_bytes()), Some(KafkaOffset(4000 + key)));
        }
        assert_eq!(map.get(b"another"), None);
    }

    #[test]
    fn is_full_at_its_budget_and_still_takes_known_keys() {
        let mut map = KeyMap::new(1 << 40, 24 * 100, 0.9);
        let taken = (0..1000_i64).take_while(|key| map.put(&key.to_be_bytes(), KafkaOffset(*key)).is_ok()).count();
        assert_eq!(taken, 90);
        assert_eq!(map.put(&7_i64.to_be_bytes(), KafkaOffset(2000)), Ok(()));
        assert_eq!(map.get(&7_i64.to_be_bytes()), Some(KafkaOffset(2000)));
        assert_eq!(KeyMap::new(5, 0, 0.9).put(b"one", KafkaOffset(0)), Ok(()), "room for one key in any case");
    }
}
