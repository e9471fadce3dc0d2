//! What readers found in a partition, offset by offset, in runs.

use std::collections::BTreeMap;

use super::super::record::Name;

/// What lies at an offset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Content {
    /// This record of a producer; in a run, the first of those that follow each other.
    Record {
        producer: u32,
        sequence: u64,
    },
    /// Something that cannot be told apart: damaged, or another's.
    Bad,
    Nothing,
}

impl Content {
    /// What lies `by` offsets further in the same run.
    pub(crate) const fn further(self, by: u64) -> Self {
        match self {
            Self::Record { producer, sequence } => Self::Record { producer, sequence: sequence.saturating_add(by) },
            other => other,
        }
    }

    pub(crate) fn words(self, partition: i32) -> String {
        match self {
            Self::Record { producer, sequence } => Name { producer, partition, sequence }.to_string(),
            Self::Bad => "a record that is none of the run's".to_owned(),
            Self::Nothing => "nothing".to_owned(),
        }
    }
}

/// Offsets behind each other whose records follow each other. Where it ends, the next begins.
#[derive(Clone, Copy, Debug)]
struct Run {
    base: i64,
    content: Content,
}

/// Later findings that differ from the first are kept apart, because they are few.
const CHANGED_MAX: usize = 100_000;

#[derive(Debug)]
pub(crate) struct History {
    runs: Vec<Run>,
    /// The offset behind the last one that was looked at.
    end: i64,
    /// What was found where something else had been found before.
    changed: BTreeMap<i64, Content>,
}

impl History {
    pub(crate) const fn new(start: i64) -> Self {
        Self { runs: Vec::new(), end: start, changed: BTreeMap::new() }
    }

    pub(crate) const fn end(&self) -> i64 {
        self.end
    }

    pub(crate) fn runs(&self) -> usize {
        self.runs.len()
    }

    /// What is at the end now.
    pub(crate) fn append(&mut self, content: Content) {
        self.append_many(content, 1);
    }

    pub(crate) fn append_many(&mut self, content: Content, count: u64) {
        let follows = self.runs.last().is_some_and(|run| run.content.further(distance(run.base, self.end)) == content);
        if !follows {
            self.runs.push(Run { base: self.end, content });
        }
        self.end = self.end.saturating_add_unsigned(count);
    }

    /// What was last found at an offset; `None` where nobody looked.
    pub(crate) fn at(&self, offset: i64) -> Option<Content> {
        self.changed.get(&offset).copied().or_else(|| self.first_at(offset))
    }

    fn first_at(&self, offset: i64) -> Option<Content> {
        if offset >= self.end {
            return None;
        }
        let index = self.runs.partition_point(|run| run.base <= offset).checked_sub(1)?;
        self.runs.get(index).map(|run| run.content.further(distance(run.base, offset)))
    }

    /// Takes note of what is at an offset in place of what was.
    pub(crate) fn change(&mut self, offset: i64, content: Content) {
        if self.changed.len() < CHANGED_MAX || self.changed.contains_key(&offset) {
            self.changed.insert(offset, content);
        }
    }

    /// How many of `count` offsets from `offset` on hold what follows `content`, before the first that does not.
    pub(crate) fn matching(&self, offset: i64, count: u64, content: Content) -> u64 {
        let Some(end) = offset.checked_add_unsigned(count) else { return 0 };
        if self.changed.range(offset..end).next().is_some() {
            let same = |by: &u64| self.at(offset.saturating_add_unsigned(*by)) == Some(content.further(*by));
            return (0..count).take_while(same).count() as u64;
        }
        let mut matched = 0;
        while matched < count {
            let at = offset.saturating_add_unsigned(matched);
            if self.first_at(at) != Some(content.further(matched)) {
                break;
            }
            let next = self.runs.get(self.runs.partition_point(|run| run.base <= at));
            let run_end = next.map_or(self.end, |run| run.base);
            matched = distance(offset, run_end).min(count);
        }
        matched
    }

    /// Where a record is now. Looks through everything: for evidence only.
    pub(crate) fn find(&self, producer: u32, sequence: u64) -> Option<i64> {
        let wanted = Content::Record { producer, sequence };
        let ends = self.runs.iter().skip(1).map(|run| run.base).chain([self.end]);
        let first = self.runs.iter().zip(ends).find_map(|(run, end)| {
            let Content::Record { producer: of, sequence: first } = run.content else { return None };
            let by = sequence.checked_sub(first).filter(|by| of == producer && *by < distance(run.base, end))?;
            let offset = run.base.saturating_add_unsigned(by);
            (!self.changed.contains_key(&offset)).then_some(offset)
        });
        first.or_else(|| self.changed.iter().find(|(_, content)| **content == wanted).map(|(offset, _)| *offset))
    }
}

/// From one offset to a later one.
fn distance(from: i64, to: i64) -> u64 {
    u64::try_from(to.saturating_sub(from)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn record(producer: u32, sequence: u64) -> Content {
        Content::Record { producer, sequence }
    }

    #[test]
    fn records_that_follow_each_other_are_one_run() {
        let mut history = History::new(10);
        (0..5).for_each(|sequence| history.append(record(1, sequence)));
        history.append(record(2, 5));
        history.append_many(Content::Nothing, 3);
        history.append(record(1, 5));
        assert_eq!(history.runs(), 4);
        assert_eq!(history.end(), 20);
        assert_eq!(history.at(9), None);
        assert_eq!(history.at(13), Some(record(1, 3)));
        assert_eq!(history.at(15), Some(record(2, 5)));
        assert_eq!(history.at(18), Some(Content::Nothing));
        assert_eq!(history.at(19), Some(record(1, 5)));
        assert_eq!(history.at(20), None);
        assert_eq!(history.find(1, 5), Some(19));
        assert_eq!(history.find(2, 4), None);
    }

    #[test]
    fn what_matches_is_counted_to_the_first_that_does_not() {
        let mut history = History::new(0);
        (0..5).for_each(|sequence| history.append(record(1, sequence)));
        (7..9).for_each(|sequence| history.append(record(1, sequence)));
        assert_eq!(history.matching(1, 4, record(1, 1)), 4);
        assert_eq!(history.matching(1, 6, record(1, 1)), 4);
        assert_eq!(history.matching(5, 6, record(1, 7)), 2);
        assert_eq!(history.matching(0, 1, record(2, 0)), 0);
        history.change(3, Content::Nothing);
        assert_eq!(history.matching(1, 4, record(1, 1)), 2);
        assert_eq!(history.find(1, 3), None);
        history.change(3, record(9, 9));
        assert_eq!(history.find(9, 9), Some(3));
    }
}
