//! Back-pressure: while a core holds more unwritten bytes than it may, its sockets are not read.

use super::core::Core;

impl Core {
    /// Waits while this core's WAL holds more than its share of memory. What other cores hold for this one's connections
    /// is in the budget of requests, which are not answered before it is written.
    pub(crate) async fn wait_for_room(&self) {
        let limit = self.shared.config.unwritten_bytes_max_per_core();
        let mut seen = self.room.count();
        while self.store.wal().gathered_bytes() > limit {
            seen = self.room.wait(seen).await;
        }
    }
}
