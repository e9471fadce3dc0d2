//! Back-pressure: while a core holds more unwritten bytes than it may, its sockets are not read.

use std::time::Duration;

use super::core::Core;

/// How often a connection that waits for room looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

impl Core {
    /// Waits while this core's WAL holds more than its share of memory. The other cores look after their own.
    pub(crate) async fn wait_for_room(&self) {
        while self.store.wal().gathered_bytes() > self.shared.config.unwritten_bytes_max_per_core() {
            thalweg_reactor::sleep(LOOK_AGAIN).await;
        }
    }
}
