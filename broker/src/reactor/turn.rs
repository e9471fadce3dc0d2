//! A turn: everything the Raft groups of this core want done, taken up at once, so that all of it shares one WAL write.

use std::rc::Rc;

use thalweg_raft::GroupReady;
use thalweg_storage::types::GroupId;

use super::core::Core;
use super::fatal;

impl Core {
    /// Proposes a stamped batch to a group and asks for a turn.
    pub fn propose(
        &self,
        group: GroupId,
        batch: bytes::Bytes,
    ) -> Result<(thalweg_storage::types::RaftIndex, thalweg_storage::types::Term), thalweg_raft::ProposeError> {
        let proposed = self.raft.borrow_mut().propose(group, batch)?;
        self.turn.raise();
        Ok(proposed)
    }

    /// Takes turns whenever somebody asked for one. Whatever is ready to run goes first: that is how batches gather.
    pub(crate) async fn run_turns(self: Rc<Self>) {
        let mut seen = 0;
        loop {
            seen = self.turn.wait(seen).await;
            thalweg_reactor::yield_now().await;
            self.take_turn();
        }
    }

    /// Acts on what the groups have ready until they have nothing more, then lets the WAL write.
    pub(crate) fn take_turn(self: &Rc<Self>) {
        self.note_unreachable();
        loop {
            let readies = self.raft.borrow_mut().take_ready();
            if readies.is_empty() {
                break;
            }
            for ready in readies {
                self.act(ready);
            }
        }
        self.store.wal().flush();
        // The leader's own write and the followers' overlap.
        self.peers.flush();
    }

    /// Raft sends to whom a message was lost one at a time, until it answers.
    fn note_unreachable(&self) {
        let unreachable = self.peers.take_unreachable(|| self.raft.borrow().groups().collect());
        for (group, peer) in unreachable {
            self.raft.borrow_mut().unreachable(group, peer);
        }
    }

    fn act(self: &Rc<Self>, ready: GroupReady) {
        let GroupReady {
            group,
            number,
            role,
            entries,
            hard_state,
            must_persist,
            messages,
            committed,
            membership,
            read_entries,
            snapshot_wanted,
            ..
        } = ready;
        messages.into_iter().for_each(|message| self.peers.send(group, message));
        let log = self.store.log(group);
        for entry in entries {
            // A leader put its own proposals into the log when it made them.
            let held = log.as_ref().is_some_and(|log| log.borrow().term_at(entry.index) == Some(entry.term));
            if !held {
                self.store.persist_entry(group, entry);
            }
        }
        // After the entries: a new leader goes on from the end of the log they make.
        if let Some(role) = role {
            self.with_partition(group, |partition| partition.role_changed(&role));
            self.follow_role(group, &role);
            self.progress.raise();
        }
        if let Some(state) = hard_state {
            self.store.persist_hard_state(group, state);
        }
        if must_persist {
            self.unpersisted.borrow_mut().push_back((self.store.wal().last_appended(), group, number));
        } else {
            self.raft.borrow_mut().persisted(group, number);
        }
        if !committed.is_empty() {
            self.apply(group, committed);
        }
        if !membership.is_empty() {
            self.progress.raise();
        }
        if let Some((low, high)) = read_entries {
            self.read_for_follower(group, low, high);
        }
        if let Some(follower) = snapshot_wanted {
            tracing::warn!(%group, follower, "a follower is behind what the log still has, and snapshots are not sent yet");
        }
    }

    fn apply(self: &Rc<Self>, group: GroupId, committed: Vec<thalweg_storage::types::LogEntry>) {
        let applied = self.with_partition(group, |partition| {
            let served = partition.serves();
            partition.apply(&committed);
            !served && partition.serves()
        });
        self.progress.raise();
        if applied == Some(true) {
            self.host_transactions_of(group);
        }
        if applied.is_some()
            && let Some(controller) = self.controller.as_ref().filter(|_| group == crate::controller::GROUP)
        {
            controller.apply(&committed);
        }
    }

    /// Tells the groups what has reached the device, in order, and takes the turn that this makes possible.
    pub(crate) async fn run_persisted(self: Rc<Self>) {
        let mut seen = self.store.wal().durable();
        loop {
            seen = match self.store.wal().wait_durable(seen).await {
                Ok(durable) => durable,
                Err(_) if self.shared.is_stopping() => return,
                Err(error) => fatal(&format!("the write-ahead log of core {} failed: {error}", self.id.0)),
            };
            loop {
                let next = match self.unpersisted.borrow().front() {
                    Some((sequence, group, number)) if *sequence <= seen => (*group, *number),
                    _ => break,
                };
                self.unpersisted.borrow_mut().pop_front();
                self.raft.borrow_mut().persisted(next.0, next.1);
            }
            self.room.raise();
            // What segments hold and no cache wants is not kept by the groups either.
            for (group, up_to) in self.store.take_evictable() {
                self.raft.borrow_mut().evict(group, up_to);
            }
            self.take_turn();
        }
    }

    /// Raft's clock.
    pub(crate) async fn run_ticks(self: Rc<Self>) {
        loop {
            thalweg_reactor::sleep(crate::limits::RAFT_TICK_INTERVAL).await;
            if self.raft.borrow_mut().tick() {
                self.turn.raise();
            }
        }
    }
}
