//! What a group's readies do: taken, written, persisted, applied.

use std::mem;

use raft::Ready;
use thalweg_storage::types::{EntryKind, LogEntry, RaftIndex, Term};

use super::{Applying, Group, Unpersisted};
use crate::convert;
use crate::membership::{Membership, MembershipChange};
use crate::message::PeerMessage;
use crate::queue::pop_front_if;
use crate::ready::{GroupReady, GroupSnapshot, ReadyNumber};

impl Group {
    /// Everything that this group wants done now.
    pub(crate) fn take(&mut self) -> GroupReady {
        let mut out = GroupReady::empty(self.id);
        out.messages = mem::take(&mut self.released);
        if self.node.has_ready() {
            self.take_library_ready(&mut out);
        }
        out.membership = mem::take(&mut self.new_members);
        (out.read_entries, out.snapshot_wanted) = self.node.mut_store().take_asked();
        out
    }

    fn take_library_ready(&mut self, out: &mut GroupReady) {
        let mut ready = self.node.ready();
        out.number = ReadyNumber(ready.number());
        out.must_persist = ready.must_sync();
        out.snapshot = self.take_snapshot(&ready);
        out.hard_state = ready.hs().map(convert::hard_state);
        let changes_term = ready.must_sync() && ready.hs().is_some();
        for entry in ready.take_entries() {
            let entry = convert::log_entry(entry);
            self.node.mut_store().append(entry.clone());
            out.entries.push(entry);
        }
        out.committed = ready.take_committed_entries().into_iter().map(convert::log_entry).collect();
        let free: Vec<_> = ready.take_messages().into_iter().filter_map(convert::peer_message).collect();
        let held: Vec<_> = ready.take_persisted_messages().into_iter().filter_map(convert::peer_message).collect();
        self.node.advance_append_async(ready);

        self.queue_apply(out);
        self.hold(out, free, held, changes_term);
        self.apply_up_to(0);
        let now = (self.node.raft.state, self.node.raft.term, self.node.raft.leader_id);
        if now != self.last_told {
            self.last_told = now;
            out.role = Some(self.role_change());
        }
    }

    /// A snapshot takes the log's place, in memory at once; the application does the same before `persisted`.
    fn take_snapshot(&mut self, ready: &Ready) -> Option<GroupSnapshot> {
        let snapshot = ready.snapshot();
        if snapshot.is_empty() {
            return None;
        }
        let meta = snapshot.get_metadata();
        self.node.mut_store().restart_at(meta.index, meta.term);
        self.membership_index = meta.index;
        Some(GroupSnapshot {
            index: RaftIndex(meta.index),
            term: Term(meta.term),
            membership: Membership::from_library(meta.get_conf_state()),
            data: snapshot.data.clone(),
            from: self.node.raft.leader_id,
        })
    }

    /// Sorts messages by what they promise.
    ///
    /// A leader's appends promise nothing about its own device (Raft thesis, 10.2.1), with one exception: a single voter
    /// becomes leader in the very step that raises its term. Were an append of that term seen by a learner, and the
    /// term then lost in a crash, the node would lead the same term again with another log.
    fn hold(&mut self, out: &mut GroupReady, free: Vec<PeerMessage>, mut held: Vec<PeerMessage>, changes_term: bool) {
        if changes_term || self.unpersisted.iter().any(|earlier| earlier.changes_term) {
            held.extend(free);
        } else {
            out.messages.extend(free);
        }
        if !out.must_persist && self.unpersisted.is_empty() {
            out.messages.extend(held);
            self.node.on_persist_ready(out.number.0);
            return;
        }
        self.unpersisted.push_back(Unpersisted {
            number: out.number.0,
            must_persist: out.must_persist,
            changes_term,
            commit: out.hard_state.map_or(0, |state| state.commit.0),
            messages: held,
        });
    }

    /// Lines up what was handed out to be applied. A change of members makes the ready one that must be persisted,
    /// unless the device knows already that it is committed.
    fn queue_apply(&mut self, out: &mut GroupReady) {
        let Some(last) = out.committed.last().map(|entry| entry.index.0) else { return };
        let changes: Vec<_> =
            out.committed.iter().filter(|entry| entry.kind == EntryKind::Membership).cloned().collect();
        let waits = changes.last().is_some_and(|change| change.index.0 > self.durable_commit);
        if waits {
            out.must_persist = true;
            out.hard_state = Some(convert::hard_state(&self.node.raft.hard_state()));
        }
        self.applying.push_back(Applying { after: if waits { out.number.0 } else { 0 }, changes, last });
    }

    /// Applies in order, as far as it waits for no ready behind this one.
    fn apply_up_to(&mut self, persisted: u64) {
        while let Some(next) = pop_front_if(&mut self.applying, |next| next.after <= persisted) {
            for change in &next.changes {
                self.apply_membership(change);
            }
            self.node.advance_apply_to(next.last);
        }
        let raft = &mut self.node.raft;
        if raft.state == raft::StateRole::Leader && raft.prs().get(raft.id).is_none() {
            // The library leaves a leader that was removed in office, and then looks for its progress in vain.
            raft.become_follower(raft.term, raft::INVALID_ID);
        }
    }

    /// A change that is impossible by now is skipped: every member sees the same members before it, and skips it too.
    fn apply_membership(&mut self, entry: &LogEntry) {
        let Ok(change) = MembershipChange::decode(&entry.data) else { return };
        let Ok(members) = self.node.apply_conf_change(&change.library()) else { return };
        self.membership_index = entry.index.0;
        self.node.mut_store().drop_snapshot();
        self.new_members.push((entry.index, Membership::from_library(&members)));
    }

    /// The ready of this number is on the device, and all before it.
    pub(crate) fn persisted(&mut self, number: ReadyNumber) {
        let covers = |one: &Unpersisted| one.must_persist && one.number == number.0;
        if !self.unpersisted.iter().any(covers) {
            return;
        }
        let mut done = 0;
        while let Some(one) = pop_front_if(&mut self.unpersisted, |one| one.number <= number.0 || !one.must_persist) {
            done = one.number;
            self.durable_commit = self.durable_commit.max(one.commit);
            self.released.extend(one.messages);
        }
        self.node.on_persist_ready(done);
        let snapshot = self.node.store().compacted();
        let log = &self.node.raft.raft_log;
        if log.applied < snapshot && snapshot <= log.persisted.min(log.committed) {
            self.node.advance_apply_to(snapshot);
        }
        self.apply_up_to(done);
        if self.unpersisted.is_empty() {
            // A quiet group keeps no room for readies; there are ten thousand of them.
            self.unpersisted.shrink_to_fit();
            self.applying.shrink_to(0);
        }
    }

    /// Drops entries from memory that can be read from the disk. What was not applied yet is needed at once, and stays.
    pub(crate) fn evict(&mut self, up_to: RaftIndex) {
        let up_to = up_to.0.min(self.node.raft.raft_log.applied);
        self.node.mut_store().evict(up_to);
    }

    pub(crate) fn compact(&mut self, up_to: RaftIndex) {
        let up_to = up_to.0.min(self.node.raft.raft_log.applied);
        self.node.mut_store().compact(up_to);
    }

    pub(crate) fn entries_read(&mut self, low: RaftIndex, entries: Vec<LogEntry>) {
        for context in self.node.mut_store().fetched(low.0, entries) {
            self.node.on_entries_fetched(context);
        }
        self.node.mut_store().forget_fetched();
    }

    /// Which snapshots can be offered: `low..=high`.
    pub(crate) fn snapshot_range(&self) -> (RaftIndex, RaftIndex) {
        let low = self.membership_index.max(self.node.store().compacted());
        (RaftIndex(low), RaftIndex(self.node.raft.raft_log.applied))
    }
}
