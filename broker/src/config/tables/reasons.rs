//! Why a key of Kafka's has no effect here, or another default. Logged once when somebody sets such a key.

pub(super) const AUTHORIZER: &str = "there is no authorizer in this version, so nothing would be denied";
pub(super) const BALANCE: &str = "leaders are chosen by Raft and are not moved back on a schedule";
pub(super) const CHECKPOINT: &str = "these offsets are kept in the write-ahead log and its checkpoints";
pub(super) const CLEANER: &str = "each core compacts its own partitions";
pub(super) const COORDINATOR: &str =
    "coordinator records are gathered by the write-ahead log, which needs no tuning for it";
pub(super) const CORDON: &str = "partitions are placed on every log directory alike in this version";
pub(super) const DIR_FAILURE: &str = "a failed durable write stops the process";
pub(super) const FLUSH: &str = "every batch is on the device before it is answered in this version";
pub(super) const HEARTBEAT: &str = "the nodes' presence is known from Raft's own heartbeats";
pub(super) const JVM: &str = "there is no Java machine";
pub(super) const KRAFT: &str = "there is no KRaft quorum: Raft group 0 is the controller, on the nodes themselves";
pub(super) const LISTENERS: &str = "all listeners open at once, when the node is ready";
pub(super) const METADATA_LOG: &str =
    "metadata is Raft group 0 and lives in the write-ahead log like every other group";
pub(super) const METRICS: &str = "metrics are served as Prometheus text on thalweg.admin.listener";
pub(super) const PROTOCOLS: &str = "every group protocol that this version knows is served";
pub(super) const NOT_YET: &str = "it is not honoured in this version";
pub(super) const OFFSETS_CODEC: &str = "offset records are stored uncompressed";
pub(super) const OFFLOAD: &str = "assignments are computed on the core that owns the group";
pub(super) const PLUGIN: &str = "Java classes cannot be loaded";
pub(super) const POLICY: &str = "Java classes cannot be loaded, so the policy would not be enforced";
pub(super) const PREALLOCATE: &str =
    "segments are written behind the write-ahead log, whose files are always preallocated";
pub(super) const PROVIDERS: &str = "values are taken as they stand, so ${provider:key} would not be replaced";
pub(super) const PURGATORY: &str = "waiting requests are removed when they end; there is no purgatory to purge";
pub(super) const QUOTA: &str = "quotas are not enforced in this version";
pub(super) const RECOVERY: &str = "each core recovers its own partitions";
pub(super) const REPLICA: &str = "followers do not fetch: each partition is a Raft group";
pub(super) const RPC: &str = "nodes talk to each other over thalweg.rpc.listener";
pub(super) const RPC_PLAIN: &str = "nodes talk to each other over thalweg.rpc.listener, which is plain in this version";
pub(super) const SASL: &str = "there is no SASL in this version; listeners that ask for it are refused";
pub(super) const SHARE: &str = "the state of share groups is kept without it";
pub(super) const SHARE_RENEW: &str = "holds on records cannot be renewed in this version";
pub(super) const SHUTDOWN: &str = "leadership is always handed over before a node stops";
pub(super) const STREAMS: &str = "streams groups are not served in this version";
pub(super) const THREADS: &str = "one reactor per core does this work; thalweg.cores says how many";
pub(super) const TIER: &str = "there is no tiered storage in this version";
pub(super) const TLS: &str = "there is no TLS in this version; listeners that ask for it are refused";
pub(super) const TOKEN: &str = "delegation tokens are not served in this version";
pub(super) const UNCLEAN: &str = "a Raft leader always holds every acknowledged record";
pub(super) const UNSTABLE: &str = "unfinished versions are never offered";

pub(super) const WHY_DATA: &str = "data stays below the directory that the process was started in";
pub(super) const WHY_DURABLE: &str = "an acknowledged record is on the device, not just in memory";
pub(super) const WHY_LOOPBACK: &str = "a broker without any configuration is not opened to the network";
pub(super) const WHY_NO_FILE: &str = "one node runs without any configuration";
