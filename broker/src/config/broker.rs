//! The settings of this broker as the code reads them: typed, in one struct.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use thalweg_protocol::NodeId;
use thalweg_raft::MessageLimits;

use super::layers::{BrokerLayers, Overrides};
use super::listeners::{HostPort, Listener};
use super::machine::Machine;
use super::share::ShareSettings;
use super::topic::TopicConfig;
use super::transactions::TransactionSettings;
use crate::limits::{PEER_FRAME_EXTRA_BYTES, PEER_MESSAGE_ENTRIES_MAX, PEER_SNAPSHOT_OFFER_MAX_BYTES};

/// `log.cleaner.*`
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct CleanerConfig {
    pub enable: bool,
    pub backoff: Duration,
    pub dedupe_buffer_size: usize,
    pub io_buffer_size: usize,
    pub io_buffer_load_factor: f64,
    pub io_max_bytes_per_second: f64,
}

/// `group.consumer.*`; a group's own settings go before these.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupConsumerConfig {
    pub session_timeout_ms: i32,
    pub heartbeat_interval_ms: i32,
    pub assignment_interval_ms: i32,
    pub regex_refresh_interval_ms: i32,
    pub max_size: usize,
    /// Names, the default first.
    pub assignors: Vec<String>,
    pub migration_policy: String,
}

/// Fixed at start, except for what dynamic updates make a new `Config` for ([`Config::with_dynamic`]).
/// Each field is the key of the same name; `thalweg.` keys go without their prefix.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    pub node_id: NodeId,
    pub broker_rack: Option<String>,
    /// Where clients connect; never empty, all PLAINTEXT.
    pub listeners: Vec<Listener>,
    /// What clients are told. Port 0 stands for the port that the listener of the same name really got.
    pub advertised_listeners: Vec<Listener>,
    /// `controller.quorum.bootstrap.servers`: rpc addresses of the nodes that first form the cluster.
    pub bootstrap_servers: Vec<HostPort>,
    pub rpc_listener: Option<HostPort>,
    pub admin_listener: Option<HostPort>,

    pub cores: usize,
    pub cpu_pin: bool,
    pub memory_bytes: usize,
    pub read_cache_bytes: usize,
    pub wal_file_bytes: u64,
    pub wal_files_max: usize,
    pub wal_writes_in_flight: usize,
    pub wal_block_bytes: usize,
    pub probe_file: Option<PathBuf>,
    pub segment_flush_bytes: usize,
    pub read_ahead_bytes: usize,

    /// Never empty.
    pub log_dirs: Vec<PathBuf>,
    pub log_retention_check_interval: Duration,
    pub log_initial_task_delay: Duration,
    /// For all cores together.
    pub log_cleaner: CleanerConfig,

    pub socket_request_max_bytes: usize,
    /// `Duration::MAX` where connections may idle forever.
    pub connections_max_idle: Duration,
    pub request_receive_max: Duration,
    pub max_connections: usize,
    pub max_connections_per_ip: usize,
    pub max_connections_per_ip_overrides: HashMap<IpAddr, usize>,
    /// `None`: `memory_bytes` alone decides.
    pub queued_max_request_bytes: Option<usize>,
    pub max_request_partition_size_limit: usize,

    pub fetch_max_bytes: i32,
    /// `max.incremental.fetch.session.cache.slots`
    pub fetch_session_slots: usize,

    pub auto_create_topics_enable: bool,
    pub delete_topic_enable: bool,
    pub num_partitions: usize,
    pub default_replication_factor: u16,

    pub telemetry_max_bytes: usize,
    /// `replica.alter.log.dirs.io.max.bytes.per.second`
    pub move_bytes_per_second_max: f64,
    pub replica_lag_time_max: Duration,

    pub producer_id_expiration: Duration,
    pub producer_id_expiration_check_interval: Duration,
    pub transaction_partition_verification_enable: bool,
    /// `add.partitions.to.txn.retry.backoff.ms`
    pub add_partitions_retry_backoff: Duration,
    /// `add.partitions.to.txn.retry.backoff.max.ms`: how long it is tried in all.
    pub add_partitions_retry_backoff_max: Duration,

    pub transactions: TransactionSettings,
    pub share: ShareSettings,

    pub offsets_topic_num_partitions: usize,
    pub offsets_topic_replication_factor: ReplicationFactor,
    pub offsets_topic_segment_bytes: u64,
    pub offsets_retention_minutes: i32,
    pub offsets_retention_check_interval_ms: i64,
    pub offset_metadata_max_bytes: usize,
    pub group_min_session_timeout_ms: i32,
    pub group_max_session_timeout_ms: i32,
    pub group_initial_rebalance_delay_ms: i32,
    pub group_max_size: usize,
    pub group_consumer: GroupConsumerConfig,

    /// What a topic has that sets nothing itself.
    pub topic_defaults: TopicConfig,
    /// Everything that was set, for DescribeConfigs and for topics' defaults.
    pub layers: BrokerLayers,
    /// What this machine said of itself at start.
    pub machine: Machine,
}

/// How many replicas a topic of the broker's own gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReplicationFactor {
    /// What the setting, or its default, says.
    pub wanted: u16,
    /// Whether somebody set it. A default of 3 must not keep a single node from having consumer groups.
    pub explicit: bool,
}

impl ReplicationFactor {
    /// The replicas to make where `brokers` are known.
    pub fn among(self, brokers: usize) -> usize {
        let wanted = usize::from(self.wanted);
        if self.explicit { wanted } else { wanted.min(brokers.max(1)) }
    }
}

/// Share of the memory budget that requests in progress may take; the rest is for what the cores keep of the log.
const REQUEST_SHARE: usize = 2;
/// Share of the memory budget that answers to fetches may take.
const FETCH_SHARE: usize = 8;
/// Share of the memory budget that may be waiting for the write-ahead log.
const UNWRITTEN_SHARE: usize = 8;

impl Config {
    /// The settings of a topic that sets `overrides` itself. An override that is not valid (a newer version may have
    /// let it in) counts as not set.
    pub fn topic_config(&self, overrides: &Overrides) -> TopicConfig {
        if overrides.is_empty() {
            return self.topic_defaults.clone();
        }
        TopicConfig::resolve_leniently(overrides, &self.layers)
    }

    /// The settings of a topic that sets nothing.
    pub fn topic_config_default(&self) -> TopicConfig {
        self.topic_defaults.clone()
    }

    /// What `__consumer_offsets` is created with, as Kafka's `GroupCoordinator.groupMetadataTopicConfigs`.
    pub fn offsets_topic_configs(&self) -> Overrides {
        let settings = [
            ("cleanup.policy", "compact".to_owned()),
            ("compression.type", "producer".to_owned()),
            ("segment.bytes", self.offsets_topic_segment_bytes.to_string()),
        ];
        settings.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    /// The largest frame of another node that is read.
    pub fn peer_frame_max_bytes(&self) -> usize {
        self.socket_request_max_bytes.saturating_add(PEER_FRAME_EXTRA_BYTES)
    }

    /// What a Raft message of another node may hold.
    pub fn message_limits(&self) -> MessageLimits {
        MessageLimits {
            entries_max: PEER_MESSAGE_ENTRIES_MAX,
            entry_size_max_bytes: self.socket_request_max_bytes,
            snapshot_size_max_bytes: PEER_SNAPSHOT_OFFER_MAX_BYTES,
        }
    }

    /// Where other nodes reach this one, if it listens for them.
    pub fn rpc_address(&self) -> Option<String> {
        let listener = self.rpc_listener.as_ref()?;
        let host = if listener.is_wildcard() { self.machine.host_name.clone() } else { listener.host.clone() };
        Some(HostPort { host, port: listener.port }.to_string())
    }

    /// Whether this node is a cluster by itself until others join: nobody else is listed. Kafka's own file lists the one node's
    /// controller listener.
    pub fn founds_alone(&self) -> bool {
        let Some(own) = self.rpc_address() else { return self.bootstrap_servers.len() <= 1 };
        self.bootstrap_servers.iter().all(|server| server.to_string() == own)
    }

    /// How many connections may come from `address`.
    pub fn max_connections_from(&self, address: IpAddr) -> usize {
        // An IPv4 client of an IPv6 listener is the same client.
        let own = self.max_connections_per_ip_overrides.get(&address.to_canonical());
        own.copied().unwrap_or(self.max_connections_per_ip)
    }

    /// Bytes of requests that each of `cores` may hold. A request larger than that is let in alone.
    pub fn request_memory_bytes_per_core(&self, cores: usize) -> usize {
        let budget = self.memory_bytes / REQUEST_SHARE;
        let budget = self.queued_max_request_bytes.map_or(budget, |queued| queued.min(budget));
        (budget / cores.max(1)).max(1)
    }

    /// Bytes of answers to fetches that each of `cores` may hold.
    pub fn fetch_memory_bytes_per_core(&self, cores: usize) -> usize {
        self.memory_bytes / FETCH_SHARE / cores.max(1)
    }

    /// Bytes that may wait for each core's write-ahead log before its connections are not read any more.
    pub fn unwritten_bytes_max_per_core(&self) -> usize {
        (self.memory_bytes / UNWRITTEN_SHARE / self.cores.max(1)).max(self.wal_block_bytes)
    }
}
