//! Durable bytes on one core: the write-ahead log, partition logs, segments, indexes, recovery, retention.
//!
//! Everything here belongs to one core and stays on it: `Rc` and `RefCell`, no locks. This crate decides neither what
//! is committed nor what a client may see; it keeps bytes and finds them again.

pub mod codec;
pub mod error;
mod event;
pub mod io;
pub mod log;
pub mod store;
pub mod types;
pub mod wal;

pub use error::StorageError;
