//! The end: what was acknowledged, held against what is there.

use super::super::record::Name;
use super::history::{Content, History};
use super::ledger::Promise;
use super::{Checker, Kind, Partition, Violation, records};

impl Checker {
    /// Judges what was acknowledged for a partition whose last reading ended at `end`.
    pub(crate) fn finish(&mut self, index: i32, end: i64) {
        let Some(partition) = usize::try_from(index).ok().and_then(|index| self.partitions.get(index)) else { return };
        let mut found = Vec::new();
        for (base, promise) in partition.ledger.promises() {
            partition.hold(base, promise, end, &mut found);
        }
        for promise in partition.ledger.floating() {
            partition.hold_floating(*promise, &mut found);
        }
        found.into_iter().for_each(|violation| self.violations.add(violation));
    }
}

/// Violations that one partition's end may bring: each is looked up in the whole history, and memory is not endless.
const FOUND_MAX: usize = 10_000;

impl Partition {
    /// Each record of a promise must be at its offset.
    fn hold(&self, base: i64, promise: Promise, end: i64, found: &mut Vec<Violation>) {
        let mut by = 0;
        while by < promise.count {
            let offset = base.saturating_add_unsigned(by);
            let content = Content::Record { producer: promise.producer, sequence: promise.first + by };
            let readable = u64::try_from(end.saturating_sub(offset)).unwrap_or(0).min(promise.count - by);
            by += self.history.matching(offset, readable, content);
            if by < promise.count {
                let rest = Promise { first: promise.first + by, count: promise.count - by, ..promise };
                by += self.broken(base.saturating_add_unsigned(by), rest, end, found);
            }
        }
    }

    /// Says what became of the first record of a promise; gives how many records of it that covers.
    fn broken(&self, offset: i64, promise: Promise, end: i64, found: &mut Vec<Violation>) -> u64 {
        let name = Name { producer: promise.producer, partition: self.index, sequence: promise.first };
        let expected = format!("{name}, as acknowledged");
        let violation = |kind, count, found| Violation {
            kind,
            partition: self.index,
            offset: Some(offset),
            count,
            expected: expected.clone(),
            found,
        };
        if offset >= end {
            let missing = format!("the partition ends at {end}: {} are not there", records(self.index, promise));
            found.push(violation(Kind::Lost, promise.count, missing));
            return promise.count;
        }
        if found.len() >= FOUND_MAX {
            found.push(violation(Kind::Lost, promise.count, "more than can be told one by one".to_owned()));
            return promise.count;
        }
        let there = self.history.at(offset).unwrap_or(Content::Nothing);
        // Damaged bytes were reported where they were read.
        if there != Content::Bad {
            let elsewhere = self.whereabouts(&self.history, promise, found.len());
            let is = there.words(self.index);
            found.push(match elsewhere {
                Some(at) => violation(Kind::Moved, 1, format!("{is}, and the record at {at}")),
                None => violation(Kind::Lost, 1, is),
            });
        }
        1
    }

    /// Where the first record of a promise is now.
    fn whereabouts(&self, history: &History, promise: Promise, looked: usize) -> Option<i64> {
        let stream = self.streams.get(promise.producer as usize)?;
        // A look takes the whole history: the first ones are the evidence, and the others are counted with them.
        let seen = stream.was_seen(promise.first) && looked < LOOKED_UP_MAX;
        seen.then(|| history.find(promise.producer, promise.first)).flatten()
    }

    /// Acknowledged without an offset: it must have been seen anywhere.
    fn hold_floating(&self, promise: Promise, found: &mut Vec<Violation>) {
        let Some(stream) = self.streams.get(promise.producer as usize) else { return };
        let missing = (promise.first..promise.first + promise.count).filter(|sequence| !stream.was_seen(*sequence));
        let count = missing.count() as u64;
        if count > 0 {
            found.push(Violation {
                kind: Kind::Lost,
                partition: self.index,
                offset: None,
                count,
                expected: format!("{}, as acknowledged without an offset", records(self.index, promise)),
                found: format!("{count} of them nowhere"),
            });
        }
    }
}

/// Records that are looked for in the whole history.
const LOOKED_UP_MAX: usize = 1000;
