//! Consumer groups of KIP-848: the coordinator assigns, members come to their assignments one by one.
//!
//! A group is what its records say ([`group::ConsumerGroup::replay`]). Each request works on a copy ([`draft::Draft`]): it is
//! replayed into the copy record by record, then the copy takes the group's place and the records are written. What is not
//! durable yet is kept apart from what is ([`modern`]), so that a write that fails is undone.
//!
//! Behaviour follows Kafka 4.3's `GroupMetadataManager`. Expressions are resolved at once, where Kafka does it on another
//! thread: the group's epoch then grows once instead of twice.

mod advance;
mod assignor;
mod check;
mod classic;
mod classic_join;
pub(super) mod codec;
mod config;
mod describe;
mod downgrade;
mod draft;
mod embedded;
mod erase;
mod group;
mod hash;
mod heartbeat;
mod leave;
mod member;
mod modern;
mod offsets;
mod open;
mod re2;
mod reconcile;
mod record;
mod refusal;
mod regex;
mod target;
#[cfg(test)]
mod tests;
mod topics;
mod upgrade;
pub(super) mod words;

pub(super) use advance::{may_assign, update_epoch};
pub use assignor::Assignor;
pub(super) use config::Terms;
pub use config::{ConsumerConfig, MigrationPolicy};
pub(super) use draft::Draft;
pub(super) use group::ConsumerGroup;
pub(super) use member::{
    CurrentAssignment, EPOCH_JOIN, EPOCH_LEFT, Member, MemberMetadata, MemberState, Owned, Partitions,
};
pub(super) use open::Opened;
pub(super) use refusal::Refusal;

pub(super) use modern::Modern;
pub(super) use record::{ConsumerRecord, GroupEpoch, Kind, TargetEpoch};
pub(super) use topics::Cluster;
