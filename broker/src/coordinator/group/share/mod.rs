//! Share groups of KIP-932, as far as the group coordinator goes: who is in a group and which partitions each member reads
//! from. Any number of members read from the same partition; what they get of it is the business of `crate::share`.
//!
//! A share group is a consumer group of another kind ([`super::consumer`]): the same state, without static members,
//! expressions, and steps between one assignment and the next.

mod assignor;
pub(super) mod codec;
mod config;
mod describe;
mod heartbeat;

pub use config::ShareConfig;
