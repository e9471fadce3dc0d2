//! Offsets that were committed within transactions which have not ended: nobody sees them before the marker.
//!
//! With a marker they become the group's offsets or are dropped. A plain commit that came later in the log than a
//! transaction's stays, whatever the order of the markers (Kafka's `OffsetMetadataManager.replayEndTransactionMarker`).

use std::collections::{BTreeMap, BTreeSet};

use thalweg_protocol::{ProducerId, StrBytes};

use super::classic::{CommittedOffset, Group};
use super::record::OffsetKey;
use super::shard::GroupShard;

/// Place of a record among all of its partition: later ones are larger.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct LogOrder(pub(super) i64);

/// The offsets that one transaction has committed for a group, by topic and partition.
type OfTransaction = BTreeMap<(StrBytes, i32), (CommittedOffset, LogOrder)>;

/// Of one group.
#[derive(Debug, Default)]
pub(super) struct PendingOffsets {
    by_producer: BTreeMap<ProducerId, OfTransaction>,
}

impl PendingOffsets {
    pub(super) fn is_empty(&self) -> bool {
        self.by_producer.is_empty()
    }

    pub(super) fn has(&self, topic: &StrBytes, partition: i32) -> bool {
        !self.is_empty() && {
            let key = (topic.clone(), partition);
            self.by_producer.values().any(|offsets| offsets.contains_key(&key))
        }
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &(StrBytes, i32)> {
        self.by_producer.values().flat_map(BTreeMap::keys)
    }

    fn put(&mut self, producer: ProducerId, key: &OffsetKey, value: CommittedOffset, order: LogOrder) {
        let of_transaction = self.by_producer.entry(producer).or_default();
        of_transaction.insert((key.topic.clone(), key.partition), (value, order));
    }

    /// The offset is removed, also where it is only about to be.
    pub(super) fn remove(&mut self, key: &OffsetKey) {
        let gone = (key.topic.clone(), key.partition);
        self.by_producer.retain(|_, offsets| {
            offsets.remove(&gone);
            !offsets.is_empty()
        });
    }

    fn take(&mut self, producer: ProducerId) -> OfTransaction {
        self.by_producer.remove(&producer).unwrap_or_default()
    }
}

/// Which groups each open transaction has offsets of. May name groups that have none left.
pub(super) type GroupsOfTransactions = BTreeMap<ProducerId, BTreeSet<StrBytes>>;

impl GroupShard {
    /// An offset of a transaction is durable.
    pub(super) fn hold_offset(
        &mut self,
        producer: ProducerId,
        key: &OffsetKey,
        value: CommittedOffset,
        order: LogOrder,
    ) {
        let group = self.create_group(&key.group);
        group.pending.put(producer, key, value, order);
        let id = group.id.clone();
        self.transactions.entry(producer).or_default().insert(id);
    }

    /// A marker is durable: what the transaction committed becomes visible, or is dropped.
    pub(super) fn release_offsets(&mut self, producer: ProducerId, commit: bool) {
        for id in self.transactions.remove(&producer).unwrap_or_default() {
            let Some(group) = self.groups.get_mut(&id) else { continue };
            let released = group.pending.take(producer);
            if commit {
                group.materialise(released);
            }
            self.remove_if_vacant(&id);
        }
    }
}

impl Group {
    fn materialise(&mut self, released: OfTransaction) {
        for ((topic, partition), (value, order)) in released {
            let known = self.offsets.get(&topic).and_then(|partitions| partitions.get(&partition));
            if known.is_none_or(|known| known.order < order) {
                let key = OffsetKey { group: self.id.clone(), topic, partition };
                self.set_offset(&key, Some(CommittedOffset { order, ..value }));
            }
        }
    }
}
