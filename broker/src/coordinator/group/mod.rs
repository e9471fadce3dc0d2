//! The group coordinator: membership, generations and committed offsets of classic groups, and consumer groups of KIP-848
//! ([`consumer`]).
//!
//! One [`GroupShard`] is all groups of one partition of `__consumer_offsets`. It belongs to the core that owns that
//! partition. It does no I/O and reads no clock: a request or a timer goes in with the time, [`Effect`]s come out.
//!
//! How a driver uses it:
//! 1. [`GroupShard::new`], [`GroupShard::load`] with every batch of the partition, [`GroupShard::loaded`].
//! 2. Requests: [`GroupShard::join`], [`GroupShard::sync`], … Every [`Effect::Append`] is proposed to the partition's Raft
//!    group in the order given, and once it is committed (or failed) reported with [`GroupShard::appended`], in that order.
//! 3. [`GroupShard::tick`] when [`GroupShard::next_deadline`] has come.
//! 4. [`GroupShard::unload`] when leadership is lost.
//!
//! Behaviour follows Kafka's `GroupMetadataManager` and `OffsetMetadataManager` (4.x), KIP-345 for static members and
//! KIP-394 for the member id that the coordinator hands out first.
//!
//! **Invariant:** what OffsetFetch shows is durable: an offset becomes visible when its append is reported as done.

mod admin;
mod append;
mod batch;
mod caller;
mod classic;
mod commit;
mod consumer;
mod context;
mod driven;
mod effect;
mod expiry;
mod fetch;
mod heartbeat;
mod join;
mod leave;
mod limits;
mod load;
mod member;
mod member_id;
mod offset_delete;
mod pending;
mod rebalance;
mod record;
mod record_codec;
mod reply;
mod shard;
mod share;
mod state;
mod static_member;
mod subscription;
mod sync;
#[cfg(test)]
mod tests;
mod timers;
mod txn_commit;
pub mod wire;

pub use caller::Caller;
pub use consumer::{Assignor, ConsumerConfig, MigrationPolicy};
pub use context::GroupConfig;
pub use effect::{Effect, Errand, Response};
pub use shard::GroupShard;
pub use share::ShareConfig;
pub use state::GroupState;

pub use super::effect::{AppendToken, ReplyToken};

pub use thalweg_protocol::error::ErrorCode;
