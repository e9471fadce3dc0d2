//! Which cluster this node belongs to, how it came to, and what nodes tell each other beside Raft.
//!
//! - `forming` decides what a blank node does, from what the bootstrap servers answer; `identity` is what was decided, as
//!   `meta.properties` keeps it; `begin` asks until there is a decision.
//! - `join` is the other side: what a member does for a node that wants in.
//! - `question` has what one node asks another, `transactions` what coordinators ask leaders and the other way; `leaders` is how all nodes learn who leads a partition.

mod begin;
pub mod forming;
pub mod identity;
mod join;
mod leaders;
pub mod question;
pub mod transactions;

pub use identity::{ClusterIdentity, Founder};
pub(crate) use leaders::LeaderNews;
