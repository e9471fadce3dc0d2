//! Share groups where their records are (KIP-932): which records of a partition a group was given, has done with, and may have
//! again. The state of one partition as one group reads it is a [`partition::SharePartition`]; it lives on the core that owns
//! the partition ([`hosted`]), and what is to outlive it is kept by the share coordinator (`crate::coordinator::share`).

pub mod hosted;
mod merge;
pub mod partition;
pub mod reset;
