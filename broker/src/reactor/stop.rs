//! Stopping without losing anything, and the periodic chores of a core that serves.

use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::core::Core;
use crate::limits::HOUSEKEEPING_INTERVAL;

/// How often a core looks whether it should stop. Each look wakes an idle core.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// How often a core that stops looks whether all is answered.
const DRAIN_INTERVAL: Duration = Duration::from_millis(5);

/// How long requests under way get to be answered when the process stops.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);

impl Core {
    /// Answers what is under way, closes the connections, and brings the log to a clean end.
    pub(super) async fn stop(self: &Rc<Self>) {
        self.hand_over().await;
        let began = Instant::now();
        while self.connections.requests_in_flight() > 0 && began.elapsed() < DRAIN_TIME_MAX {
            self.wake_all_watches();
            thalweg_reactor::sleep(DRAIN_INTERVAL).await;
        }
        // Another core's requests may still need this one.
        self.shared.drained_cores.fetch_add(1, Ordering::AcqRel);
        while self.shared.drained_cores.load(Ordering::Acquire) < self.shared.cores
            && began.elapsed() < DRAIN_TIME_MAX * 2
        {
            thalweg_reactor::sleep(DRAIN_INTERVAL).await;
        }
        self.connections.close_all();
        self.take_turn();
        self.peers.stop();
        // Nobody appends any more.
        self.background.take();
        if let Err(error) = self.store.close().await {
            tracing::error!(
                core = self.id.0,
                "the log could not be closed cleanly, the next start will recover it: {error}"
            );
        }
        if let Some(log_io) = self.log_io.take() {
            log_io.await;
        }
    }

    pub(super) async fn run_housekeeping(self: Rc<Self>) {
        loop {
            thalweg_reactor::sleep(HOUSEKEEPING_INTERVAL).await;
            let idle_max = self.shared.config.connections_max_idle;
            self.connections.reap(Instant::now(), idle_max, self.shared.config.request_receive_max);
            self.peers.reap(Instant::now());
            self.tick_shards();
            self.refresh_all_in_sync();
            self.report();
        }
    }

    /// Copies this core's figures to where the admin thread reads them.
    fn report(&self) {
        let Some(gauges) = self.shared.metrics.per_core.get(self.id.0) else { return };
        gauges.connections.set(self.connections.count() as u64);
        gauges.partitions.set(self.partitions.borrow().len() as u64);
        let request_memory_bytes = self.request_memory.used_bytes() + self.large_request_memory.used_bytes();
        gauges.request_memory_bytes.set(request_memory_bytes as u64);
        gauges.wal_used_bytes.set(self.store.wal().used_bytes());
        gauges.wal_gathered_bytes.set(self.store.wal().gathered_bytes() as u64);
        let compaction = self.store.compaction_stats();
        gauges.compaction_passes.set(compaction.passes);
        gauges.compaction_read_bytes.set(compaction.read_bytes);
        gauges.compaction_written_bytes.set(compaction.written_bytes);
        gauges.compaction_time_ms.set(u64::try_from(compaction.time.as_millis()).unwrap_or(u64::MAX));
        // Gauges are whole numbers.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a percentage")]
        gauges.max_dirty_percent.set((compaction.max_dirty_ratio * 100.0) as u64);
        gauges.uncleanable_partitions.set(compaction.uncleanable_logs);
    }
}
