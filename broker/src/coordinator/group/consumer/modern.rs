//! The newer kind of group that an id may stand for, twice: as its last request left it, and as far as it is durable.

use super::group::ConsumerGroup;
use super::record::{ConsumerRecord, Kind};

#[derive(Debug, Default)]
pub(in crate::coordinator::group) struct Modern {
    /// With every write under way.
    current: Option<ConsumerGroup>,
    /// Without: what a restart would find.
    durable: Option<ConsumerGroup>,
    /// Records under way.
    in_flight: usize,
}

impl Modern {
    pub(in crate::coordinator::group) fn current(&self) -> Option<&ConsumerGroup> {
        self.current.as_ref()
    }

    pub(in crate::coordinator::group) fn durable(&self) -> Option<&ConsumerGroup> {
        self.durable.as_ref()
    }

    pub(in crate::coordinator::group) fn is_none(&self) -> bool {
        self.current.is_none() && self.durable.is_none() && self.in_flight == 0
    }

    pub(in crate::coordinator::group) fn has_in_flight(&self) -> bool {
        self.in_flight > 0
    }

    /// `records` of them are now to be written.
    pub(in crate::coordinator::group) fn advance(&mut self, group: Option<ConsumerGroup>, records: usize) {
        self.current = group;
        self.in_flight += records;
    }

    /// A record was read from the log, or is durable now.
    pub(in crate::coordinator::group) fn replay(&mut self, kind: Kind, record: &ConsumerRecord) {
        replay(&mut self.durable, kind, record);
    }

    /// The log was read to its end.
    pub(in crate::coordinator::group) fn loaded(&mut self) {
        self.current = self.durable.clone();
    }

    /// The counterpart of [`Self::advance`], for each record.
    pub(in crate::coordinator::group) fn settle(&mut self, kind: Kind, record: &ConsumerRecord, durable: bool) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if durable {
            self.replay(kind, record);
        }
    }

    /// A write failed: the group is what is durable, and what is still under way.
    pub(in crate::coordinator::group) fn rebuild<'a>(
        &mut self,
        under_way: impl Iterator<Item = (Kind, &'a ConsumerRecord)>,
    ) {
        self.current = self.durable.clone();
        under_way.for_each(|(kind, record)| replay(&mut self.current, kind, record));
    }
}

/// The first record of a group makes it, and the tombstone of its epoch, which comes last, ends it. In a compacted log other
/// records may stand before the epoch's.
fn replay(group: &mut Option<ConsumerGroup>, kind: Kind, record: &ConsumerRecord) {
    match record {
        ConsumerRecord::Epoch(None) => *group = None,
        ConsumerRecord::Member(_, None)
        | ConsumerRecord::TargetEpoch(None)
        | ConsumerRecord::Target(_, None)
        | ConsumerRecord::Current(_, None)
        | ConsumerRecord::Regex(_, None)
            if group.is_none() => {}
        _ => group.get_or_insert_with(|| ConsumerGroup::of_kind(kind)).replay(record),
    }
}
