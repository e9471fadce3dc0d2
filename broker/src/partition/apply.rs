//! What Raft tells a partition: its role, and what is committed.

use thalweg_protocol::error::ErrorCode;
use thalweg_raft::{RoleChange, node_id};
use thalweg_storage::types::{LogEntry, RaftIndex, Term};

use super::{Ack, Followers, Partition, Role};
use crate::metadata::Leader;

impl Partition {
    /// The group elected or deposed this replica.
    pub fn role_changed(&mut self, change: &RoleChange) {
        if change.is_leader() {
            self.followers = Followers::default();
            self.replicated = RaftIndex::default();
        }
        self.role = if change.is_leader() { Role::Elected(change.term) } else { Role::Follower };
        if self.role == Role::Follower {
            self.fail_acks(ErrorCode::NotLeaderOrFollower);
        }
        let epoch = change.term.leader_epoch();
        let node = change.leader.and_then(node_id);
        self.leader = Leader { node: node.filter(|_| change.term > Term::ZERO), epoch };
        self.publish_leader();
        self.wake_watchers();
    }

    /// What this replica knows of its leader, for all cores to see.
    pub(super) fn publish_leader(&self) {
        match self.leader.node {
            Some(_) => drop(self.leadership.learn(self.leader)),
            // An election is under way, and the leader of before did not answer.
            None => {
                if let Some(lost) = self.leadership.leader().node {
                    self.leadership.lose(lost);
                }
            }
        }
        if self.leader.node == Some(self.node) && self.replicas.len() == 1 {
            self.leadership.set_in_sync(&self.replicas, &self.replicas);
        }
    }

    /// Tells those whose entries are committed, in the order in which they were appended.
    pub(super) fn answer_acks(&mut self) {
        while let Some(fate) = self.acks.front().and_then(|ack| self.fate(ack)) {
            if let Some(ack) = self.acks.pop_front() {
                // The connection may be gone.
                let _ = ack.sender.send(fate);
            }
        }
    }

    /// What became of what somebody waits for, if that is known. A majority may be less than was asked for.
    pub(super) fn fate(&self, ack: &Ack) -> Option<Result<(), ErrorCode>> {
        if ack.end > self.high_watermark() {
            return None;
        }
        match ack.index {
            Some(index) if self.asks_for_more_than_majority() && index > self.replicated => {
                let too_few = self.in_sync().len() < self.config.min_insync_replicas;
                too_few.then_some(Err(ErrorCode::NotEnoughReplicasAfterAppend))
            }
            _ => Some(Ok(())),
        }
    }

    /// Entries were committed: the high watermark moves, and whoever waited for it is answered.
    pub fn apply(&mut self, committed: &[LogEntry]) {
        let Some(last) = committed.last() else { return };
        let before = self.high_watermark();
        let high_watermark = self.log.borrow_mut().commit(last.index);
        assert!(before <= high_watermark, "the high watermark of group {} went back", self.group);
        if let Role::Elected(term) = self.role
            && last.term == term
        {
            self.role = Role::Leader(term);
        }
        self.answer_acks();
        if high_watermark > before {
            self.wake_watchers();
        }
    }
}
