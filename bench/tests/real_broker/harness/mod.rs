//! What the test programs of this folder share: a real broker, a proxy in front of it that can fail, and the command line.

mod bench;
mod broker;
mod proxy;

pub(crate) use bench::{Outcome, Running, start};
pub(crate) use broker::{Broker, free_ports};
pub(crate) use proxy::{Fault, Proxy};
