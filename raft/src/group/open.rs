//! How a group begins: from what was found on the device.

use raft::{RaftState, RawNode};
use slog::Logger;
use thalweg_storage::types::GroupId;

use super::Group;
use crate::config::{GroupRestore, RaftConfig};
use crate::error::RaftError;
use crate::membership::Membership;
use crate::tail::Tail;
use crate::terms::TermRuns;

impl Group {
    pub(crate) fn open(
        id: GroupId,
        restore: GroupRestore,
        config: &RaftConfig,
        logger: &Logger,
    ) -> Result<Self, RaftError> {
        let bad = |reason: String| RaftError::BadRestore { group: id, reason };
        let membership = Membership {
            voters: restore.voters.clone(),
            learners: restore.learners.clone(),
            voters_outgoing: restore.voters_outgoing.clone(),
            learners_next: restore.learners_next.clone(),
            auto_leave: restore.auto_leave,
        };
        membership.check().map_err(|_| bad(format!("impossible members {membership:?}")))?;
        let bounds = Bounds::of(&restore).map_err(bad)?;
        let mut library_state = raft::eraftpb::HardState::default();
        library_state.term = restore.hard_state.term.0;
        library_state.vote = restore.hard_state.vote;
        library_state.commit = bounds.commit;
        let initial = RaftState::new(library_state, membership.library());
        let applied = restore.applied.0;
        // What is applied was committed, and so it will be found again; the same goes for the hint that was found.
        let durable_commit = bounds.commit;
        let tail = fill(initial, &bounds, restore).map_err(bad)?;
        let node = RawNode::new(&config.library(applied), tail, logger)
            .map_err(|error| RaftError::Library { group: id, reason: error.to_string() })?;
        let last_told = (node.raft.state, node.raft.term, node.raft.leader_id);
        Ok(Self {
            id,
            node,
            unpersisted: Default::default(),
            applying: Default::default(),
            durable_commit,
            new_members: Vec::new(),
            released: Vec::new(),
            attempts: 0,
            membership_index: applied,
            last_told,
            is_dirty: false,
        })
    }
}

/// Where things stand in the log that was found.
struct Bounds {
    compacted: u64,
    evicted: u64,
    commit: u64,
}

impl Bounds {
    fn of(restore: &GroupRestore) -> Result<Self, String> {
        let Some(compacted) = restore.first_index.0.checked_sub(1) else {
            return Err("the first index is 0".to_owned());
        };
        let (evicted, last) = match (restore.entries.first(), restore.entries.last()) {
            (Some(first), Some(last)) => (first.index.previous().0, last.index.0),
            _ => (restore.last_index.0.max(compacted), restore.last_index.0.max(compacted)),
        };
        let applied = restore.applied.0;
        if evicted < compacted || applied < evicted || applied > last {
            return Err(format!(
                "entries {}..={last} with {}.. in memory, of which {applied} are applied",
                compacted + 1,
                evicted + 1
            ));
        }
        // The commit index is a hint that is written along: what was applied is committed, whatever it says, and it
        // cannot be behind the end.
        let commit = restore.hard_state.commit.0.clamp(applied, last);
        Ok(Self { compacted, evicted, commit })
    }
}

/// The log, checked: indexes without a hole, terms that never fall, and none newer than the term that was promised.
fn fill(initial: RaftState, bounds: &Bounds, restore: GroupRestore) -> Result<Tail, String> {
    let newest = restore.hard_state.term;
    let mut terms = TermRuns::new(bounds.compacted, restore.previous_term.0);
    let mut before = restore.previous_term;
    for (index, term) in &restore.terms {
        if *term < before || index.0 <= bounds.compacted || index.0 > bounds.evicted {
            return Err(format!("term {term} begins at {index}"));
        }
        terms.push(index.0, term.0);
        before = *term;
    }
    let mut tail = Tail::new(initial, bounds.compacted, bounds.evicted, terms);
    for entry in restore.entries {
        if entry.index.0 != tail.last() + 1 || entry.term < before {
            return Err(format!(
                "entry {} of term {} behind {} of term {before}",
                entry.index,
                entry.term,
                tail.last()
            ));
        }
        before = entry.term;
        tail.append(entry);
    }
    if before > newest {
        return Err(format!("an entry has term {before}, but the hard state says {newest}"));
    }
    Ok(tail)
}
