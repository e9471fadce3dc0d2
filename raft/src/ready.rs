//! What a group wants done.

use thalweg_storage::types::{GroupId, HardState, LogEntry, RaftIndex, Term};

use crate::membership::Membership;
use crate::message::PeerMessage;

/// Numbers the readies of one group, from 1, anew each time the group is opened.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct ReadyNumber(pub u64);

/// What this node is in a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    Follower,
    /// Asks whether it could win, without disturbing anybody.
    PreCandidate,
    Candidate,
    Leader,
}

/// Who leads, since when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RoleChange {
    pub role: Role,
    pub term: Term,
    pub leader: Option<u64>,
}

impl RoleChange {
    /// Whether this node leads. It may serve once it has applied an entry of `term`.
    pub fn is_leader(&self) -> bool {
        self.role == Role::Leader
    }
}

/// The state of a group, for reports and decisions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GroupStatus {
    pub role: Role,
    pub term: Term,
    pub leader: Option<u64>,
    pub commit: RaftIndex,
    pub last: RaftIndex,
    pub applied: RaftIndex,
    /// The last index known to be on this node's device.
    pub persisted: RaftIndex,
}

/// State that replaces a log's beginning.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupSnapshot {
    /// The last entry that the snapshot stands for.
    pub index: RaftIndex,
    pub term: Term,
    pub membership: Membership,
    /// The application's own: which files to fetch, and from where.
    pub data: bytes::Bytes,
    /// Who offers it.
    pub from: u64,
}

/// Effects of one group. The crate's documentation says in which order to act on them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupReady {
    pub group: GroupId,
    pub number: ReadyNumber,
    pub role: Option<RoleChange>,
    /// The log begins anew behind this; install it before `persisted`.
    pub snapshot: Option<GroupSnapshot>,
    pub entries: Vec<LogEntry>,
    pub hard_state: Option<HardState>,
    /// False when nothing here needs to survive: at most the commit hint moved.
    pub must_persist: bool,
    /// Free to leave now.
    pub messages: Vec<PeerMessage>,
    pub committed: Vec<LogEntry>,
    /// The members from the entry at this index on, for each change. This comes after the ready with the change itself: a change takes effect once this
    /// node's device knows that it is committed.
    pub membership: Vec<(RaftIndex, Membership)>,
    /// Entries `low..high` are wanted from the disk; fewer from the front will do.
    pub read_entries: Option<(RaftIndex, RaftIndex)>,
    /// This follower is behind what the log still holds.
    pub snapshot_wanted: Option<u64>,
}

impl GroupReady {
    pub(crate) fn empty(group: GroupId) -> Self {
        Self {
            group,
            number: ReadyNumber(0),
            role: None,
            snapshot: None,
            entries: Vec::new(),
            hard_state: None,
            must_persist: false,
            messages: Vec::new(),
            committed: Vec::new(),
            membership: Vec::new(),
            read_entries: None,
            snapshot_wanted: None,
        }
    }
}
