//! What a core does for replicas whose group is on several nodes: messages in and out, and who of them is in sync.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Instant;

use thalweg_protocol::NodeId;
use thalweg_raft::{PeerMessage, PeerMessageKind, RaftError, RoleChange, raft_id};
use thalweg_storage::types::{GroupId, RaftIndex};

use super::core::Core;
use crate::controller::GROUP;
use crate::limits::{EARLY_MESSAGES_MAX, FOLLOWER_READ_BYTES};
use crate::partition::Moment;
use crate::peer::PeerState;

/// Messages of groups that this core is about to create: the image with them comes a moment later than their first votes.
#[derive(Default)]
pub(crate) struct EarlyMessages {
    by_group: HashMap<GroupId, Vec<PeerMessage>>,
    count: usize,
}

/// Kept of one group: the first votes and appends of each of its members.
const EARLY_PER_GROUP_MAX: usize = 16;

impl EarlyMessages {
    fn keep(&mut self, group: GroupId, message: PeerMessage) {
        if self.count >= EARLY_MESSAGES_MAX {
            // They were for groups that never came; what is needed is sent again.
            self.by_group.clear();
            self.count = 0;
        }
        let kept = self.by_group.entry(group).or_default();
        if kept.len() < EARLY_PER_GROUP_MAX {
            kept.push(message);
            self.count += 1;
        }
    }

    fn take(&mut self, group: GroupId) -> Vec<PeerMessage> {
        let taken = self.by_group.remove(&group).unwrap_or_default();
        self.count -= taken.len();
        taken
    }
}

impl Core {
    /// A Raft message of another node, for a group of this core.
    ///
    /// # Errors
    /// When no peer in order would send it.
    pub(crate) fn receive_message(&self, group: GroupId, message: PeerMessage) -> Result<(), RaftError> {
        if self.is_mute(group, &message) {
            return Ok(());
        }
        if self.partition(group).is_none() {
            self.early.borrow_mut().keep(group, message);
            return Ok(());
        }
        let acknowledges = message.kind == PeerMessageKind::AppendResponse;
        self.raft.borrow_mut().step(group, message)?;
        self.turn.raise();
        if acknowledges {
            self.note_matched(group);
        }
        Ok(())
    }

    /// Where acks=all asks for more replicas than Raft does, how many have what.
    pub(super) fn note_matched(&self, group: GroupId) {
        let asks = self.with_partition(group, |partition| partition.leads() && partition.asks_for_more_than_majority());
        if asks == Some(true) {
            let matched = self.raft.borrow().matched(group);
            self.with_partition(group, |partition| partition.note_matched(&matched));
        }
    }

    /// Reads entries for a follower that is behind what is in memory.
    pub(super) fn read_for_follower(self: &Rc<Self>, group: GroupId, low: RaftIndex, high: RaftIndex) {
        let Some(log) = self.store.log(group) else { return };
        let core = Rc::clone(self);
        thalweg_reactor::spawn(async move {
            let read = thalweg_storage::log::read_entries(&log, low, high, FOLLOWER_READ_BYTES).await;
            let entries = read.unwrap_or_else(|error| {
                tracing::error!(%group, %error, "entries for a follower cannot be read");
                Vec::new()
            });
            let first = log.borrow().first_index();
            let mut raft = core.raft.borrow_mut();
            if low < first {
                // Retention or compaction took them: only a snapshot helps.
                raft.compact(group, first.previous());
            }
            raft.entries_read(group, low, entries);
            drop(raft);
            core.turn.raise();
        })
        .detach();
    }

    /// The messages that came before the group did.
    pub(super) fn deliver_early(&self, group: GroupId) {
        let early = self.early.borrow_mut().take(group);
        for message in early {
            if let Err(error) = self.receive_message(group, message) {
                tracing::warn!(%group, %error, "an early message makes no sense");
            }
        }
    }

    /// Whether this node must not answer: it is asked for its vote, and may have forgotten one.
    fn is_mute(&self, group: GroupId, message: &PeerMessage) -> bool {
        let asks_for_vote = matches!(message.kind, PeerMessageKind::Vote | PeerMessageKind::PreVote);
        group == GROUP && asks_for_vote && {
            let votes_from = self.shared.cluster.get().map(|cluster| cluster.votes_from()).unwrap_or_default();
            self.raft.borrow().status(group).is_none_or(|status| status.applied < votes_from)
        }
    }

    /// What follows from a group's election, beside what its partition does.
    pub(super) fn follow_role(self: &Rc<Self>, group: GroupId, role: &RoleChange) {
        if group == GROUP {
            if !role.is_leader()
                && let Some(controller) = &self.controller
            {
                controller.leadership_lost();
            }
            return;
        }
        if role.is_leader() {
            self.refresh_in_sync(group);
            self.leader_changed(group);
        } else {
            self.drop_shards(group);
        }
    }

    /// Looks anew which followers of a partition that this core leads are in sync.
    pub(crate) fn refresh_in_sync(&self, group: GroupId) {
        let Some(partition) = self.partition(group).filter(|partition| partition.borrow().leads()) else { return };
        let matched = self.raft.borrow().matched(group);
        let moment = Moment {
            now: Instant::now(),
            lag_max: self.shared.config.replica_lag_time_max,
            is_up: |node| self.is_up(node),
        };
        let news = partition.borrow_mut().look_at_followers(&matched, moment);
        if news {
            self.leader_changed(group);
        }
    }

    /// The same for all partitions that this core leads.
    pub(super) fn refresh_all_in_sync(&self) {
        let led: Vec<GroupId> = {
            let partitions = self.partitions.borrow();
            let shared = partitions.iter().filter(|(_, partition)| {
                let partition = partition.borrow();
                partition.leads() && partition.replicas().len() > 1
            });
            shared.map(|(group, _)| *group).collect()
        };
        led.into_iter().for_each(|group| self.refresh_in_sync(group));
    }
}

impl Core {
    /// Whether a node is up, as this core was told; this node always is.
    pub(crate) fn is_up(&self, node: NodeId) -> bool {
        self.peers.is_up(node)
    }

    /// Another node came, went, or came back as another process.
    pub(crate) fn peer_changed(self: &Rc<Self>, node: NodeId, state: PeerState) {
        match state {
            PeerState::Up(_) | PeerState::Restarted(_) => self.tell_all_leaders(node),
            PeerState::Down => {}
        }
        // A process that was started again leads nothing.
        if !matches!(state, PeerState::Up(_)) {
            self.raft.borrow_mut().node_down(raft_id(node));
            self.turn.raise();
        }
        self.refresh_all_in_sync();
    }
}
