//! The hash over the topics that a group subscribes to, which its epoch's record carries: Kafka's (`Utils.computeGroupHash`
//! and `computeTopicHash`, XXH3 of 64 bits), so that a data directory that came from Kafka does not begin with a rebalance.

use twox_hash::XxHash3_64;
use uuid::Uuid;

/// Kafka's number for this way to hash.
const MAGIC: u8 = 0;

/// Topics are added in the order of their names.
#[derive(Default)]
pub(super) struct TopicsHash {
    hashes: Vec<u8>,
}

impl TopicsHash {
    /// One topic. Racks are not part of it: brokers' racks are not in the image of partitions here.
    pub(super) fn add(&mut self, id: Uuid, name: &str, partitions: i32) {
        let mut bytes = vec![MAGIC];
        let (high, low) = id.as_u64_pair();
        bytes.extend(high.to_le_bytes());
        bytes.extend(low.to_le_bytes());
        put_text(&mut bytes, name);
        bytes.extend(partitions.to_le_bytes());
        (0..partitions).for_each(|index| bytes.extend(index.to_le_bytes()));
        self.hashes.extend(XxHash3_64::oneshot(&bytes).to_le_bytes());
    }

    /// 0 where there is no topic.
    pub(super) fn finish(self) -> i64 {
        if self.hashes.is_empty() { 0 } else { XxHash3_64::oneshot(&self.hashes).cast_signed() }
    }
}

/// As hash4j feeds a Java string: its UTF-16 units, then their number.
fn put_text(to: &mut Vec<u8>, text: &str) {
    let mut units = 0_i32;
    for unit in text.encode_utf16() {
        to.extend(unit.to_le_bytes());
        units += 1;
    }
    to.extend(units.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_what_kafka_computes() {
        let mut hash = TopicsHash::default();
        hash.add(Uuid::from_u128(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10), "orders", 2);
        assert_eq!(hash.hashes, (-3_245_243_751_620_751_385_i64).to_le_bytes());
        assert_eq!(hash.finish(), 2_125_922_885_767_494_009);
        assert_eq!(TopicsHash::default().finish(), 0);
    }
}
