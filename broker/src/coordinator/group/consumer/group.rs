//! A consumer group, or a share group: what it is, and what each record makes of it.
//!
//! All maps are persistent, so that a copy of a whole group costs nothing: every change is made on a copy, which takes the
//! group's place once all of it has worked out ([`super::draft`]).

use std::collections::BTreeSet;
use std::rc::Rc;

use imbl::{HashMap, OrdMap};
use thalweg_protocol::StrBytes;
use uuid::Uuid;

use super::member::{CurrentAssignment, EPOCH_LEFT, Member, MemberMetadata, Partitions};
use super::record::{ConsumerRecord, GroupEpoch, Kind, ResolvedRegex, TargetEpoch};

/// Kafka's `ConsumerGroupState`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::coordinator::group) enum ConsumerState {
    /// No members.
    Empty,
    /// Waits for a target assignment of its epoch.
    Assigning,
    /// Has its target; not all members have come there.
    Reconciling,
    Stable,
}

impl ConsumerState {
    pub(in crate::coordinator::group) const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Assigning => "Assigning",
            Self::Reconciling => "Reconciling",
            Self::Stable => "Stable",
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(in crate::coordinator::group) struct ConsumerGroup {
    pub(in crate::coordinator::group) kind: Kind,
    pub(in crate::coordinator::group) epoch: GroupEpoch,
    pub(in crate::coordinator::group) target_epoch: TargetEpoch,
    pub(in crate::coordinator::group) members: OrdMap<StrBytes, Rc<Member>>,
    /// Instance id to member id.
    pub(in crate::coordinator::group) static_members: OrdMap<StrBytes, StrBytes>,
    /// What each member is to have.
    pub(in crate::coordinator::group) target: OrdMap<StrBytes, Rc<Partitions>>,
    /// Topics that members name, and how many do.
    pub(in crate::coordinator::group) topics: OrdMap<StrBytes, usize>,
    /// Regular expressions, and how many members have them.
    pub(in crate::coordinator::group) regexes: OrdMap<StrBytes, usize>,
    pub(in crate::coordinator::group) resolved: OrdMap<StrBytes, Rc<ResolvedRegex>>,
    /// Who has a partition, or has not given it up yet.
    owners: HashMap<(Uuid, i32), StrBytes>,
    /// The version of the cluster's topics for which [`GroupEpoch::metadata_hash`] was last computed. Not in any record.
    pub(in crate::coordinator::group) checked_version: u64,
}

impl ConsumerGroup {
    pub(in crate::coordinator::group) fn member(&self, id: &str) -> Option<&Rc<Member>> {
        self.members.get(id.as_bytes())
    }

    pub(in crate::coordinator::group) fn static_member(&self, instance: &str) -> Option<&Rc<Member>> {
        self.member(self.static_members.get(instance.as_bytes())?)
    }

    pub(in crate::coordinator::group) fn of_kind(kind: Kind) -> Self {
        Self { kind, ..Self::default() }
    }

    pub(in crate::coordinator::group) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(in crate::coordinator::group) fn state(&self) -> ConsumerState {
        if self.members.is_empty() {
            ConsumerState::Empty
        } else if self.epoch.epoch > self.target_epoch.epoch {
            ConsumerState::Assigning
        } else if self.members.values().all(|member| member.is_reconciled_to(self.target_epoch.epoch)) {
            ConsumerState::Stable
        } else {
            ConsumerState::Reconciling
        }
    }

    /// Kafka knows of no steps between empty and stable in share groups.
    pub(in crate::coordinator::group) fn state_name(&self) -> &'static str {
        match (self.kind, self.state()) {
            (Kind::Share, ConsumerState::Assigning | ConsumerState::Reconciling) => ConsumerState::Stable.name(),
            (_, state) => state.name(),
        }
    }

    pub(super) fn is_free(&self, topic: Uuid, partition: i32) -> bool {
        !self.owners.contains_key(&(topic, partition))
    }

    pub(in crate::coordinator::group) fn target_of(&self, member: &str) -> Rc<Partitions> {
        self.target.get(member.as_bytes()).cloned().unwrap_or_default()
    }

    /// Every topic that the group reads, as far as expressions are resolved.
    pub(in crate::coordinator::group) fn subscribed(&self) -> BTreeSet<StrBytes> {
        let named = self.topics.keys().cloned();
        let matched = self.resolved.iter().filter(|(regex, _)| self.regexes.contains_key(*regex));
        named.chain(matched.flat_map(|(_, resolved)| resolved.topics.iter().cloned())).collect()
    }

    pub(in crate::coordinator::group) fn is_subscribed_to(&self, topic: &str) -> bool {
        self.topics.contains_key(topic.as_bytes())
            || self
                .resolved
                .iter()
                .any(|(regex, resolved)| self.regexes.contains_key(regex) && resolved.topics.contains(topic.as_bytes()))
    }

    /// The topics that one member reads.
    pub(super) fn topics_of(&self, member: &MemberMetadata) -> Rc<BTreeSet<StrBytes>> {
        let matched = member.regex().and_then(|regex| self.resolved.get(regex)).filter(|it| !it.topics.is_empty());
        match matched {
            None => Rc::clone(&member.topics),
            Some(resolved) => Rc::new(resolved.topics.union(&member.topics).cloned().collect()),
        }
    }

    /// Whether all members read the same topics, as Kafka's `ConsumerGroup.subscriptionType` finds out.
    pub(super) fn is_homogeneous(&self) -> bool {
        let all = |counts: &OrdMap<StrBytes, usize>| counts.values().all(|count| *count == self.members.len());
        match self.regexes.len() {
            0 => all(&self.topics),
            1 => all(&self.regexes) && all(&self.topics),
            _ => false,
        }
    }

    /// What the record says is so from now on.
    pub(in crate::coordinator::group) fn replay(&mut self, record: &ConsumerRecord) {
        match record {
            ConsumerRecord::Epoch(epoch) => self.epoch = epoch.unwrap_or_default(),
            ConsumerRecord::TargetEpoch(epoch) => self.target_epoch = epoch.unwrap_or_default(),
            ConsumerRecord::Target(id, Some(target)) => drop(self.target.insert(id.clone(), Rc::clone(target))),
            ConsumerRecord::Target(id, None) => drop(self.target.remove(id)),
            ConsumerRecord::Regex(regex, Some(resolved)) => {
                drop(self.resolved.insert(regex.clone(), Rc::clone(resolved)));
            }
            ConsumerRecord::Regex(regex, None) => drop(self.resolved.remove(regex)),
            ConsumerRecord::Member(id, Some(metadata)) => {
                let current = self.member(id).map(|member| member.current.clone()).unwrap_or_default();
                self.put(Member { id: id.clone(), metadata: Rc::clone(metadata), current });
            }
            ConsumerRecord::Member(id, None) => self.remove(id),
            ConsumerRecord::Current(id, Some(current)) => {
                let metadata = self.member(id).map(|member| Rc::clone(&member.metadata)).unwrap_or_default();
                self.put(Member { id: id.clone(), metadata, current: current.clone() });
            }
            ConsumerRecord::Current(id, None) => {
                let Some(member) = self.member(id) else { return };
                let current = CurrentAssignment { epoch: EPOCH_LEFT, previous_epoch: EPOCH_LEFT, ..Default::default() };
                let metadata = Rc::clone(&member.metadata);
                self.put(Member { id: id.clone(), metadata, current });
            }
        }
    }

    fn put(&mut self, member: Member) {
        let old = self.members.get(&member.id).cloned();
        let same_metadata = old.as_ref().is_some_and(|old| Rc::ptr_eq(&old.metadata, &member.metadata));
        if !same_metadata {
            if let Some(old) = &old {
                self.uncount(old);
            }
            self.count(&member);
        }
        if let Some(old) = &old {
            self.disown(old);
        }
        for partition in member.holds() {
            self.owners.insert(partition, member.id.clone());
        }
        self.members.insert(member.id.clone(), Rc::new(member));
    }

    fn remove(&mut self, id: &StrBytes) {
        let Some(member) = self.members.remove(id) else { return };
        self.uncount(&member);
        self.disown(&member);
    }

    /// A partition may have another owner by now: the log of a compacted partition can give it away before it is given up.
    fn disown(&mut self, member: &Member) {
        for partition in member.holds() {
            if self.owners.get(&partition) == Some(&member.id) {
                self.owners.remove(&partition);
            }
        }
    }

    fn count(&mut self, member: &Member) {
        for topic in member.metadata.topics.iter() {
            *self.topics.entry(topic.clone()).or_default() += 1;
        }
        if let Some(regex) = member.metadata.regex() {
            *self.regexes.entry(regex.clone()).or_default() += 1;
        }
        if let Some(instance) = &member.metadata.instance_id {
            self.static_members.insert(instance.clone(), member.id.clone());
        }
    }

    fn uncount(&mut self, member: &Member) {
        for topic in member.metadata.topics.iter() {
            discount(&mut self.topics, topic);
        }
        if let Some(regex) = member.metadata.regex() {
            discount(&mut self.regexes, regex);
        }
        // The instance may be another member's by now.
        if let Some(instance) = &member.metadata.instance_id
            && self.static_members.get(instance) == Some(&member.id)
        {
            self.static_members.remove(instance);
        }
    }
}

fn discount(counts: &mut OrdMap<StrBytes, usize>, name: &StrBytes) {
    match counts.get(name).copied() {
        Some(count) if count > 1 => drop(counts.insert(name.clone(), count - 1)),
        _ => drop(counts.remove(name)),
    }
}
