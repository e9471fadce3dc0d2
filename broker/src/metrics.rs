//! Counters and gauges that every core writes and the admin thread renders. Atomics, never waited for.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::peer::Traffic;

/// Only grows.
#[derive(Default)]
pub struct Counter(AtomicU64);

/// A value as of now.
#[derive(Default)]
pub struct Gauge(AtomicU64);

impl Counter {
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }
}

impl Gauge {
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }
}

#[derive(Default)]
pub struct CoreGauges {
    pub connections: Gauge,
    pub partitions: Gauge,
    pub request_memory_bytes: Gauge,
    pub wal_used_bytes: Gauge,
    pub wal_gathered_bytes: Gauge,
    pub compaction_passes: Gauge,
    pub compaction_read_bytes: Gauge,
    pub compaction_written_bytes: Gauge,
    pub compaction_time_ms: Gauge,
    pub max_dirty_percent: Gauge,
    pub uncleanable_partitions: Gauge,
}

/// Everything `GET /metrics` shows.
pub struct Metrics {
    pub requests: Counter,
    pub request_bytes: Counter,
    pub produced_batches: Counter,
    pub produced_bytes: Counter,
    pub fetched_bytes: Counter,
    pub connections_opened: Counter,
    pub connections_refused: Counter,
    pub connections_moved: Counter,
    /// Callers on `thalweg.rpc.listener` that were turned away.
    pub peer_refused: Counter,
    /// By other node.
    pub peers: Traffic,
    pub per_core: Vec<CoreGauges>,
}

impl Metrics {
    pub fn new(cores: usize) -> Self {
        Self {
            requests: Counter::default(),
            request_bytes: Counter::default(),
            produced_batches: Counter::default(),
            produced_bytes: Counter::default(),
            fetched_bytes: Counter::default(),
            connections_opened: Counter::default(),
            connections_refused: Counter::default(),
            connections_moved: Counter::default(),
            peer_refused: Counter::default(),
            peers: Traffic::default(),
            per_core: (0..cores).map(|_| CoreGauges::default()).collect(),
        }
    }

    /// Prometheus text format.
    pub fn render(&self) -> String {
        let mut text = String::new();
        let counters = [
            ("requests_total", "Requests received", &self.requests),
            ("request_bytes_total", "Bytes of requests received", &self.request_bytes),
            ("produced_batches_total", "Record batches accepted", &self.produced_batches),
            ("produced_bytes_total", "Bytes of record batches accepted", &self.produced_bytes),
            ("fetched_bytes_total", "Bytes of record batches sent to consumers", &self.fetched_bytes),
            ("connections_opened_total", "Connections accepted", &self.connections_opened),
            ("connections_refused_total", "Connections refused by a limit", &self.connections_refused),
            ("connections_moved_total", "Moves of connections to the core they ask", &self.connections_moved),
            (
                "peer_refused_total",
                "Connections of other nodes, or of strangers, that were refused",
                &self.peer_refused,
            ),
        ];
        for (name, help, counter) in counters {
            let value = counter.get();
            let _ =
                writeln!(text, "# HELP thalweg_{name} {help}.\n# TYPE thalweg_{name} counter\nthalweg_{name} {value}");
        }
        self.peers.render(&mut text);
        type Read = fn(&CoreGauges) -> &Gauge;
        let counted: [(&str, &str, Read); 4] = [
            ("compaction_passes_total", "Passes over compacted partitions", |core| &core.compaction_passes),
            ("compaction_read_bytes_total", "Bytes of segments that compaction replaced", |core| {
                &core.compaction_read_bytes
            }),
            ("compaction_written_bytes_total", "Bytes of segments that compaction wrote", |core| {
                &core.compaction_written_bytes
            }),
            ("compaction_milliseconds_total", "Time in passes, waiting included", |core| &core.compaction_time_ms),
        ];
        let gauges: [(&str, &str, Read); 7] = [
            ("compaction_max_dirty_percent", "Largest dirty share of a compacted partition", |core| {
                &core.max_dirty_percent
            }),
            ("compaction_uncleanable_partitions", "Partitions too damaged to be compacted", |core| {
                &core.uncleanable_partitions
            }),
            ("connections", "Open connections", |core| &core.connections),
            ("partitions", "Partition replicas hosted", |core| &core.partitions),
            ("request_memory_bytes", "Bytes of requests not yet answered", |core| &core.request_memory_bytes),
            ("wal_used_bytes", "Bytes of the write-ahead log that recovery would read", |core| &core.wal_used_bytes),
            ("wal_gathered_bytes", "Bytes waiting to be written to the write-ahead log", |core| {
                &core.wal_gathered_bytes
            }),
        ];
        let kinds = counted.into_iter().map(|row| (row, "counter")).chain(gauges.into_iter().map(|row| (row, "gauge")));
        for ((name, help, read), kind) in kinds {
            let _ = writeln!(text, "# HELP thalweg_{name} {help}.\n# TYPE thalweg_{name} {kind}");
            for (core, values) in self.per_core.iter().enumerate() {
                let value = read(values).0.load(Ordering::Relaxed);
                let _ = writeln!(text, "thalweg_{name}{{core=\"{core}\"}} {value}");
            }
        }
        text
    }
}
