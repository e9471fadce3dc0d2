//! What the test programs of this folder share: a real `thalwegd` process on free ports with a data directory of its own.
//!
//! Use: `mod support;` in a test program, then
//! ```ignore
//! let mut broker = Broker::start(Options::default());
//! let bootstrap = broker.bootstrap();   // "127.0.0.1:port", the same after every restart
//! broker.kill9();                       // SIGKILL: nothing is flushed
//! broker.restart();                     // the same ports, the same data
//! broker.stop();                        // SIGTERM; must exit with 0
//! ```
//! A broker that is dropped is killed, by its own pid, and its data directory is removed. When a test panics, the end of
//! the broker's log is printed with it; with `THALWEG_TEST_KEEP=1` the directory stays.

#![allow(dead_code, unused_imports, unreachable_pub, reason = "each test program uses its own part of this module")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod broker;
mod cluster;
mod http;
mod ports;
mod random;
mod signal;

pub use broker::{Broker, Options, StartError, tail};
pub use cluster::Cluster;
pub use http::{get, request};
pub use ports::free_ports;
pub use random::Random;
pub use signal::{Signal, Target, send};
