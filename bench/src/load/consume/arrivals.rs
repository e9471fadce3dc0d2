//! Whether what was acknowledged also arrived: counts over the whole run, warm-up and end included.

use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Default)]
pub(crate) struct Arrivals {
    acknowledged: AtomicU64,
    arrived: AtomicU64,
    hidden: AtomicU64,
}

impl Arrivals {
    /// Records that the broker took, in transactions that are aborted later too.
    pub(crate) fn acknowledge(&self, records: u64) {
        self.acknowledged.fetch_add(records, Ordering::Relaxed);
    }

    /// Records of this run that came to a consumer at the tail.
    pub(super) fn arrive(&self, records: u64) {
        self.arrived.fetch_add(records, Ordering::Relaxed);
    }

    /// Records of aborted transactions that consumers at the tail were not shown.
    pub(super) fn hide(&self, records: u64) {
        self.hidden.fetch_add(records, Ordering::Relaxed);
    }

    /// Acknowledged records that did not arrive at the tail, when consumers there have ended. Records that arrived
    /// without having been acknowledged (their answer was lost) may make up for some: it is a count, not a proof.
    pub(crate) fn missing(&self) -> u64 {
        let [acknowledged, arrived, hidden] =
            [&self.acknowledged, &self.arrived, &self.hidden].map(|count| count.load(Ordering::Relaxed));
        acknowledged.saturating_sub(arrived + hidden)
    }
}
