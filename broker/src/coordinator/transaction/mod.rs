//! The transaction coordinator: producer ids of transactional ids, which partitions a transaction touches, and its decision.
//!
//! One [`TransactionShard`] is all transactional ids of one partition of `__transaction_state`. It belongs to the core that
//! owns that partition. It does no I/O and reads no clock: a request or a timer goes in with the time, [`Effect`]s come out.
//!
//! How a driver uses it:
//! 1. [`TransactionShard::new`], [`TransactionShard::load`] with every batch of the partition, [`TransactionShard::loaded`].
//! 2. Requests: [`TransactionShard::init_producer_id`], [`TransactionShard::add_partitions`], [`TransactionShard::end`], …
//!    While [`TransactionShard::wants_producer_id`] says so, [`TransactionShard::supply`] comes first. Every
//!    [`Effect::Append`] is proposed to the partition's Raft group in the order given and reported, once it is committed or
//!    failed, with [`TransactionShard::appended`], in that order.
//! 3. [`Effect::Errand`]: markers to be written. What became of each is reported with [`TransactionShard::marked`].
//! 4. [`TransactionShard::tick`] when [`TransactionShard::next_deadline`] has come.
//! 5. [`TransactionShard::unload`] when leadership is lost.
//!
//! Behaviour follows Kafka's `TransactionCoordinator` and `TransactionMetadata` (4.3): KIP-98, KIP-360 (a producer goes on
//! after an error) and KIP-890 (a new epoch with every transaction).
//!
//! **Invariant:** a decision (`PrepareCommit`, `PrepareAbort`) is durable before its first marker is asked for, and nothing
//! changes it. **Invariant:** nobody is told of a producer id and epoch that is not durable.

mod add;
mod append;
mod driven;
mod effect;
mod end;
mod expiry;
mod fence;
mod init;
mod limits;
mod load;
mod markers;
mod metadata;
mod query;
mod record_codec;
mod shard;
mod state;
#[cfg(test)]
mod tests;
mod timeouts;
mod version;

pub use effect::{Effect, Marking, Producer, Response, TopicPartition};
pub use query::{Described, Filter, Listed};
pub use shard::{TransactionConfig, TransactionShard};
pub use state::State;
pub use version::TransactionVersion;

pub use super::effect::{AppendToken, ReplyToken};
pub use thalweg_protocol::error::ErrorCode;
