//! The controller: group 0's state machine. Its log holds commands; applying them makes the cluster image.
//!
//! Lives on the first core, beside group 0. Other cores ask it by a job through the mesh.

mod command;
mod log;
mod propose;
mod publish;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use futures::channel::oneshot;
use thalweg_protocol::KafkaOffset;
use thalweg_storage::types::{EntryKind, GroupId, LogEntry, RaftIndex, Term};

pub use command::{Command, Endpoint, Outcome, Rejection};
pub use propose::ControllerError;

use crate::metadata::ClusterImage;
use crate::reactor::Signal;

/// The controller's Raft group.
pub const GROUP: GroupId = GroupId(0);

/// The name under which the controller's log is kept, as Kafka's.
pub const LOG_TOPIC: &str = "__cluster_metadata";

type Applied = Result<Outcome, Rejection>;

/// Owned by the first core.
pub struct Controller {
    image: RefCell<ClusterImage>,
    /// Offset behind the last applied batch; `None` until the log was read at start.
    applied: Cell<Option<KafkaOffset>>,
    waiting: RefCell<BTreeMap<RaftIndex, (Term, oneshot::Sender<Applied>)>>,
    /// Raised when the image changed and the cores should have it.
    changed: Signal,
}

impl Default for Controller {
    fn default() -> Self {
        Self {
            image: RefCell::default(),
            applied: Cell::new(None),
            waiting: RefCell::default(),
            changed: Signal::default(),
        }
    }
}

impl Controller {
    /// Applies what group 0 committed. Before the log was read from its start, that reading will meet these entries.
    pub fn apply(&self, committed: &[LogEntry]) {
        for entry in committed.iter().filter(|entry| entry.kind == EntryKind::Batch) {
            if let Err(error) = self.apply_batch(Some((entry.index, entry.term)), &entry.data) {
                let index = entry.index;
                crate::reactor::fatal(&format!(
                    "the controller's entry {index} is committed and not understood: {error}"
                ));
            }
        }
    }

    fn apply_batch(&self, position: Option<(RaftIndex, Term)>, batch: &[u8]) -> Result<(), log::LogError> {
        let Some(applied) = self.applied.get() else { return Ok(()) };
        let next = self.carry_out(applied, position, batch)?;
        self.applied.set(Some(next));
        Ok(())
    }

    /// Gives the offset behind what is applied now.
    fn carry_out(
        &self,
        applied: KafkaOffset,
        position: Option<(RaftIndex, Term)>,
        batch: &[u8],
    ) -> Result<KafkaOffset, log::LogError> {
        let (next, commands) = log::commands(batch)?;
        if next <= applied {
            return Ok(applied);
        }
        for command in commands {
            let outcome = self.image.borrow_mut().apply(command);
            if let Some((index, term)) = position {
                self.answer(index, term, outcome);
            }
        }
        self.changed.raise();
        Ok(next)
    }

    /// Another node leads the controller's group: whether what was proposed here survives is for that one to say.
    pub fn leadership_lost(&self) {
        self.waiting.borrow_mut().clear();
    }

    fn answer(&self, index: RaftIndex, term: Term, outcome: Applied) {
        if let Some((proposed_in, sender)) = self.waiting.borrow_mut().remove(&index)
            && proposed_in == term
        {
            // Another leader's entry at this index drops the sender: the proposer learns that its command was lost.
            let _ = sender.send(outcome);
        }
    }

    /// Waits until the image has this version.
    pub(crate) async fn await_version(&self, version: u64) {
        let mut seen = self.changed.count();
        while self.image.borrow().version < version {
            seen = self.changed.wait(seen).await;
        }
    }

    pub fn image(&self) -> Arc<ClusterImage> {
        Arc::new(self.image.borrow().clone())
    }
}
