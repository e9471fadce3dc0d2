//! Several real processes: forming a cluster, replicating, and going on when one is killed.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

#[path = "cluster/client.rs"]
mod client;
#[path = "cluster/failover.rs"]
mod failover;
#[path = "cluster/forming.rs"]
mod forming;
