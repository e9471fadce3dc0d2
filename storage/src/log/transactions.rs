//! Transactions of one log, as far as Raft has committed it: which are open, and which were aborted.
//!
//! Batches come in the order of the log once they are committed, and are never taken back: what is only appended counts in
//! [`super::ProducerState`]. So the first open transaction is where `read_committed` readers stop, whatever lies behind
//! the high watermark (Kafka's `ProducerStateManager.firstUnstableOffset`).

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;
use thalweg_protocol::records::{BatchHeader, Marker, RecordError};
use thalweg_protocol::{KafkaOffset, ProducerId};

pub(crate) mod aborted;
pub(crate) mod control;

pub use self::aborted::AbortedTransaction;
pub(crate) use self::control::Control;

/// What a batch is to a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Part {
    producer: ProducerId,
    /// How it ends; `None` for a batch of its records.
    end: Option<Marker>,
}

impl Part {
    /// `None` for what has nothing to do with transactions.
    pub(crate) fn of(header: &BatchHeader, control: Option<Control>) -> Option<Self> {
        let end = match control {
            Some(Control::End { marker, .. }) => Some(marker),
            // An emptied marker ends nothing that is left.
            Some(Control::Emptied | Control::Other) => return None,
            None => None,
        };
        header.attributes.is_transactional().then_some(Self { producer: header.producer_id, end })
    }

    /// The same from the batch's bytes.
    pub(crate) fn parse(header: &BatchHeader, batch: &Bytes) -> Result<Option<Self>, RecordError> {
        Ok(Self::of(header, Control::of(header, batch)?))
    }
}

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Transactions {
    /// By first offset, since that is what readers wait for.
    open: BTreeMap<KafkaOffset, ProducerId>,
    first_offsets: HashMap<ProducerId, KafkaOffset>,
    /// Aborted ones whose markers are committed and in no segment yet, in order of the markers.
    unflushed: VecDeque<AbortedTransaction>,
}

impl Transactions {
    /// With these open: producer, first offset.
    pub(crate) fn begun(open: &[(ProducerId, KafkaOffset)]) -> Self {
        let by_offset = open.iter().map(|(producer, first)| (*first, *producer)).collect();
        Self { open: by_offset, first_offsets: open.iter().copied().collect(), unflushed: VecDeque::new() }
    }

    /// What is open, in order of the producers.
    pub(crate) fn open(&self) -> Vec<(ProducerId, KafkaOffset)> {
        let mut open: Vec<_> = self.first_offsets.iter().map(|(producer, first)| (*producer, *first)).collect();
        open.sort_unstable();
        open
    }

    /// First offset of the transaction that has been open longest.
    pub(crate) fn first_open(&self) -> Option<KafkaOffset> {
        self.open.first_key_value().map(|(first, _)| *first)
    }

    /// The next batch of the log. Gives the transaction that it aborts, if there is anything of that.
    pub(crate) fn apply(&mut self, part: Part, base_offset: KafkaOffset) -> Option<AbortedTransaction> {
        let Some(marker) = part.end else {
            if let std::collections::hash_map::Entry::Vacant(begun) = self.first_offsets.entry(part.producer) {
                begun.insert(base_offset);
                self.open.insert(base_offset, part.producer);
            }
            return None;
        };
        let first_offset = self.first_offsets.remove(&part.producer)?;
        self.open.remove(&first_offset);
        let last_stable_offset = self.first_open().unwrap_or(base_offset.plus(1));
        let aborted =
            AbortedTransaction { producer: part.producer, first_offset, last_offset: base_offset, last_stable_offset };
        (marker == Marker::Abort).then_some(aborted)
    }

    /// A batch was committed.
    pub(super) fn commit(&mut self, part: Part, base_offset: KafkaOffset) {
        let aborted = self.apply(part, base_offset);
        self.unflushed.extend(aborted);
    }

    /// Aborted by the marker at this offset, which is in no segment yet.
    pub(super) fn unflushed_at(&self, marker: KafkaOffset) -> Option<AbortedTransaction> {
        let at = self.unflushed.binary_search_by_key(&marker, |aborted| aborted.last_offset).ok()?;
        self.unflushed.get(at).copied()
    }

    pub(super) fn unflushed(&self) -> impl Iterator<Item = &AbortedTransaction> {
        self.unflushed.iter()
    }

    /// Segments hold all that comes before this offset.
    pub(super) fn flushed(&mut self, next_offset: KafkaOffset) {
        while self.unflushed.front().is_some_and(|aborted| aborted.last_offset < next_offset) {
            self.unflushed.pop_front();
        }
        if self.unflushed.is_empty() && self.unflushed.capacity() > 16 {
            self.unflushed = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(producer: i64) -> Part {
        Part { producer: ProducerId(producer), end: None }
    }

    fn end(producer: i64, marker: Marker) -> Part {
        Part { producer: ProducerId(producer), end: Some(marker) }
    }

    fn aborted(producer: i64, first: i64, last: i64, stable: i64) -> AbortedTransaction {
        AbortedTransaction {
            producer: ProducerId(producer),
            first_offset: KafkaOffset(first),
            last_offset: KafkaOffset(last),
            last_stable_offset: KafkaOffset(stable),
        }
    }

    #[test]
    fn the_first_open_transaction_holds_readers_back() {
        let mut transactions = Transactions::default();
        for (part, offset) in [(data(1), 0), (data(2), 3), (data(1), 5)] {
            assert_eq!(transactions.apply(part, KafkaOffset(offset)), None);
            assert_eq!(transactions.first_open(), Some(KafkaOffset(0)));
        }
        let first = transactions.apply(end(1, Marker::Abort), KafkaOffset(7));
        assert_eq!(first, Some(aborted(1, 0, 7, 3)), "the other one was open then");
        assert_eq!(transactions.first_open(), Some(KafkaOffset(3)));
        assert_eq!(transactions.apply(end(2, Marker::Commit), KafkaOffset(8)), None);
        assert_eq!(transactions.first_open(), None);
        assert_eq!(transactions.apply(end(2, Marker::Abort), KafkaOffset(9)), None, "nothing was open");
        transactions.apply(data(2), KafkaOffset(10));
        let last = transactions.apply(end(2, Marker::Abort), KafkaOffset(12));
        assert_eq!(last, Some(aborted(2, 10, 12, 13)));
    }

    #[test]
    fn what_is_flushed_is_the_segments_to_know() {
        let mut transactions = Transactions::begun(&[(ProducerId(1), KafkaOffset(0)), (ProducerId(2), KafkaOffset(2))]);
        transactions.commit(end(1, Marker::Abort), KafkaOffset(4));
        transactions.commit(end(2, Marker::Abort), KafkaOffset(5));
        assert_eq!(transactions.unflushed_at(KafkaOffset(4)), Some(aborted(1, 0, 4, 2)));
        assert_eq!(transactions.unflushed_at(KafkaOffset(6)), None);
        transactions.flushed(KafkaOffset(5));
        assert_eq!(transactions.unflushed().copied().collect::<Vec<_>>(), [aborted(2, 2, 5, 6)]);
        transactions.flushed(KafkaOffset(6));
        assert_eq!(transactions.unflushed().count(), 0);
    }
}
