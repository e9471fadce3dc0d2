//! Coordinators: replicated state machines that live beside a partition of an internal topic.

pub mod group;
mod hosted;

pub use hosted::{Coordinators, Hosted, PendingAppend};
