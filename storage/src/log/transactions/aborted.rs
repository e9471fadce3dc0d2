//! Aborted transactions as bytes: the entries of Kafka's `.txnindex` files (`AbortedTxn`). See `docs/formats/txnindex.md`.

use bytes::{Buf as _, Bytes};
use thalweg_protocol::{KafkaOffset, ProducerId};

/// `AbortedTxn.TOTAL_SIZE`
pub(crate) const ENTRY_LEN: usize = 34;
/// `AbortedTxn.CURRENT_VERSION`
const VERSION: i16 = 0;

/// A transaction that was aborted: readers of committed records leave its records out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AbortedTransaction {
    pub producer: ProducerId,
    pub first_offset: KafkaOffset,
    /// Of its marker.
    pub last_offset: KafkaOffset,
    /// Where readers of committed records stopped once it was aborted: what is aborted later begins there or behind.
    pub last_stable_offset: KafkaOffset,
}

impl AbortedTransaction {
    pub(crate) fn encode(&self) -> [u8; ENTRY_LEN] {
        let mut entry = [0; ENTRY_LEN];
        let (version, fields) = entry.split_at_mut(2);
        version.copy_from_slice(&VERSION.to_be_bytes());
        let values = [self.producer.0, self.first_offset.0, self.last_offset.0, self.last_stable_offset.0];
        for (field, value) in fields.as_chunks_mut::<8>().0.iter_mut().zip(values) {
            *field = value.to_be_bytes();
        }
        entry
    }

    fn decode(mut entry: &[u8]) -> Option<Self> {
        (entry.len() == ENTRY_LEN && entry.get_i16() == VERSION).then(|| Self {
            producer: ProducerId(entry.get_i64()),
            first_offset: KafkaOffset(entry.get_i64()),
            last_offset: KafkaOffset(entry.get_i64()),
            last_stable_offset: KafkaOffset(entry.get_i64()),
        })
    }
}

/// A whole `.txnindex`, in memory.
#[derive(Clone, Debug)]
pub(crate) struct TransactionIndex {
    pub(crate) base: KafkaOffset,
    pub(crate) bytes: Bytes,
}

impl TransactionIndex {
    pub(crate) fn entries(&self) -> impl Iterator<Item = AbortedTransaction> {
        self.bytes.chunks(ENTRY_LEN).filter_map(AbortedTransaction::decode)
    }

    /// Whether it can be of a segment that ends there and has, if that is known, so many markers of aborts.
    pub(crate) fn is_plausible(&self, next_offset: KafkaOffset, count: Option<u32>) -> bool {
        let whole = self.bytes.len() / ENTRY_LEN;
        let mut before = None;
        let rises = self.entries().all(|aborted| {
            let last = before.replace(aborted.last_offset);
            last.is_none_or(|last| last < aborted.last_offset)
                && (self.base..next_offset).contains(&aborted.last_offset)
                && aborted.first_offset < aborted.last_offset
        });
        rises
            && self.bytes.len().is_multiple_of(ENTRY_LEN)
            && self.entries().count() == whole
            && count.is_none_or(|count| count as usize == whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aborted(first: i64, last: i64) -> AbortedTransaction {
        AbortedTransaction {
            producer: ProducerId(0x0102),
            first_offset: KafkaOffset(first),
            last_offset: KafkaOffset(last),
            last_stable_offset: KafkaOffset(last + 1),
        }
    }

    fn index(entries: &[AbortedTransaction]) -> TransactionIndex {
        let bytes: Vec<u8> = entries.iter().flat_map(AbortedTransaction::encode).collect();
        TransactionIndex { base: KafkaOffset(10), bytes: Bytes::from(bytes) }
    }

    #[test]
    fn golden_bytes() {
        let hex: String = aborted(3, 12).encode().iter().map(|byte| format!("{byte:02x}")).collect();
        let expected =
            ["0000", "0000000000000102", "0000000000000003", "000000000000000c", "000000000000000d"].concat();
        assert_eq!(hex, expected, "Kafka's AbortedTxn");
        assert_eq!(index(&[aborted(3, 12)]).entries().collect::<Vec<_>>(), [aborted(3, 12)]);
    }

    #[test]
    fn what_cannot_be_an_index_of_the_segment() {
        let good = index(&[aborted(3, 12), aborted(13, 15)]);
        let is_plausible = |index: &TransactionIndex, count| index.is_plausible(KafkaOffset(20), count);
        assert!(is_plausible(&good, None) && is_plausible(&good, Some(2)));
        assert!(!is_plausible(&good, Some(3)), "entries are missing");
        assert!(!good.is_plausible(KafkaOffset(15), None), "behind the segment's end");
        assert!(!is_plausible(&index(&[aborted(13, 15), aborted(3, 12)]), None), "out of order");
        assert!(!is_plausible(&index(&[aborted(3, 9)]), None), "of the segment before");
        let cut = TransactionIndex { bytes: good.bytes.slice(..40), ..good.clone() };
        assert!(!is_plausible(&cut, None));
        let mut other_version = good.bytes.to_vec();
        if let Some(byte) = other_version.get_mut(1) {
            *byte = 1;
        }
        assert!(!is_plausible(&TransactionIndex { bytes: other_version.into(), ..good }, None));
    }
}
