//! The assignors of the server's side: who is to have which partition. Pure functions; who has what so far is the last
//! target, not what members have come to yet.

mod heterogeneous;
mod homogeneous;
mod range;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use thalweg_protocol::StrBytes;
use uuid::Uuid;

use super::member::Partitions;

/// Which assignor a group uses, of those that Kafka has built in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Assignor {
    /// Balanced over all topics, moving as little as can be.
    Uniform,
    /// Consecutive partitions of each topic; topics of the same size are cut at the same places.
    Range,
}

impl Assignor {
    /// The assignor of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Uniform, Self::Range].into_iter().find(|assignor| assignor.name() == name)
    }

    /// Kafka's name of it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Range => "range",
        }
    }

    /// What each member is to have, in the order of [`Spec::members`].
    pub(super) fn assign(self, spec: &Spec) -> Vec<Partitions> {
        if spec.members.is_empty() {
            return Vec::new();
        }
        match self {
            Self::Range => range::assign(spec),
            Self::Uniform if spec.homogeneous => homogeneous::assign(spec),
            Self::Uniform => heterogeneous::assign(spec),
        }
    }
}

/// A member, as an assignor sees it.
#[derive(Clone, Debug)]
pub(super) struct Subscriber {
    pub(super) id: StrBytes,
    pub(super) instance_id: Option<StrBytes>,
    /// Topics that exist.
    pub(super) topics: Rc<BTreeSet<Uuid>>,
    /// What it was to have so far.
    pub(super) assigned: Rc<Partitions>,
}

/// All that an assignment depends on.
#[derive(Clone, Debug, Default)]
pub(super) struct Spec {
    /// In the order of their ids.
    pub(super) members: Vec<Subscriber>,
    /// How many partitions each subscribed topic has.
    pub(super) partitions: BTreeMap<Uuid, i32>,
    /// All members read the same topics.
    pub(super) homogeneous: bool,
}
