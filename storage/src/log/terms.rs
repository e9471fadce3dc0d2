//! Which Raft term each entry is of, and from it Kafka's leader epochs.
//!
//! One short list serves both: a term begins at a Raft index and at the Kafka offset of the first record behind it.

use thalweg_protocol::{KafkaOffset, LeaderEpoch};

use crate::types::{RaftIndex, Term};

/// The first entry of a term.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TermStart {
    pub term: Term,
    pub index: RaftIndex,
    /// Of the entry if it is a batch, of the next batch otherwise.
    pub offset: KafkaOffset,
}

/// The terms in a log, oldest first; indexes and terms strictly increase.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Terms {
    starts: Vec<TermStart>,
}

impl Terms {
    pub(crate) fn from_starts(starts: Vec<TermStart>) -> Self {
        Self { starts }
    }

    pub(crate) fn starts(&self) -> &[TermStart] {
        &self.starts
    }

    /// An entry was appended.
    pub(super) fn note(&mut self, term: Term, index: RaftIndex, offset: KafkaOffset) {
        match self.starts.last() {
            Some(last) if last.term == term => {}
            Some(last) => {
                assert!(last.term < term, "entry {index} of term {term} follows term {}", last.term);
                self.starts.push(TermStart { term, index, offset });
            }
            None => self.starts.push(TermStart { term, index, offset }),
        }
    }

    /// The term of the entry at `index`, if that is not before the first known.
    pub(super) fn at(&self, index: RaftIndex) -> Option<Term> {
        let after = self.starts.partition_point(|start| start.index <= index);
        self.starts.get(after.checked_sub(1)?).map(|start| start.term)
    }

    pub(super) fn last(&self) -> Option<Term> {
        self.starts.last().map(|start| start.term)
    }

    /// Entries from `index` on are gone.
    pub(super) fn truncate(&mut self, index: RaftIndex) {
        self.starts.retain(|start| start.index < index);
    }

    /// Entries before `index` are gone; the term it is in stays known.
    pub(super) fn compact(&mut self, index: RaftIndex) {
        let after = self.starts.partition_point(|start| start.index <= index);
        self.starts.drain(..after.saturating_sub(1));
    }

    /// Kafka's view, as its `leader-epoch-checkpoint` has it: an epoch in which nothing was written is left out, unless
    /// it is the latest (`LeaderEpochFileCache.assign` removes earlier epochs with the same start offset).
    pub(super) fn epochs(&self, log_start: KafkaOffset) -> Vec<(LeaderEpoch, KafkaOffset)> {
        let next_offsets = self.starts.iter().skip(1).map(|next| Some(next.offset)).chain([None]);
        let written = self.starts.iter().zip(next_offsets);
        written
            .filter(|(start, next)| next.is_none_or(|next| next > start.offset && next > log_start))
            .map(|(start, _)| (start.term.leader_epoch(), start.offset.max(log_start)))
            .collect()
    }

    /// The end of an epoch as a follower or consumer asks for it (`LeaderEpochFileCache.endOffsetFor`): the largest
    /// epoch not above `epoch`, and where the next one begins.
    pub(super) fn end_offset_for(
        &self,
        epoch: LeaderEpoch,
        log_start: KafkaOffset,
        log_end: KafkaOffset,
    ) -> (LeaderEpoch, KafkaOffset) {
        const UNDEFINED: (LeaderEpoch, KafkaOffset) = (LeaderEpoch::NONE, KafkaOffset(-1));
        let epochs = self.epochs(log_start);
        let Some((latest, _)) = epochs.last() else { return UNDEFINED };
        if epoch == LeaderEpoch::NONE || epoch > *latest {
            return UNDEFINED;
        }
        if epoch == *latest {
            return (epoch, log_end);
        }
        let higher = epochs.iter().find(|(candidate, _)| *candidate > epoch);
        let floor = epochs.iter().rev().find(|(candidate, _)| *candidate <= epoch);
        match (floor, higher) {
            (Some((floor, _)), Some((_, end))) => (*floor, *end),
            (None, Some((_, end))) => (epoch, *end),
            (_, None) => UNDEFINED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> Terms {
        let mut terms = Terms::default();
        for (term, index, offset) in [(1, 1, 0), (1, 2, 0), (2, 5, 10), (4, 9, 10), (5, 12, 30)] {
            terms.note(Term(term), RaftIndex(index), KafkaOffset(offset));
        }
        terms
    }

    #[test]
    fn a_term_lasts_until_the_next() {
        let terms = terms();
        let found: Vec<_> = [0, 1, 4, 5, 8, 9, 100].map(|index| terms.at(RaftIndex(index)).map(|term| term.0)).into();
        assert_eq!(found, [None, Some(1), Some(1), Some(2), Some(2), Some(4), Some(5)]);
    }

    #[test]
    fn truncation_and_compaction() {
        let mut terms = terms();
        terms.truncate(RaftIndex(9));
        assert_eq!(terms.last(), Some(Term(2)));
        terms.compact(RaftIndex(4));
        assert_eq!(terms.at(RaftIndex(4)), Some(Term(1)));
        terms.compact(RaftIndex(6));
        assert_eq!(terms.at(RaftIndex(4)), None);
        assert_eq!(terms.at(RaftIndex(6)), Some(Term(2)));
    }

    #[test]
    fn epochs_without_records_are_left_out() {
        let epochs = terms().epochs(KafkaOffset(0));
        let expected = [(0, 0), (3, 10), (4, 30)].map(|(epoch, offset)| (LeaderEpoch(epoch), KafkaOffset(offset)));
        assert_eq!(epochs, expected);
        assert_eq!(terms().epochs(KafkaOffset(15)).first(), Some(&(LeaderEpoch(3), KafkaOffset(15))));
    }

    #[test]
    fn end_of_an_epoch_as_kafka_answers_it() {
        let terms = terms();
        let end = |epoch| {
            let (epoch, offset) = terms.end_offset_for(LeaderEpoch(epoch), KafkaOffset(0), KafkaOffset(40));
            (epoch.0, offset.0)
        };
        assert_eq!(end(-1), (-1, -1));
        assert_eq!(end(0), (0, 10));
        assert_eq!(end(2), (0, 10), "an epoch nobody wrote in: the one below");
        assert_eq!(end(3), (3, 30));
        assert_eq!(end(4), (4, 40), "the latest ends at the log's end");
        assert_eq!(end(5), (-1, -1), "unknown yet");
        let mut later = Terms::default();
        later.note(Term(3), RaftIndex(1), KafkaOffset(0));
        let before = later.end_offset_for(LeaderEpoch(1), KafkaOffset(0), KafkaOffset(40));
        assert_eq!(before, (LeaderEpoch(1), KafkaOffset(0)), "before the first");
    }
}
