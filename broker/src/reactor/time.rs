//! Time limits and background tasks, for code that does not know which runtime it runs on.

use std::future::Future;

pub use thalweg_reactor::within;

/// Runs a future on this core with nobody waiting for it. Its first step is taken before this returns.
pub fn spawn(future: impl Future<Output = ()> + 'static) {
    thalweg_reactor::spawn(future).detach();
}
