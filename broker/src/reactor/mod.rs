//! One reactor per core: it owns the WAL, the Raft driver, the partitions and the connections of that core.
//!
//! `core.rs` says what a core is; each flow is a sibling file: `turn` (Raft and the WAL), `mesh` (asking other cores),
//! `reconcile` (partitions as the image says), `start` and `stop`.

mod budget;
mod core;
mod groups;
mod hand_over;
mod markers;
mod mesh;
mod moves;
mod producer_ids;
mod reconcile;
mod replay;
mod replicas;
mod room;
mod shards;
mod share;
mod shared;
mod signal;
mod start;
mod stop;
mod transactions;
mod turn;

pub use self::budget::{Budget, Permit};
pub use self::core::{Core, CoreId, FutureSize, IdBlock, LogSize};
pub use self::markers::TxnMarker;
pub use self::mesh::Stopping;
pub use self::shards::Kind;
pub use self::share::ShareGroupSettings;
pub use self::shared::{Admission, Shared};
pub use self::signal::Signal;
#[doc(hidden)]
pub use self::start::start_with;
pub use self::start::{Doors, Node, rehome, start};
pub use thalweg_reactor::{sleep, within, yield_now};

/// Ends the process at once: going on could lose or corrupt what was acknowledged. What is durable stays so.
pub fn fatal(why: &str) -> ! {
    tracing::error!("fatal: {why}");
    // The log line may go through a buffer that a hard exit would lose.
    eprintln!("thalwegd: fatal: {why}");
    std::process::exit(70);
}
