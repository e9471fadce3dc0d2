//! The driver: all groups of one core.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use bytes::Bytes;
use raft::eraftpb;
use slog::{Discard, Logger, o};
use thalweg_storage::types::{GroupId, LogEntry, RaftIndex, Term};

use crate::admit::Admission;
use crate::config::{GroupRestore, RaftConfig, raft_id};
use crate::convert;
use crate::error::{ProposeError, RaftError};
use crate::group::Group;
use crate::membership::{Member, Membership, MembershipChange};
use crate::message::{PeerMessage, PeerSnapshot};
use crate::ready::{GroupReady, GroupStatus, ReadyNumber};
use crate::timeout::ElectionTimeouts;

/// Many Raft groups, driven as the crate's documentation says. One per core.
pub struct MultiRaft {
    config: RaftConfig,
    timeouts: ElectionTimeouts,
    logger: Logger,
    /// Boxed: the tree moves its values when it grows. Ordered, so that runs repeat.
    groups: BTreeMap<GroupId, Box<Group>>,
    /// Groups that have something to do, in the order in which that came up.
    dirty: Vec<GroupId>,
    /// Groups whose clock runs.
    ticking: BTreeSet<GroupId>,
}

impl MultiRaft {
    pub fn new(config: RaftConfig) -> Self {
        Self {
            timeouts: ElectionTimeouts::new(config.seed, raft_id(config.node), config.election_ticks),
            config,
            logger: Logger::root(Discard, o!()),
            groups: BTreeMap::new(),
            dirty: Vec::new(),
            ticking: BTreeSet::new(),
        }
    }

    /// Starts a group, as a follower.
    pub fn open(&mut self, group: GroupId, restore: GroupRestore) -> Result<(), RaftError> {
        if self.groups.contains_key(&group) {
            return Err(RaftError::AlreadyOpen(group));
        }
        let opened = Group::open(group, restore, &self.config, &self.logger)?;
        self.groups.insert(group, Box::new(opened));
        self.with(group, |_| ())
    }

    /// Forgets a group. Persisted numbers that still come for it are ignored.
    pub fn close(&mut self, group: GroupId) {
        self.groups.remove(&group);
        self.ticking.remove(&group);
        self.dirty.retain(|dirty| *dirty != group);
    }

    pub fn groups(&self) -> impl Iterator<Item = GroupId> + '_ {
        self.groups.keys().copied()
    }

    /// Stands for election now. A single voter is leader when this returns.
    pub fn campaign(&mut self, group: GroupId) -> Result<(), RaftError> {
        let stood = self.with(group, |it| {
            if !it.log_is_persisted() {
                return Err(RaftError::Unpersisted { group });
            }
            it.node.campaign().map_err(|error| library(group, &error))
        })?;
        stood.and_then(|()| self.with(group, |_| ()))
    }

    /// Appends a batch at the end of the log that this node leads, without copying it, and says where.
    pub fn propose(&mut self, group: GroupId, batch: Bytes) -> Result<(RaftIndex, Term), ProposeError> {
        if batch.is_empty() {
            return Err(ProposeError::Empty);
        }
        let mut entry = eraftpb::Entry::default();
        entry.data = batch;
        self.propose_entry(group, entry)
    }

    /// Changes the members. Several changes at once pass through a joint configuration, which ends by itself.
    pub fn propose_membership(
        &mut self,
        group: GroupId,
        change: &MembershipChange,
    ) -> Result<(RaftIndex, Term), ProposeError> {
        let it = self.groups.get(&group).ok_or(ProposeError::UnknownGroup(group))?;
        let raft = &it.node.raft;
        if raft.has_pending_conf() {
            return Err(ProposeError::ChangePending(RaftIndex(raft.pending_conf_index)));
        }
        check_change(change, &Membership::from_library(&raft.prs().conf().to_conf_state()))?;
        self.propose_entry(group, convert::membership_proposal(change))
    }

    fn propose_entry(&mut self, group: GroupId, entry: eraftpb::Entry) -> Result<(RaftIndex, Term), ProposeError> {
        let id = raft_id(self.config.node);
        let proposed = self.with(group, |it| {
            if !it.is_leader() {
                // The library would send it on to the leader; a client of ours finds the leader itself.
                let status = it.status();
                return Err(ProposeError::NotLeader { leader: status.leader, term: status.term });
            }
            if let Some(to) = it.node.raft.lead_transferee {
                return Err(ProposeError::Transferring { to });
            }
            let mut message = eraftpb::Message::default();
            message.set_msg_type(eraftpb::MessageType::MsgPropose);
            message.from = id;
            message.set_entries(vec![entry].into());
            // What is left of the reasons to refuse: the limit on what waits for commit.
            it.node.raft.step(message).map_err(|_| ProposeError::TooMuchUncommitted)?;
            Ok((RaftIndex(it.node.raft.raft_log.last_index()), Term(it.node.raft.term)))
        });
        proposed.unwrap_or(Err(ProposeError::UnknownGroup(group)))
    }

    /// A message from a peer.
    pub fn step(&mut self, group: GroupId, message: PeerMessage) -> Result<(), RaftError> {
        self.with(group, |it| match it.admit(&message) {
            Ok(Admission::Drop) => Ok(()),
            Err(reason) => Err(RaftError::BadMessage { group, from: message.from, reason }),
            Ok(Admission::Step) => match it.node.step(convert::library_message(message)) {
                // A response from a node that was removed; a message that was overtaken.
                Ok(()) | Err(raft::Error::StepPeerNotFound | raft::Error::ProposalDropped) => Ok(()),
                Err(error) => Err(library(group, &error)),
            },
        })?
    }

    /// Moves every running clock by one tick, and says whether there was any. Groups with nobody to talk to have none.
    pub fn tick(&mut self) -> bool {
        let ticking: Vec<_> = self.ticking.iter().copied().collect();
        for group in ticking {
            // A group in `ticking` is open: `close` removes it from both.
            let _ = self.with(group, Group::tick);
        }
        !self.ticking.is_empty()
    }

    pub fn status(&self, group: GroupId) -> Option<GroupStatus> {
        self.groups.get(&group).map(|it| it.status())
    }

    /// The members as they are applied.
    pub fn membership(&self, group: GroupId) -> Option<Membership> {
        let it = self.groups.get(&group)?;
        Some(Membership::from_library(&it.node.raft.prs().conf().to_conf_state()))
    }

    /// How far each member's log is known to match this leader's. Empty on others.
    pub fn matched(&self, group: GroupId) -> Vec<(u64, RaftIndex)> {
        let Some(it) = self.groups.get(&group).filter(|it| it.is_leader()) else { return Vec::new() };
        let mut matched: Vec<_> =
            it.node.raft.prs().iter().map(|(id, progress)| (*id, RaftIndex(progress.matched))).collect();
        matched.sort_unstable();
        matched
    }

    /// Whether `take_ready` would give something.
    pub fn has_ready(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Every dirty group's effects, one for each. Acting on them can make more: call again until there are none.
    pub fn take_ready(&mut self) -> Vec<GroupReady> {
        let dirty = mem::take(&mut self.dirty);
        let mut readies = Vec::with_capacity(dirty.len());
        for group in dirty {
            if let Some(it) = self.groups.get_mut(&group) {
                it.is_dirty = false;
            }
            readies.extend(self.with(group, Group::take));
        }
        readies
    }

    /// That ready's entries and hard state are on the device, and so are all before it. For a ready that did not ask to
    /// be persisted this does nothing.
    pub fn persisted(&mut self, group: GroupId, number: ReadyNumber) {
        let _closed_meanwhile = self.with(group, |it| it.persisted(number));
    }

    /// Entries up to here can be read from the disk: drop them from memory.
    pub fn evict(&mut self, group: GroupId, up_to: RaftIndex) {
        let _closed_meanwhile = self.with(group, |it| it.evict(up_to));
    }

    /// Entries up to here are gone for good.
    pub fn compact(&mut self, group: GroupId, up_to: RaftIndex) {
        let _closed_meanwhile = self.with(group, |it| it.compact(up_to));
    }

    /// The answer to [`GroupReady::read_entries`]: what was read from `low` on; nothing if that failed or is gone, in
    /// which case it is asked for again when the follower next makes itself heard.
    pub fn entries_read(&mut self, group: GroupId, low: RaftIndex, entries: Vec<LogEntry>) {
        let _closed_meanwhile = self.with(group, |it| it.entries_read(low, entries));
    }

    /// The answer to [`GroupReady::snapshot_wanted`]: a snapshot that stands for all entries up to `index`, which must
    /// be applied, not compacted away, and not older than the last change of members. It is offered until the log is
    /// compacted beyond it.
    pub fn snapshot_made(&mut self, group: GroupId, index: RaftIndex, data: Bytes) -> Result<(), RaftError> {
        self.with(group, |it| {
            let (low, high) = it.snapshot_range();
            let term = it.node.store().term_at(index.0);
            match term {
                Some(term) if index >= low && index <= high => {
                    let membership = Membership::from_library(&it.node.raft.prs().conf().to_conf_state());
                    it.node.mut_store().set_snapshot(PeerSnapshot { index, term: Term(term), membership, data });
                    Ok(())
                }
                _ => Err(RaftError::SnapshotOutOfRange { group, index, low, high }),
            }
        })?
    }

    /// A follower installed the snapshot that was offered, or failed to: Raft waits for this.
    pub fn snapshot_sent(&mut self, group: GroupId, peer: u64, installed: bool) {
        let status = if installed { raft::SnapshotStatus::Finish } else { raft::SnapshotStatus::Failure };
        let _closed_meanwhile = self.with(group, |it| it.node.report_snapshot(peer, status));
    }

    /// A message to this peer was lost: send to it one at a time until it answers.
    pub fn unreachable(&mut self, group: GroupId, peer: u64) {
        let _closed_meanwhile = self.with(group, |it| it.node.report_unreachable(peer));
    }

    /// A node is known to be down, from outside: what it led does not wait for its silence to be long enough.
    pub fn node_down(&mut self, node: u64) {
        let led = self.groups.iter().filter(|(_, it)| !it.is_leader() && it.status().leader == Some(node));
        let led: Vec<GroupId> = led.map(|(group, _)| *group).collect();
        let timeouts = self.timeouts;
        for group in led {
            let _open = self.with(group, |it| it.leader_down(timeouts.ticks_without_leader(group, it.status().term.0)));
        }
    }

    /// Hands leadership to a voter, when it has caught up. Gives up after an election timeout.
    pub fn transfer_leader(&mut self, group: GroupId, to: u64) -> Result<(), RaftError> {
        self.with(group, |it| {
            if it.is_leader() {
                it.node.transfer_leader(to);
                Ok(())
            } else {
                Err(RaftError::NotLeader { group })
            }
        })?
    }

    /// Does something to a group and brings this driver's books up to date.
    fn with<R>(&mut self, group: GroupId, act: impl FnOnce(&mut Group) -> R) -> Result<R, RaftError> {
        let it = self.groups.get_mut(&group).ok_or(RaftError::UnknownGroup(group))?;
        let result = act(it);
        it.settle(self.timeouts);
        if it.needs_ticks() {
            self.ticking.insert(group);
        } else {
            self.ticking.remove(&group);
        }
        if !it.is_dirty && it.has_work() {
            it.is_dirty = true;
            self.dirty.push(group);
        }
        Ok(result)
    }
}

fn library(group: GroupId, error: &raft::Error) -> RaftError {
    RaftError::Library { group, reason: error.to_string() }
}

/// Finds out here what the library would refuse silently, by turning the proposal into an empty entry.
fn check_change(change: &MembershipChange, now: &Membership) -> Result<(), ProposeError> {
    let joint = !now.voters_outgoing.is_empty();
    if joint != change.changes.is_empty() {
        return Err(ProposeError::BadChange(if joint {
            "a joint change is not finished"
        } else {
            "it changes nothing"
        }));
    }
    if change.changes.iter().any(|one| one.id == 0) {
        return Err(ProposeError::BadChange("0 is nobody"));
    }
    let stays = |id: &u64| change.changes.iter().all(|one| one.id != *id || one.to == Member::Voter);
    let joins = change.changes.iter().any(|one| one.to == Member::Voter);
    if !joint && !joins && !now.voters.iter().any(stays) {
        return Err(ProposeError::BadChange("it would leave no voter"));
    }
    Ok(())
}
