//! Kafka's sparse indexes: by offset (`.index`) and by timestamp (`.timeindex`), big-endian, relative to the base offset.

use bytes::Bytes;
use thalweg_protocol::{KafkaOffset, TimestampMs};

/// Relative last offset of a batch, and where the batch begins: `OffsetIndex`.
pub(crate) const OFFSET_ENTRY_LEN: usize = 8;
/// Newest timestamp so far, and the relative offset of its batch: `TimeIndex`.
pub(crate) const TIME_ENTRY_LEN: usize = 12;

/// Segments are rolled before an offset or a position outgrows 31 bits.
#[expect(clippy::cast_possible_truncation, reason = "checked when the segment is rolled")]
fn relative(base: KafkaOffset, offset: KafkaOffset) -> i32 {
    offset.since(base) as i32
}

#[expect(clippy::cast_possible_truncation, reason = "Kafka's field is 32 bits; segment.bytes is at most 2 GiB")]
pub(super) fn offset_entry(base: KafkaOffset, last_offset: KafkaOffset, position: u64) -> [u8; OFFSET_ENTRY_LEN] {
    let mut entry = [0; OFFSET_ENTRY_LEN];
    let (offset, place) = entry.split_at_mut(4);
    offset.copy_from_slice(&relative(base, last_offset).to_be_bytes());
    place.copy_from_slice(&(position as u32).to_be_bytes());
    entry
}

pub(super) fn time_entry(base: KafkaOffset, timestamp: TimestampMs, offset: KafkaOffset) -> [u8; TIME_ENTRY_LEN] {
    let mut entry = [0; TIME_ENTRY_LEN];
    let (time, place) = entry.split_at_mut(8);
    time.copy_from_slice(&timestamp.0.to_be_bytes());
    place.copy_from_slice(&relative(base, offset).to_be_bytes());
    entry
}

/// A whole offset index, in memory.
#[derive(Clone, Debug)]
pub(crate) struct OffsetIndex {
    pub(crate) base: KafkaOffset,
    pub(crate) bytes: Bytes,
}

impl OffsetIndex {
    pub(crate) fn entries(&self) -> impl DoubleEndedIterator<Item = (KafkaOffset, u64)> {
        self.bytes.as_chunks::<OFFSET_ENTRY_LEN>().0.iter().map(|entry| decode_offset(self.base, entry))
    }

    /// Where to begin scanning for `offset`: the last indexed batch that ends at or before it, else the beginning.
    pub(super) fn position_before(&self, offset: KafkaOffset) -> u64 {
        let entries = self.bytes.as_chunks::<OFFSET_ENTRY_LEN>().0;
        let after = entries.partition_point(|entry| decode_offset(self.base, entry).0 <= offset);
        let found = after.checked_sub(1).and_then(|at| entries.get(at));
        found.map_or(0, |entry| decode_offset(self.base, entry).1)
    }

    /// Whether it can be of a segment with this much in it: offsets and positions strictly increase within bounds.
    pub(crate) fn is_plausible(&self, next_offset: KafkaOffset, size_bytes: u64) -> bool {
        let mut previous = None;
        self.bytes.len().is_multiple_of(OFFSET_ENTRY_LEN)
            && self.entries().all(|(offset, position)| {
                let rises = previous.is_none_or(|(before, place)| offset > before && position > place);
                previous = Some((offset, position));
                rises && offset < next_offset && offset >= self.base && position < size_bytes && position > 0
            })
    }
}

/// A whole time index, in memory.
#[derive(Clone, Debug)]
pub(crate) struct TimeIndex {
    pub(crate) base: KafkaOffset,
    pub(crate) bytes: Bytes,
}

impl TimeIndex {
    pub(crate) fn entries(&self) -> impl DoubleEndedIterator<Item = (TimestampMs, KafkaOffset)> {
        self.bytes.as_chunks::<TIME_ENTRY_LEN>().0.iter().map(|entry| decode_time(self.base, entry))
    }

    /// The offset from which to look for `at` (`TimeIndex.lookup`): of the last entry not newer, else the base offset.
    pub(super) fn offset_before(&self, at: TimestampMs) -> KafkaOffset {
        let entries = self.bytes.as_chunks::<TIME_ENTRY_LEN>().0;
        let after = entries.partition_point(|entry| decode_time(self.base, entry).0 <= at);
        let found = after.checked_sub(1).and_then(|at| entries.get(at));
        found.map_or(self.base, |entry| decode_time(self.base, entry).1)
    }

    pub(crate) fn is_plausible(&self, next_offset: KafkaOffset) -> bool {
        let mut previous = None;
        self.bytes.len().is_multiple_of(TIME_ENTRY_LEN)
            && self.entries().all(|(timestamp, offset)| {
                let rises = previous.is_none_or(|(before, place)| timestamp > before && offset >= place);
                previous = Some((timestamp, offset));
                rises && offset < next_offset && offset >= self.base
            })
    }
}

fn decode_offset(base: KafkaOffset, entry: &[u8; OFFSET_ENTRY_LEN]) -> (KafkaOffset, u64) {
    let [a, b, c, d, e, f, g, h] = *entry;
    let offset = i32::from_be_bytes([a, b, c, d]);
    (base.plus(i64::from(offset)), u64::from(u32::from_be_bytes([e, f, g, h])))
}

fn decode_time(base: KafkaOffset, entry: &[u8; TIME_ENTRY_LEN]) -> (TimestampMs, KafkaOffset) {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = *entry;
    let timestamp = i64::from_be_bytes([a, b, c, d, e, f, g, h]);
    (TimestampMs(timestamp), base.plus(i64::from(i32::from_be_bytes([i, j, k, l]))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: KafkaOffset = KafkaOffset(100);

    #[test]
    fn golden_entries() {
        assert_eq!(offset_entry(BASE, KafkaOffset(105), 0x1234), [0, 0, 0, 5, 0, 0, 0x12, 0x34]);
        assert_eq!(time_entry(BASE, TimestampMs(0x0102), KafkaOffset(103)), [0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 3]);
    }

    #[test]
    fn lookup_finds_the_entry_at_or_before() {
        let bytes = [(105, 4200), (110, 8400)].map(|(offset, at)| offset_entry(BASE, KafkaOffset(offset), at)).concat();
        let index = OffsetIndex { base: BASE, bytes: bytes.into() };
        let found = [100, 104, 105, 109, 110, 500].map(|offset| index.position_before(KafkaOffset(offset)));
        assert_eq!(found, [0, 0, 4200, 4200, 8400, 8400]);
        assert!(index.is_plausible(KafkaOffset(111), 9000));
        assert!(!index.is_plausible(KafkaOffset(110), 9000));
        assert!(!index.is_plausible(KafkaOffset(111), 8400));
    }

    #[test]
    fn a_lost_block_of_zeros_is_noticed() {
        let mut bytes = vec![0; 16];
        assert!(!OffsetIndex { base: BASE, bytes: bytes.clone().into() }.is_plausible(KafkaOffset(1000), 1 << 30));
        bytes.resize(24, 0);
        assert!(!TimeIndex { base: BASE, bytes: bytes.into() }.is_plausible(KafkaOffset(1000)));
    }

    #[test]
    fn time_lookup() {
        let bytes =
            [(1000, 105), (2000, 110)].map(|(at, offset)| time_entry(BASE, TimestampMs(at), KafkaOffset(offset)));
        let index = TimeIndex { base: BASE, bytes: bytes.concat().into() };
        let found = [0, 999, 1000, 1999, 2000, 9999].map(|at| index.offset_before(TimestampMs(at)).0);
        assert_eq!(found, [100, 100, 105, 105, 110, 110]);
        assert!(index.is_plausible(KafkaOffset(111)));
    }
}
