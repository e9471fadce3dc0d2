//! What must hold in every run. Each check says what it found wrong; a test feeds each one something wrong.

use std::collections::BTreeMap;

use thalweg_storage::types::{RaftIndex, Term};

use crate::disk::Image;

#[derive(Default)]
pub(crate) struct Checker {
    leaders: BTreeMap<Term, u64>,
    /// The term of each entry that somebody applied, and the hash of all up to it.
    applied: BTreeMap<RaftIndex, (Term, u64)>,
    commits: BTreeMap<u64, RaftIndex>,
}

type Verdict = Result<(), String>;

impl Checker {
    /// Election safety, and leader completeness: a leader's log has every entry that anybody applied.
    pub(crate) fn leads(&mut self, node: u64, term: Term, log: &Image) -> Verdict {
        let first = *self.leaders.entry(term).or_insert(node);
        if first != node {
            return Err(format!("term {term} has two leaders, {first} and {node}"));
        }
        for (index, (term, _)) in self.applied.range(log.base..) {
            let found = log.term_at(*index);
            if found != Some(*term) {
                return Err(format!("leader {node} has term {found:?} at {index}, where term {term} is committed"));
            }
        }
        Ok(())
    }

    /// State machine safety: nobody applies anything else at an index than the first who applied it.
    pub(crate) fn applies(&mut self, node: u64, index: RaftIndex, term: Term, hash: u64) -> Verdict {
        let first = *self.applied.entry(index).or_insert((term, hash));
        if first == (term, hash) { Ok(()) } else { Err(format!("node {node} applied something else at {index}")) }
    }

    /// The commit index of a node falls only when it restarts.
    pub(crate) fn commits(&mut self, node: u64, commit: RaftIndex) -> Verdict {
        let before = self.commits.insert(node, commit).unwrap_or_default();
        if commit >= before { Ok(()) } else { Err(format!("node {node} took back commit {before} to {commit}")) }
    }

    pub(crate) fn restarted(&mut self, node: u64) {
        self.commits.remove(&node);
    }

    /// Log matching: where two logs have the same term at an index, they are the same up to it.
    pub(crate) fn logs_match(&self, one: &Image, other: &Image) -> Verdict {
        let low = one.base.max(other.base).0 + 1;
        let high = one.last().min(other.last()).0;
        let mut same_behind = false;
        for index in (low..=high).rev().map(RaftIndex) {
            let (left, right) = (one.entry(index).unwrap(), other.entry(index).unwrap());
            same_behind |= left.term == right.term;
            if same_behind && left != right {
                return Err(format!("logs that agree later differ at {index}: {left:?} and {right:?}"));
            }
        }
        Ok(())
    }

    pub(crate) fn applied_last(&self) -> RaftIndex {
        self.applied.last_key_value().map_or(RaftIndex(0), |(index, _)| *index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use thalweg_raft::Membership;
    use thalweg_storage::types::{EntryKind, LogEntry};

    fn log(entries: &[(u64, &'static str)]) -> Image {
        let mut image = Image::new(Membership { voters: vec![1], ..Membership::default() });
        image.entries = entries
            .iter()
            .zip(1..)
            .map(|((term, data), index)| LogEntry {
                index: RaftIndex(index),
                term: Term(*term),
                kind: EntryKind::Batch,
                data: Bytes::from_static(data.as_bytes()),
            })
            .collect();
        image
    }

    #[test]
    fn every_check_bites() {
        let mut checker = Checker::default();
        checker.leads(1, Term(1), &log(&[])).unwrap();
        checker.leads(2, Term(1), &log(&[])).unwrap_err();
        checker.applies(1, RaftIndex(1), Term(1), 7).unwrap();
        checker.applies(2, RaftIndex(1), Term(1), 7).unwrap();
        checker.applies(3, RaftIndex(1), Term(1), 8).unwrap_err();
        checker.leads(2, Term(2), &log(&[(1, "a")])).unwrap();
        checker.leads(3, Term(3), &log(&[])).unwrap_err();
        checker.leads(3, Term(3), &log(&[(2, "b")])).unwrap_err();
        checker.commits(1, RaftIndex(5)).unwrap();
        checker.commits(1, RaftIndex(4)).unwrap_err();
        checker.restarted(1);
        checker.commits(1, RaftIndex(3)).unwrap();
        checker.logs_match(&log(&[(1, "a"), (2, "x")]), &log(&[(1, "a"), (3, "y")])).unwrap();
        checker.logs_match(&log(&[(1, "a"), (2, "x")]), &log(&[(1, "b"), (2, "x")])).unwrap_err();
        checker.logs_match(&log(&[(1, "a"), (2, "x")]), &log(&[(1, "a"), (2, "y")])).unwrap_err();
    }
}
