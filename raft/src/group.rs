//! One Raft group: what it is. What its readies do is in `group/flow.rs`, how it begins in `group/open.rs`.

mod flow;
mod open;

use std::collections::VecDeque;

use raft::{RawNode, StateRole};
use thalweg_storage::types::{GroupId, LogEntry, RaftIndex, Term};

use crate::convert;
use crate::membership::Membership;
use crate::message::PeerMessage;
use crate::ready::{GroupStatus, RoleChange};
use crate::tail::Tail;
use crate::timeout::ElectionTimeouts;

/// Owned by one core's [`crate::MultiRaft`].
pub(crate) struct Group {
    pub(crate) id: GroupId,
    pub(crate) node: RawNode<Tail>,
    /// Readies that were taken and are not all on the device, oldest first. The first one must be persisted, unless
    /// the queue is empty: what waits for nothing is done at once.
    unpersisted: VecDeque<Unpersisted>,
    /// What was handed out as committed and is not applied by Raft itself yet, oldest first.
    applying: VecDeque<Applying>,
    /// A commit index that is surely found again after a crash.
    durable_commit: u64,
    /// Changes of members since the last ready.
    new_members: Vec<(RaftIndex, Membership)>,
    /// Messages whose promises are kept now; they leave with the next ready.
    released: Vec<PeerMessage>,
    /// Elections that this node began; the timeouts differ between them.
    attempts: u64,
    /// The last membership change that was applied: a snapshot from before it would carry the wrong members.
    membership_index: u64,
    last_told: (StateRole, u64, u64),
    pub(crate) is_dirty: bool,
}

struct Unpersisted {
    number: u64,
    must_persist: bool,
    /// The term or the vote changed: no message of the new term may leave, not even a leader's.
    changes_term: bool,
    commit: u64,
    /// They promise that this ready, and all before it, is on the device.
    messages: Vec<PeerMessage>,
}

/// Committed entries on their way through Raft's own bookkeeping.
///
/// A membership change takes effect here only once the commit index that covers it is on the device. The commit index is
/// otherwise a mere hint; but a node that came back with the change in its log, not known to be committed, would hold
/// elections among the members of before, which may be a majority of nobody any more (a single founder: itself).
struct Applying {
    /// The ready that must be on the device first; 0 if there is none.
    after: u64,
    changes: Vec<LogEntry>,
    last: u64,
}

impl Group {
    pub(crate) fn status(&self) -> GroupStatus {
        let raft = &self.node.raft;
        GroupStatus {
            role: convert::role(raft.state),
            term: Term(raft.term),
            leader: convert::leader(raft.leader_id),
            commit: RaftIndex(raft.raft_log.committed),
            last: RaftIndex(raft.raft_log.last_index()),
            applied: RaftIndex(raft.raft_log.applied),
            persisted: RaftIndex(raft.raft_log.persisted),
        }
    }

    pub(crate) fn is_leader(&self) -> bool {
        self.node.raft.state == StateRole::Leader
    }

    fn role_change(&self) -> RoleChange {
        let GroupStatus { role, term, leader, .. } = self.status();
        RoleChange { role, term, leader }
    }

    /// Whether every entry of the log is on the device. The library asserts this when a node becomes leader.
    pub(crate) fn log_is_persisted(&self) -> bool {
        self.node.raft.raft_log.persisted == self.node.raft.raft_log.last_index()
    }

    /// A leader with nobody to lead has no heartbeat to send and no quorum to lose: ten thousand of them cost nothing.
    pub(crate) fn needs_ticks(&self) -> bool {
        !self.is_leader() || self.node.raft.prs().iter().nth(1).is_some()
    }

    pub(crate) fn has_work(&self) -> bool {
        self.node.has_ready()
            || !self.released.is_empty()
            || !self.new_members.is_empty()
            || self.node.store().has_asked()
    }

    /// One tick of the clock.
    pub(crate) fn tick(&mut self) {
        if !self.is_leader() && !self.log_is_persisted() {
            // A node that is still writing does not stand for election: its vote request would wait for the device
            // anyway, and a single voter would lead at once, over entries that may not survive.
            return;
        }
        self.node.tick();
        if !self.is_leader() && self.node.raft.election_elapsed == 0 {
            self.attempts += 1;
        }
    }

    /// The leader's node is known to be down: its lease is over, and after so many ticks this replica stands for election. If
    /// it is not, its next message makes this a follower again.
    pub(crate) fn leader_down(&mut self, ticks: usize) {
        let raft = &mut self.node.raft;
        raft.leader_id = raft::INVALID_ID;
        raft.election_elapsed = raft.randomized_election_timeout().saturating_sub(ticks);
    }

    /// What must hold again after the library did anything.
    pub(crate) fn settle(&mut self, timeouts: ElectionTimeouts) {
        let raft = &mut self.node.raft;
        let ticks = timeouts.ticks(self.id, raft.term, self.attempts);
        if raft.randomized_election_timeout() != ticks {
            raft.set_randomized_election_timeout(ticks);
        }
        if raft.state == StateRole::Leader {
            // tikv/raft-rs#557: 0.7.0 may leave the next index to send at or below what is known to match.
            for (_, progress) in raft.mut_prs().iter_mut() {
                progress.next_idx = progress.next_idx.max(progress.matched + 1);
            }
        }
        let log = &self.node.raft.raft_log;
        assert!(log.applied <= log.committed.min(log.persisted), "group {}: applied before it was persisted", self.id);
        assert!(log.committed <= log.last_index(), "group {}: committed what it does not have", self.id);
    }
}
