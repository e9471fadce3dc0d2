//! How transactions ended, read from the log itself, and when their markers may go (`CleanedTransactionMetadata`).

use std::collections::{HashMap, HashSet};

use thalweg_protocol::records::{BatchHeader, Marker};
use thalweg_protocol::{KafkaOffset, ProducerId};

use crate::log::transactions::Control;

/// Which transactions were aborted, from a look at all batches in order.
#[derive(Default)]
pub(super) struct Decisions {
    /// First offset of each transaction that has not ended yet.
    open: HashMap<ProducerId, KafkaOffset>,
    /// First offsets, and those of the markers.
    aborted: HashMap<ProducerId, Vec<(KafkaOffset, KafkaOffset)>>,
}

impl Decisions {
    pub(super) fn note_data(&mut self, header: &BatchHeader) {
        if header.attributes.is_transactional() {
            self.open.entry(header.producer_id).or_insert(header.base_offset);
        }
    }

    pub(super) fn note_control(&mut self, header: &BatchHeader, control: Control) {
        if control == Control::Other {
            return;
        }
        let Some(first) = self.open.remove(&header.producer_id) else { return };
        if matches!(control, Control::End { marker: Marker::Abort, .. }) {
            self.aborted.entry(header.producer_id).or_default().push((first, header.base_offset));
        }
    }

    pub(super) fn first_undecided(&self) -> Option<KafkaOffset> {
        self.open.values().min().copied()
    }

    pub(super) fn is_aborted(&self, header: &BatchHeader) -> bool {
        let at = header.base_offset;
        header.attributes.is_transactional()
            && self.aborted.get(&header.producer_id).is_some_and(|ranges| {
                // A producer's transactions follow one another.
                let begun = ranges.partition_point(|(first, _)| *first <= at);
                begun.checked_sub(1).and_then(|last| ranges.get(last)).is_some_and(|(_, marker)| at < *marker)
            })
    }
}

/// Walks the batches that are there in order, and says of each marker whether it still ends anything.
///
/// A batch counts also if this very pass removes it: until the pass is durable, and for readers that are in the middle of
/// it, the marker must be there.
#[derive(Default)]
pub(super) struct MarkerWalk {
    seen: HashSet<ProducerId>,
}

impl MarkerWalk {
    pub(super) fn data(&mut self, header: &BatchHeader) {
        if header.attributes.is_transactional() {
            self.seen.insert(header.producer_id);
        }
    }

    /// Whether nothing of the transaction is left.
    pub(super) fn ends_nothing(&mut self, header: &BatchHeader, control: Control) -> bool {
        match control {
            Control::End { .. } => !self.seen.remove(&header.producer_id),
            Control::Emptied => true,
            Control::Other => false,
        }
    }
}
