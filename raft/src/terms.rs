//! Which term every index of a log has, without its entries: where each term begins.

/// `(index, term)`: from `index` on, up to the next run, entries have `term`. The first run begins at the index before
/// the first entry, whose term Raft still asks for.
#[derive(Debug)]
pub(crate) struct TermRuns {
    runs: Vec<(u64, u64)>,
}

impl TermRuns {
    pub(crate) fn new(compacted: u64, term: u64) -> Self {
        Self { runs: vec![(compacted, term)] }
    }

    /// The term at `index`, which must not lie before the first run.
    pub(crate) fn at(&self, index: u64) -> Option<u64> {
        let behind = self.runs.partition_point(|(first, _)| *first <= index);
        self.runs.get(behind.checked_sub(1)?).map(|(_, term)| *term)
    }

    pub(crate) fn push(&mut self, index: u64, term: u64) {
        let last = self.runs.last().map_or(0, |(_, term)| *term);
        assert!(term >= last, "term {term} at index {index} follows term {last}");
        if term > last {
            self.runs.push((index, term));
        }
    }

    /// Forgets `from` and all behind it.
    pub(crate) fn truncate(&mut self, from: u64) {
        let keep = self.runs.partition_point(|(first, _)| *first < from);
        assert!(keep > 0, "the term before the first entry is never cut off");
        self.runs.truncate(keep);
    }

    /// Forgets all before `compacted`, whose own term stays known.
    pub(crate) fn compact(&mut self, compacted: u64) {
        let behind = self.runs.partition_point(|(first, _)| *first <= compacted);
        self.runs.drain(..behind.saturating_sub(1));
        if let Some(first) = self.runs.first_mut() {
            first.0 = first.0.max(compacted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_found_cut_and_compacted() {
        let mut runs = TermRuns::new(4, 2);
        for (index, term) in [(5, 2), (6, 3), (7, 3), (8, 5), (9, 5)] {
            runs.push(index, term);
        }
        let all = |runs: &TermRuns| (3..11).map(|index| runs.at(index)).collect::<Vec<_>>();
        let some = |terms: [u64; 7]| std::iter::once(None).chain(terms.into_iter().map(Some)).collect::<Vec<_>>();
        assert_eq!(all(&runs), some([2, 2, 3, 3, 5, 5, 5]));
        runs.truncate(7);
        assert_eq!((runs.at(6), runs.at(8)), (Some(3), Some(3)));
        runs.push(7, 6);
        runs.compact(6);
        assert_eq!((runs.at(5), runs.at(6), runs.at(7)), (None, Some(3), Some(6)));
    }
}
