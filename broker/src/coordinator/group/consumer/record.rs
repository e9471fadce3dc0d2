//! The records of `__consumer_offsets` that make up a consumer group. Their bytes are in [`super::codec`].

use std::collections::BTreeSet;
use std::rc::Rc;

use thalweg_protocol::{StrBytes, TimestampMs};

use super::member::{CurrentAssignment, MemberMetadata, Partitions};

/// Kafka's `ConsumerGroupMetadataValue`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(in crate::coordinator::group) struct GroupEpoch {
    pub(in crate::coordinator::group) epoch: i32,
    /// Of the topics that the group subscribes to, as of this epoch; 0 where it is not known.
    pub(in crate::coordinator::group) metadata_hash: i64,
}

/// Kafka's `ConsumerGroupTargetAssignmentMetadataValue`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(in crate::coordinator::group) struct TargetEpoch {
    pub(in crate::coordinator::group) epoch: i32,
    /// When the target was computed; 0 where that is not known.
    pub(in crate::coordinator::group) computed_at: TimestampMs,
}

/// Kafka's `ConsumerGroupRegularExpressionValue`: the topics that an expression matched.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(in crate::coordinator::group) struct ResolvedRegex {
    pub(in crate::coordinator::group) topics: BTreeSet<StrBytes>,
    /// Of the cluster's image.
    pub(in crate::coordinator::group) version: i64,
    pub(in crate::coordinator::group) resolved_at: TimestampMs,
}

/// Which kind of group it is. Share groups (KIP-932) are made up of the same records under other keys, and do without
/// some of the fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(in crate::coordinator::group) enum Kind {
    #[default]
    Consumer,
    Share,
}

/// One record of a consumer group or a share group; without a value it is a tombstone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::coordinator::group) enum ConsumerRecord {
    Epoch(Option<GroupEpoch>),
    Member(StrBytes, Option<Rc<MemberMetadata>>),
    TargetEpoch(Option<TargetEpoch>),
    Target(StrBytes, Option<Rc<Partitions>>),
    Current(StrBytes, Option<CurrentAssignment>),
    Regex(StrBytes, Option<Rc<ResolvedRegex>>),
}
