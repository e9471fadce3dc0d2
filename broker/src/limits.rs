//! One table of the limits that no configuration key names, and their relations.
//!
//! Everything that grows because of something on the wire stops at a number in this file or at a configured one.

use std::time::Duration;

/// Requests of one connection that may be under way at once; beyond it the socket is not read.
pub const CONNECTION_REQUESTS_IN_FLIGHT_MAX: usize = 64;

/// Messages that fit a queue of the mesh before its sender keeps them in its own outbox.
pub const MESH_QUEUE_MESSAGES_MAX: usize = 1024;

/// Length of a topic name, as Kafka's `Topic.MAX_NAME_LENGTH`.
pub const TOPIC_NAME_LENGTH_MAX: usize = 249;

/// Partitions that one CreateTopics or CreatePartitions request may ask for in all.
pub const PARTITIONS_PER_REQUEST_MAX: usize = 20_000;

/// Smallest request worth reading: api key, version and correlation id.
pub const REQUEST_SIZE_MIN_BYTES: usize = 8;

/// Room for the first bytes of a frame: what each idle connection holds.
pub const IDLE_READ_BYTES: usize = 4 * 1024;

/// A frame takes memory from the budget once this much of it has arrived.
pub const READ_BUFFER_BYTES: usize = 64 * 1024;

/// Room that a frame gets when its length is known: a producer's usual request. It is not touched before it is filled.
pub const FRAME_ROOM_BYTES: usize = 128 * 1024;

/// How much the buffer of a large frame grows at a time: memory follows the bytes that arrived, not the length claimed.
pub const FRAME_GROWTH_MAX_BYTES: usize = 256 * 1024;

/// Frames above this take their memory from a budget of their own. Producers send at most 1 MiB unless told otherwise.
pub const LARGE_FRAME_BYTES: usize = 2 * 1024 * 1024;

/// How long a handler waits for every core to have carried out a change of the cluster's metadata.
pub const METADATA_SETTLE_TIME_MAX: Duration = Duration::from_secs(30);

/// How long a change of the cluster's metadata looks for the controller's leader, and how often.
pub const CONTROLLER_SEARCH_TIME_MAX: Duration = Duration::from_secs(15);
pub const CONTROLLER_SEARCH_INTERVAL: Duration = Duration::from_millis(50);

/// How often a node tells the others that it lives, and the silence after which they take it for dead.
pub const PEER_PULSE_INTERVAL: Duration = Duration::from_millis(100);
pub const PEER_SILENCE_MAX: Duration = Duration::from_millis(600);

/// How long reaching another node may take: its name, its connection, both introductions.
pub const PEER_CONNECT_TIME_MAX: Duration = Duration::from_secs(1);

/// How long somebody who calls may take to introduce himself, and how many may be at that at once.
pub const PEER_HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(3);
pub const PEER_HANDSHAKES_MAX: usize = 256;

/// Lanes of one core to others, lanes of others to one core, and connections to it that are there for a request only.
pub const PEER_LANES_MAX: usize = 8192;
pub const PEER_CALLERS_MAX: usize = 8192;
pub const PEER_STRANGERS_MAX: usize = 64;

/// How long a frame of another node may take once it began, and how long a connection may be silent.
pub const PEER_FRAME_TIME_MAX: Duration = Duration::from_secs(30);
pub const PEER_IDLE_TIME_MAX: Duration = Duration::from_secs(600);
pub const PEER_QUESTION_IDLE_TIME_MAX: Duration = Duration::from_secs(30);

/// How long another node may take nothing of what it is sent.
pub const PEER_WRITE_TIME_MAX: Duration = Duration::from_secs(10);

/// Requests to one core of another node that wait for an answer, and requests of one connection that are being answered.
pub const PEER_QUESTIONS_MAX: usize = 4096;
pub const PEER_ANSWERING_MAX: usize = 4096;

/// A request of somebody who has no lane, an answer, and all answers that a connection does not take.
pub const PEER_QUESTION_MAX_BYTES: usize = 1024 * 1024;
pub const PEER_ANSWER_MAX_BYTES: usize = 32 * 1024 * 1024;
pub const PEER_REPLIES_MAX_BYTES: usize = 64 * 1024 * 1024;

/// Memory of one core for large frames that are being received.
pub const PEER_RECEIVE_MEMORY_BYTES: usize = 64 * 1024 * 1024;

/// Bytes that wait to be sent to one core of another node, while it is connected and while it is not.
pub const PEER_LANE_MAX_BYTES: usize = 128 * 1024 * 1024;
pub const PEER_LANE_UNCONNECTED_MAX_BYTES: usize = 1024 * 1024;

/// What a frame between nodes may have besides one entry of the largest size.
pub const PEER_FRAME_EXTRA_BYTES: usize = 16 * 1024 * 1024;

/// Entries in one message between nodes.
pub const PEER_MESSAGE_ENTRIES_MAX: usize = 100_000;

/// Bytes of an offer of a snapshot.
pub const PEER_SNAPSHOT_OFFER_MAX_BYTES: usize = 16 * 1024 * 1024;

/// How long another node gets to answer a question.
pub const PEER_ANSWER_TIME_MAX: Duration = Duration::from_secs(5);

/// How long what leaders have to tell is gathered, and how much of it goes into one message.
pub const LEADER_NEWS_INTERVAL: Duration = Duration::from_millis(5);
pub const LEADER_NOTICES_MAX: usize = 2_000;

/// How long the creation of topics waits until their leaders are known here.
pub const LEADERS_KNOWN_TIME_MAX: Duration = Duration::from_secs(3);
pub const LEADERS_KNOWN_INTERVAL: Duration = Duration::from_millis(5);

/// How much is read at a time for a follower that is behind what is in memory.
pub const FOLLOWER_READ_BYTES: usize = 1024 * 1024;

/// Raft messages of other nodes that are kept for groups which this node is about to create.
pub const EARLY_MESSAGES_MAX: usize = 20_000;

/// How often Raft's clock ticks.
pub const RAFT_TICK_INTERVAL: Duration = Duration::from_millis(100);

/// How often idle connections, fetch sessions and group timers are looked at.
pub const HOUSEKEEPING_INTERVAL: Duration = Duration::from_millis(500);

/// Bytes that a Fetch may carry beyond its own limits in total: Kafka's `fetch.max.bytes` of a broker.
pub const FETCH_SIZE_MAX_BYTES: i32 = 55 * 1024 * 1024;

/// Share-partitions that one core keeps in memory.
pub const SHARE_PARTITIONS_PER_CORE_MAX: usize = 100_000;

/// Partitions of one share session.
pub const SHARE_SESSION_PARTITIONS_MAX: usize = 20_000;

/// Records that one ShareFetch is given at most, whatever it asks for.
pub const SHARE_FETCH_RECORDS_MAX: i64 = 100_000;

/// Memory that a pattern of a client may take once compiled.
pub const PATTERN_SIZE_MAX_BYTES: usize = 1024 * 1024;

/// Producer ids that a node takes from the controller at a time, as Kafka's blocks.
pub const PRODUCER_ID_BLOCK_SIZE: i64 = 1000;

/// Clients whose telemetry is kept (`ClientMetricsManager.CACHE_MAX_SIZE`).
pub const TELEMETRY_CLIENTS_MAX: usize = 16_384;

/// Metrics of one client that are kept, each with its labels.
pub const TELEMETRY_SERIES_PER_CLIENT_MAX: usize = 2_000;

/// The same of all clients together.
pub const TELEMETRY_SERIES_MAX: usize = 50_000;

/// Bytes of a metric's name and labels.
pub const TELEMETRY_SERIES_NAME_MAX_BYTES: usize = 1024;

const _: () = {
    assert!(TELEMETRY_SERIES_PER_CLIENT_MAX < TELEMETRY_SERIES_MAX);
    assert!(IDLE_READ_BYTES <= READ_BUFFER_BYTES);
    assert!(PEER_SILENCE_MAX.as_millis() >= 3 * PEER_PULSE_INTERVAL.as_millis());
    assert!(PEER_LANE_UNCONNECTED_MAX_BYTES < PEER_LANE_MAX_BYTES);
    assert!(PEER_QUESTION_MAX_BYTES <= LARGE_FRAME_BYTES);
    assert!(PEER_SNAPSHOT_OFFER_MAX_BYTES <= PEER_FRAME_EXTRA_BYTES);
    assert!(READ_BUFFER_BYTES < LARGE_FRAME_BYTES);
    assert!(CONNECTION_REQUESTS_IN_FLIGHT_MAX < MESH_QUEUE_MESSAGES_MAX);
};
