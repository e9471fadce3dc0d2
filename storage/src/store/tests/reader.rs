//! A consumer of committed records, as Kafka's clients are (`CompletedFetch`).

use std::collections::BTreeSet;

use thalweg_protocol::records::{BatchView, ControlRecord, Marker, batches};

use super::*;
use crate::log::AbortedTransaction;

/// The offsets of the records that it gives its application, of one answer to a fetch.
pub(super) fn committed_records(bytes: &[u8], from: KafkaOffset, aborted: &[AbortedTransaction]) -> Vec<KafkaOffset> {
    let mut aborted: Vec<_> = aborted.to_vec();
    aborted.sort_by_key(|aborted| aborted.first_offset);
    let mut aborted = aborted.into_iter().peekable();
    let (mut left_out, mut seen) = (BTreeSet::new(), Vec::new());
    for view in batches(bytes) {
        let view = view.unwrap();
        while let Some(begun) = aborted.next_if(|aborted| aborted.first_offset <= view.header.last_offset()) {
            left_out.insert(begun.producer.0);
        }
        if view.header.attributes.is_control() {
            if is_abort(&view) {
                left_out.remove(&view.header.producer_id.0);
            }
            continue;
        }
        if view.header.attributes.is_transactional() && left_out.contains(&view.header.producer_id.0) {
            continue;
        }
        let records = view.records(1 << 20).unwrap().map(|record| record.unwrap().offset);
        seen.extend(records.filter(|offset| *offset >= from));
    }
    seen
}

/// A marker that compaction emptied says nothing.
fn is_abort(view: &BatchView<'_>) -> bool {
    let record = view.records(1 << 20).unwrap().next();
    let says = record.map(|record| ControlRecord::parse(&record.unwrap()).unwrap());
    matches!(says, Some(ControlRecord::TransactionEnd { marker: Marker::Abort, .. }))
}
