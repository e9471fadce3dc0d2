//! The states of a classic group, and which may follow which.

use std::fmt;

/// Where a group is between two generations. Names as ListGroups and DescribeGroups give them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupState {
    /// No members; only offsets, or members that were given an id and have not joined yet.
    Empty,
    /// Waits for all members to (re)join.
    PreparingRebalance,
    /// All have joined; waits for the leader's assignment to arrive and to be durable.
    CompletingRebalance,
    /// Every member can fetch its assignment.
    Stable,
    /// Its removal is being written.
    Dead,
}

impl GroupState {
    /// Kafka's `ClassicGroupState.validPreviousStates`, read the other way round.
    pub(super) const fn may_become(self, next: Self) -> bool {
        match next {
            Self::PreparingRebalance => matches!(self, Self::Stable | Self::CompletingRebalance | Self::Empty),
            Self::CompletingRebalance | Self::Empty => matches!(self, Self::PreparingRebalance),
            Self::Stable => matches!(self, Self::CompletingRebalance),
            Self::Dead => true,
        }
    }

    /// Kafka's name for the state.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
            Self::Dead => "Dead",
        }
    }
}

impl fmt::Display for GroupState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
