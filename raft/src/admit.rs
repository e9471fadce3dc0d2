//! What a peer's message must satisfy before the library sees it: the library stops the process over some of these.

use raft::StateRole;
use thalweg_storage::types::{EntryKind, LogEntry, Term};

use crate::group::Group;
use crate::membership::MembershipChange;
use crate::message::{PeerMessage, PeerMessageKind};

/// Whether a message goes on to the library.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Admission {
    Step,
    /// Harmless and of no use: late, or not to be acted on now.
    Drop,
}

impl Group {
    /// An error is something that no peer in order would send.
    pub(crate) fn admit(&self, message: &PeerMessage) -> Result<Admission, &'static str> {
        use PeerMessageKind as K;
        let raft = &self.node.raft;
        if message.to != raft.id || message.from == raft.id || message.from == raft::INVALID_ID {
            return Err("it is addressed wrongly");
        }
        if message.term == Term::ZERO {
            return Err("it has no term");
        }
        if (message.kind == K::Append || message.entries.is_empty())
            && (message.kind == K::Snapshot) == message.snapshot.is_some()
        {
            check_entries(message)?;
        } else {
            return Err("it carries what its kind cannot");
        }
        let current = message.term.0 >= raft.term;
        match message.kind {
            K::Heartbeat if current && message.commit.0 > raft.raft_log.last_index() => {
                Err("it commits what this node acknowledged but no longer has")
            }
            K::AppendResponse => self.admit_append_response(message),
            // Asked for only after this node's log was written; before that, standing for election is unsafe.
            K::VoteResponse | K::PreVoteResponse | K::TimeoutNow if !self.log_is_persisted() => Ok(Admission::Drop),
            K::Snapshot => match &message.snapshot {
                Some(it) if it.index.0 == 0 || it.term > message.term || it.membership.check().is_err() => {
                    Err("its snapshot is impossible")
                }
                _ => Ok(Admission::Step),
            },
            _ => Ok(Admission::Step),
        }
    }

    /// A late rejection would have the library probe below what is known to match (tikv/raft-rs#555, not fixed in 0.7.0).
    fn admit_append_response(&self, message: &PeerMessage) -> Result<Admission, &'static str> {
        let raft = &self.node.raft;
        if raft.state != StateRole::Leader || message.term.0 != raft.term {
            return Ok(Admission::Step);
        }
        if !message.reject && message.index.0 > raft.raft_log.last_index() {
            return Err("it acknowledges what was never sent");
        }
        let matched = raft.prs().get(message.from).map_or(0, |progress| progress.matched);
        if message.reject && message.index.0 <= matched && matched > 0 {
            Ok(Admission::Drop)
        } else {
            Ok(Admission::Step)
        }
    }
}

fn check_entries(message: &PeerMessage) -> Result<(), &'static str> {
    if message.index.0 > u64::MAX / 2 || message.log_term > message.term && message.kind == PeerMessageKind::Append {
        return Err("its place in the log is impossible");
    }
    let mut before = (message.index, message.log_term);
    for entry in &message.entries {
        if entry.index != before.0.next()
            || entry.term < before.1
            || entry.term > message.term
            || entry.term == Term::ZERO
        {
            return Err("its entries are out of order");
        }
        check_data(entry)?;
        before = (entry.index, entry.term);
    }
    Ok(())
}

fn check_data(entry: &LogEntry) -> Result<(), &'static str> {
    let fits = match entry.kind {
        EntryKind::Batch => !entry.data.is_empty(),
        EntryKind::Noop => entry.data.is_empty(),
        EntryKind::Membership => MembershipChange::decode(&entry.data).is_ok(),
    };
    if fits { Ok(()) } else { Err("an entry does not hold what its kind says") }
}
