//! One member of a consumer group: what it says of itself, and what it has.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use thalweg_protocol::StrBytes;
use uuid::Uuid;

use crate::coordinator::group::member::Protocol;

/// Partitions by topic.
pub(in crate::coordinator::group) type Partitions = BTreeMap<Uuid, BTreeSet<i32>>;

/// Partitions that a member has, each with the epoch in which the member got it (KIP-1251).
pub(in crate::coordinator::group) type Owned = BTreeMap<Uuid, BTreeMap<i32, i32>>;

/// The epoch of a member that is about to join, and of one that has left.
pub(in crate::coordinator::group) const EPOCH_JOIN: i32 = 0;
pub(in crate::coordinator::group) const EPOCH_LEFT: i32 = -1;
/// A static member that will be back within its session.
pub(in crate::coordinator::group) const EPOCH_LEFT_FOR_NOW: i32 = -2;

/// Where a member is on its way to its target (Kafka's `MemberState`, whose numbers these are).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(in crate::coordinator::group) enum MemberState {
    /// Has what its epoch says.
    #[default]
    Stable,
    /// Must give partitions up before it may go on.
    Unrevoked,
    /// Waits for partitions that others still have.
    Unreleased,
    /// Written by a version from the future.
    Unknown,
}

impl MemberState {
    pub(in crate::coordinator::group) const fn number(self) -> i8 {
        match self {
            Self::Stable => 0,
            Self::Unrevoked => 1,
            Self::Unreleased => 2,
            Self::Unknown => 127,
        }
    }

    pub(in crate::coordinator::group) const fn from_number(number: i8) -> Self {
        match number {
            0 => Self::Stable,
            1 => Self::Unrevoked,
            2 => Self::Unreleased,
            _ => Self::Unknown,
        }
    }
}

/// What a member that speaks the classic protocol said when it joined.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::coordinator::group) struct ClassicMember {
    pub(in crate::coordinator::group) session_timeout_ms: i32,
    pub(in crate::coordinator::group) protocols: Vec<Protocol>,
}

/// What a member says of itself: Kafka's `ConsumerGroupMemberMetadataValue`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(in crate::coordinator::group) struct MemberMetadata {
    pub(in crate::coordinator::group) instance_id: Option<StrBytes>,
    pub(in crate::coordinator::group) rack_id: Option<StrBytes>,
    pub(in crate::coordinator::group) client_id: StrBytes,
    pub(in crate::coordinator::group) client_host: StrBytes,
    pub(in crate::coordinator::group) topics: Rc<BTreeSet<StrBytes>>,
    /// Empty where there is none.
    pub(in crate::coordinator::group) regex: StrBytes,
    pub(in crate::coordinator::group) rebalance_timeout_ms: i32,
    pub(in crate::coordinator::group) assignor: Option<StrBytes>,
    /// Of members that speak the classic protocol.
    pub(in crate::coordinator::group) classic: Option<Rc<ClassicMember>>,
}

impl MemberMetadata {
    /// The regular expression, if it has one; a member takes one back by sending an empty one.
    pub(super) fn regex(&self) -> Option<&StrBytes> {
        Some(&self.regex).filter(|regex| !regex.is_empty())
    }
}

/// What a member has: Kafka's `ConsumerGroupCurrentMemberAssignmentValue`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(in crate::coordinator::group) struct CurrentAssignment {
    pub(in crate::coordinator::group) epoch: i32,
    /// Its epoch before, which it may still name if an answer was lost.
    pub(in crate::coordinator::group) previous_epoch: i32,
    pub(in crate::coordinator::group) state: MemberState,
    pub(in crate::coordinator::group) assigned: Rc<Owned>,
    /// What it must give up.
    pub(in crate::coordinator::group) revoking: Rc<Owned>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(in crate::coordinator::group) struct Member {
    pub(in crate::coordinator::group) id: StrBytes,
    pub(in crate::coordinator::group) metadata: Rc<MemberMetadata>,
    pub(in crate::coordinator::group) current: CurrentAssignment,
}

impl Member {
    pub(in crate::coordinator::group) fn new(id: StrBytes) -> Self {
        Self { id, ..Self::default() }
    }

    pub(in crate::coordinator::group) fn is_classic(&self) -> bool {
        self.metadata.classic.is_some()
    }

    pub(super) fn is_reconciled_to(&self, epoch: i32) -> bool {
        self.current.state == MemberState::Stable && self.current.epoch == epoch
    }

    /// Everything that nobody else may have: assigned, or not yet given up.
    pub(super) fn holds(&self) -> impl Iterator<Item = (Uuid, i32)> + '_ {
        let both = [&self.current.assigned, &self.current.revoking];
        both.into_iter()
            .flat_map(|owned| owned.iter())
            .flat_map(|(topic, partitions)| partitions.keys().map(move |index| (*topic, *index)))
    }

    /// The epoch in which it got a partition that it has or is giving up.
    pub(super) fn epoch_of(&self, topic: Uuid, partition: i32) -> Option<i32> {
        let find = |owned: &Owned| owned.get(&topic).and_then(|partitions| partitions.get(&partition)).copied();
        find(&self.current.assigned).or_else(|| find(&self.current.revoking))
    }
}

/// The same partitions without their epochs.
pub(super) fn without_epochs(owned: &Owned) -> Partitions {
    owned.iter().map(|(topic, partitions)| (*topic, partitions.keys().copied().collect())).collect()
}
