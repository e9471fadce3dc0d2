//! A change of a consumer group in the making: the group as it will be, and the records that make it so. Whatever goes
//! wrong on the way, the group itself is as it was.

use std::rc::Rc;

use thalweg_protocol::StrBytes;

use super::group::ConsumerGroup;
use super::member::{CurrentAssignment, Member, MemberMetadata};
use super::record::{ConsumerRecord, GroupEpoch};

#[derive(Debug)]
pub(in crate::coordinator::group) struct Draft {
    pub(in crate::coordinator::group) group: ConsumerGroup,
    pub(in crate::coordinator::group) records: Vec<ConsumerRecord>,
}

impl Draft {
    pub(in crate::coordinator::group) fn new(group: &ConsumerGroup) -> Self {
        Self { group: group.clone(), records: Vec::new() }
    }

    pub(in crate::coordinator::group) fn write(&mut self, record: ConsumerRecord) {
        self.group.replay(&record);
        self.records.push(record);
    }

    pub(in crate::coordinator::group) fn write_metadata(&mut self, id: &StrBytes, metadata: Rc<MemberMetadata>) {
        self.write(ConsumerRecord::Member(id.clone(), Some(metadata)));
    }

    pub(in crate::coordinator::group) fn write_current(&mut self, id: &StrBytes, current: CurrentAssignment) {
        self.write(ConsumerRecord::Current(id.clone(), Some(current)));
    }

    /// Takes a member out; the order is Kafka's.
    pub(in crate::coordinator::group) fn remove_member(&mut self, id: &StrBytes) {
        let regex = self.group.member(id).and_then(|member| member.metadata.regex().cloned());
        self.write(ConsumerRecord::Current(id.clone(), None));
        self.write(ConsumerRecord::Target(id.clone(), None));
        self.write(ConsumerRecord::Member(id.clone(), None));
        if let Some(regex) = regex {
            self.drop_unused(regex);
        }
    }

    /// An expression that no member has any more is forgotten.
    pub(super) fn drop_unused(&mut self, regex: StrBytes) {
        if !self.group.regexes.contains_key(&regex) && self.group.resolved.contains_key(&regex) {
            self.write(ConsumerRecord::Regex(regex, None));
        }
    }

    /// Gives the place of a static member to the same instance under another id.
    pub(super) fn replace_member(&mut self, old: &Member, new_id: &StrBytes) {
        let target = self.group.target_of(&old.id);
        // Not with `remove_member`: its expression stays in use.
        self.write(ConsumerRecord::Current(old.id.clone(), None));
        self.write(ConsumerRecord::Target(old.id.clone(), None));
        self.write(ConsumerRecord::Member(old.id.clone(), None));
        self.write_metadata(new_id, Rc::clone(&old.metadata));
        self.write(ConsumerRecord::Target(new_id.clone(), Some(target)));
        let current = CurrentAssignment { epoch: 0, previous_epoch: 0, ..old.current.clone() };
        self.write_current(new_id, current);
    }

    /// The next epoch of the group. Kafka's groups are at epoch 1 before anything is written of them.
    pub(super) fn bump(&mut self, metadata_hash: i64) {
        let epoch = self.group.epoch.epoch.max(1).saturating_add(1);
        self.write(ConsumerRecord::Epoch(Some(GroupEpoch { epoch, metadata_hash })));
    }

    /// Everything of the group goes, in Kafka's order.
    pub(in crate::coordinator::group) fn erase(&mut self) {
        let members: Vec<StrBytes> = self.group.members.keys().cloned().collect();
        let regexes: Vec<StrBytes> = self.group.resolved.keys().cloned().collect();
        members.iter().for_each(|id| self.write(ConsumerRecord::Current(id.clone(), None)));
        members.iter().for_each(|id| self.write(ConsumerRecord::Target(id.clone(), None)));
        self.write(ConsumerRecord::TargetEpoch(None));
        members.iter().for_each(|id| self.write(ConsumerRecord::Member(id.clone(), None)));
        regexes.into_iter().for_each(|regex| self.write(ConsumerRecord::Regex(regex, None)));
        self.write(ConsumerRecord::Epoch(None));
    }
}
