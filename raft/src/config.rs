//! What a driver and a group are started with.

use raft::Config;
use thalweg_protocol::NodeId;
use thalweg_storage::types::{HardState, LogEntry, RaftIndex, Term};

/// The Raft id of a node. Raft reserves 0 for nobody, Kafka's node ids start there.
///
/// # Panics
/// When the node id is negative, which configuration refuses.
pub fn raft_id(node: NodeId) -> u64 {
    match u64::try_from(node.0) {
        Ok(id) => id + 1,
        Err(_) => panic!("node id {node} is negative"),
    }
}

/// The node of a Raft id; `None` for nobody.
pub fn node_id(raft_id: u64) -> Option<NodeId> {
    i32::try_from(raft_id.checked_sub(1)?).ok().map(NodeId)
}

/// One core's share of Raft.
#[derive(Clone, Debug)]
pub struct RaftConfig {
    pub node: NodeId,
    /// Election timeouts are drawn from this, the group and the attempt: the same seed gives the same elections.
    pub seed: u64,
    /// An election begins after `election_ticks..2 * election_ticks` ticks without a leader.
    pub election_ticks: usize,
    pub heartbeat_ticks: usize,
    /// Entries in one append message; one entry that is larger travels alone.
    pub message_size_max_bytes: usize,
    /// Append messages under way to one follower.
    pub inflight_messages_max: usize,
    /// Proposals are refused while more than this waits for commit, in one group.
    pub uncommitted_size_max_bytes: usize,
}

impl RaftConfig {
    /// What a node runs with unless told otherwise; a tick is meant to be 100 ms.
    pub fn new(node: NodeId, seed: u64) -> Self {
        Self {
            node,
            seed,
            election_ticks: 10,
            heartbeat_ticks: 2,
            message_size_max_bytes: 1 << 20,
            inflight_messages_max: 64,
            uncommitted_size_max_bytes: 64 << 20,
        }
    }

    /// Pre-vote and check-quorum are always on: a node that was cut off must not depose a leader when it comes back,
    /// and a leader that was cut off must stop believing it leads.
    pub(crate) fn library(&self, applied: u64) -> Config {
        Config {
            id: raft_id(self.node),
            election_tick: self.election_ticks,
            heartbeat_tick: self.heartbeat_ticks,
            applied,
            max_size_per_msg: self.message_size_max_bytes as u64,
            max_inflight_msgs: self.inflight_messages_max,
            check_quorum: true,
            pre_vote: true,
            // The library would put entries behind an empty append that is for another place in the log, where a follower had
            // rejected something in between.
            batch_append: false,
            max_uncommitted_size: self.uncommitted_size_max_bytes.max(self.message_size_max_bytes) as u64,
            ..Config::default()
        }
    }
}

/// A group as it was found on the device, or a new one.
#[derive(Clone, Debug, Default)]
pub struct GroupRestore {
    pub hard_state: HardState,
    /// Members as they were at `applied`.
    pub voters: Vec<u64>,
    pub learners: Vec<u64>,
    /// Set only while two majorities decide; see [`crate::Membership`].
    pub voters_outgoing: Vec<u64>,
    pub learners_next: Vec<u64>,
    pub auto_leave: bool,
    /// The first entry that can be read, from memory or the disk.
    pub first_index: RaftIndex,
    /// The term at `first_index - 1`.
    pub previous_term: Term,
    /// Where terms change between `first_index` and the first of `entries`: empty when all of it is in memory.
    pub terms: Vec<(RaftIndex, Term)>,
    /// The last entry, for when `entries` is empty because all of it is on the disk only.
    pub last_index: RaftIndex,
    /// The tail that is in memory: consecutive, up to the last entry.
    pub entries: Vec<LogEntry>,
    /// Entries up to here were applied and are not handed out again.
    pub applied: RaftIndex,
}
