//! What Raft tells a partition: its role, and what is committed.

use thalweg_protocol::error::ErrorCode;
use thalweg_raft::RoleChange;
use thalweg_storage::types::LogEntry;

use super::{Partition, Role};

impl Partition {
    /// The group elected or deposed this replica.
    pub fn role_changed(&mut self, change: &RoleChange) {
        self.role = if change.is_leader() { Role::Elected(change.term) } else { Role::Follower };
        if self.role == Role::Follower {
            self.fail_acks(ErrorCode::NotLeaderOrFollower);
        }
        self.leadership.set_epoch(self.leader_epoch());
        self.wake_watchers();
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
        while self.acks.front().is_some_and(|ack| ack.end <= high_watermark) {
            if let Some(ack) = self.acks.pop_front() {
                // The connection may be gone.
                let _ = ack.sender.send(Ok(()));
            }
        }
        if high_watermark > before {
            self.wake_watchers();
        }
    }
}
