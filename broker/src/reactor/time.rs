//! Time limits and background tasks, for code that does not know which runtime it runs on.

use std::future::Future;
use std::time::Duration;

/// What the future gave, or `None` if it took longer than `limit`.
pub async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    glommio::timer::timeout(limit, async { Ok(future.await) }).await.ok()
}

/// Runs a future on this core with nobody waiting for it. Its first step is taken before this returns.
pub fn spawn(future: impl Future<Output = ()> + 'static) {
    glommio::spawn_local(future).detach();
}
