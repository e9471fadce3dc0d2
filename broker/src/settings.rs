//! What the crates below are told of the configuration: their settings from ours.

use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use thalweg_protocol::PartitionIndex;
use thalweg_protocol::records::{BatchRules, Codec, Compression, TimestampType, TopicCompression};
use thalweg_raft::RaftConfig;
use thalweg_storage::log::{CompactionBudget, LogConfig};
use thalweg_storage::store::StoreConfig;
use thalweg_storage::wal::WalConfig;

use crate::config::{CompressionType, Config, Listener, TopicConfig};
use crate::controller::Endpoint;
use crate::reactor::Shared;

/// Ticks of Raft's clock without a leader before a follower stands for election.
const ELECTION_TICKS: usize = 10;
/// Ticks between a leader's heartbeats.
const HEARTBEAT_TICKS: usize = 2;

/// Share of the memory budget that keeps written records for readers.
const TAIL_CACHE_SHARE: usize = 4;

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Config {
    /// Where a core's write-ahead log lies: cores take the directories in turn.
    fn core_dir(&self, core: usize) -> PathBuf {
        let dir = self.log_dirs.get(core % self.log_dirs.len().max(1)).cloned().unwrap_or_default();
        dir.join("thalweg").join(format!("core-{core}"))
    }

    pub fn store_config(&self, core: usize, cores: usize) -> StoreConfig {
        StoreConfig {
            core,
            log_dirs: self.log_dirs.clone(),
            wal: WalConfig {
                dir: self.core_dir(core).join("wal"),
                file_size_bytes: self.wal_file_bytes,
                files_max: self.wal_files_max,
                writes_in_flight_max: self.wal_writes_in_flight,
                block_size_max_bytes: self.wal_block_bytes,
            },
            tail_cache_bytes: self.memory_bytes / TAIL_CACHE_SHARE / cores.max(1),
            read_cache_bytes: self.read_cache_bytes / cores.max(1),
            log_config: self.log_config_unattached(),
            flush_bytes: self.segment_flush_bytes,
            read_ahead_bytes: self.read_ahead_bytes,
            producer_id_expiration_ms: self.producer_id_expiration_ms(),
            producer_id_expiration_check_interval_ms: milliseconds(self.producer_id_expiration_check_interval),
            initial_task_delay_ms: milliseconds(self.log_initial_task_delay),
            retention_check_interval_ms: milliseconds(self.log_retention_check_interval),
            compaction: self.compaction_budget(cores),
            ..StoreConfig::default()
        }
    }

    /// One core's share of what Kafka gives its cleaner threads.
    pub fn compaction_budget(&self, cores: usize) -> CompactionBudget {
        let (cleaner, cores) = (&self.log_cleaner, cores.max(1));
        CompactionBudget {
            enabled: cleaner.enable,
            key_map_bytes: cleaner.dedupe_buffer_size / cores,
            key_map_load_factor: cleaner.io_buffer_load_factor,
            write_size_bytes: cleaner.io_buffer_size / cores,
            bytes_per_second_max: cleaner.io_max_bytes_per_second / cores as f64,
            backoff_ms: u64::try_from(milliseconds(cleaner.backoff)).unwrap_or(0),
        }
    }

    pub fn producer_id_expiration_ms(&self) -> i64 {
        milliseconds(self.producer_id_expiration)
    }

    /// What a log obeys until its topic is known: nothing is deleted or compacted. The controller's own log stays like that for good, as
    /// its beginning is all there is of the cluster's metadata.
    pub fn log_config_unattached(&self) -> LogConfig {
        LogConfig { delete_enabled: false, compact_enabled: false, ..self.topic_config_default().log_config() }
    }

    pub fn raft_config(&self, core: usize) -> RaftConfig {
        // A seed of its own for each start: two nodes that start together must not always stand for election together.
        let seed = uuid::Uuid::new_v4().as_u64_pair().1 ^ core as u64;
        RaftConfig {
            election_ticks: ELECTION_TICKS,
            heartbeat_ticks: HEARTBEAT_TICKS,
            ..RaftConfig::new(self.node_id, seed)
        }
    }

    /// What this broker registers with: for each of its listeners, what clients of that listener are told.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let told = |listener: &Listener| {
            let advertised = self.advertised_listeners.iter().find(|told| told.name == listener.name);
            let Listener { name, address, .. } = advertised.unwrap_or(listener).clone();
            Endpoint { name, host: address.host, port: address.port }
        };
        self.listeners.iter().map(told).collect()
    }

    /// Replaces port 0, which means "any", by the ports that the listeners got.
    pub fn adopt_ports(&mut self, bound: &[TcpListener]) {
        for (listener, bound) in self.listeners.iter_mut().zip(bound) {
            let Ok(address) = bound.local_addr() else { continue };
            let told = self.advertised_listeners.iter_mut().find(|told| told.name == listener.name);
            for one in std::iter::once(listener).chain(told).filter(|one| one.address.port == 0) {
                one.address.port = address.port();
            }
        }
    }
}

impl TopicConfig {
    pub fn log_config(&self) -> LogConfig {
        LogConfig {
            segment_bytes: self.segment_bytes,
            segment_ms: self.segment_ms,
            segment_jitter_ms: self.segment_jitter_ms,
            index_interval_bytes: self.index_interval_bytes as u64,
            index_size_max_bytes: self.segment_index_bytes as u64,
            retention_bytes: self.retention_bytes,
            retention_ms: self.retention_ms,
            file_delete_delay_ms: self.file_delete_delay_ms,
            delete_enabled: self.deleted,
            compact_enabled: self.compacted,
            min_cleanable_dirty_ratio: self.min_cleanable_dirty_ratio,
            min_compaction_lag_ms: self.min_compaction_lag_ms,
            max_compaction_lag_ms: self.max_compaction_lag_ms,
            delete_retention_ms: self.delete_retention_ms,
        }
    }

    pub fn batch_rules(&self) -> BatchRules {
        BatchRules {
            compression: self.compression(),
            timestamp_type: if self.timestamp_of_append {
                TimestampType::LogAppendTime
            } else {
                TimestampType::CreateTime
            },
            timestamp_before_max_ms: self.timestamp_before_max_ms,
            timestamp_after_max_ms: self.timestamp_after_max_ms,
            message_size_max_bytes: self.max_message_bytes,
            compacted: self.compacted,
        }
    }

    fn compression(&self) -> TopicCompression {
        let compression = match self.compression_type {
            CompressionType::Producer => return TopicCompression::Producer,
            CompressionType::Uncompressed => Compression::None,
            CompressionType::Gzip => Compression::Gzip,
            CompressionType::Snappy => Compression::Snappy,
            CompressionType::Lz4 => Compression::Lz4,
            CompressionType::Zstd => Compression::Zstd,
        };
        TopicCompression::Fixed(Codec { compression, level: self.compression_level })
    }
}

impl Shared {
    /// The directory for a new replica: the drives take partitions in turn.
    pub fn place(&self, topic: &str, partition: PartitionIndex) -> PathBuf {
        let dirs = &self.config.log_dirs;
        let hash = topic.bytes().fold(0_usize, |hash, byte| hash.wrapping_mul(31).wrapping_add(usize::from(byte)));
        let turn = hash.wrapping_add(usize::try_from(partition.0).unwrap_or(0)) % dirs.len().max(1);
        dirs.get(turn).cloned().unwrap_or_default().join(format!("{topic}-{partition}"))
    }
}
