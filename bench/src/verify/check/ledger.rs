//! What was acknowledged in a partition: which records stand from which offset on.

use std::collections::BTreeMap;

/// Records behind each other at offsets behind each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Promise {
    pub(crate) producer: u32,
    pub(crate) first: u64,
    pub(crate) count: u64,
}

impl Promise {
    fn end(&self, base: i64) -> i64 {
        base.saturating_add_unsigned(self.count)
    }
}

#[derive(Default, Debug)]
pub(crate) struct Ledger {
    /// By base offset; none reaches into the next.
    promises: BTreeMap<i64, Promise>,
    /// Made for offsets that were promised to others before. They are promises all the same.
    contested: Vec<(i64, Promise)>,
    /// Acknowledged without an offset: a broker that knows a batch again may not know any more where it is.
    floating: Vec<Promise>,
    /// The offset behind the last one that was acknowledged.
    end: i64,
}

impl Ledger {
    /// Notes a promise; gives back one that was made for the same offsets to another, and its offset.
    pub(crate) fn enter(&mut self, base: i64, promise: Promise) -> Option<(i64, Promise)> {
        let end = promise.end(base);
        self.end = self.end.max(end);
        let last_below = self.promises.range_mut(..end).next_back();
        if let Some((before, made)) = last_below {
            let made_end = made.end(*before);
            if made_end > base {
                self.contested.push((base, promise));
                return Some((*before, *made));
            }
            if made_end == base && made.producer == promise.producer && made.first + made.count == promise.first {
                made.count += promise.count;
                return None;
            }
        }
        self.promises.insert(base, promise);
        None
    }

    pub(crate) fn enter_floating(&mut self, promise: Promise) {
        self.floating.push(promise);
    }

    pub(crate) const fn end(&self) -> i64 {
        self.end
    }

    pub(crate) fn entries(&self) -> usize {
        self.promises.len() + self.contested.len() + self.floating.len()
    }

    pub(crate) fn promises(&self) -> impl Iterator<Item = (i64, Promise)> {
        self.promises.iter().map(|(base, promise)| (*base, *promise)).chain(self.contested.iter().copied())
    }

    /// The promise with the highest base offset that is not above `offset`.
    pub(crate) fn below(&self, offset: i64) -> Option<(i64, Promise)> {
        self.promises.range(..=offset).next_back().map(|(base, promise)| (*base, *promise))
    }

    pub(crate) fn floating(&self) -> &[Promise] {
        &self.floating
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn promise(producer: u32, first: u64, count: u64) -> Promise {
        Promise { producer, first, count }
    }

    #[test]
    fn promises_that_follow_each_other_are_one() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.enter(0, promise(1, 0, 10)), None);
        assert_eq!(ledger.enter(10, promise(1, 10, 10)), None);
        assert_eq!(ledger.enter(25, promise(1, 20, 5)), None);
        assert_eq!(ledger.enter(20, promise(2, 20, 5)), None);
        assert_eq!(ledger.entries(), 3);
        assert_eq!(ledger.end(), 30);
        let all: Vec<_> = ledger.promises().collect();
        assert_eq!(all, [(0, promise(1, 0, 20)), (20, promise(2, 20, 5)), (25, promise(1, 20, 5))]);
    }

    #[test]
    fn an_offset_is_promised_once() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.enter(10, promise(1, 0, 10)), None);
        for (base, count) in [(10, 10), (5, 6), (19, 1), (12, 2), (0, 100)] {
            assert_eq!(ledger.enter(base, promise(2, 0, count)), Some((10, promise(1, 0, 10))), "{base}");
        }
        assert_eq!(ledger.enter(5, promise(2, 0, 5)), None);
        assert_eq!(ledger.enter(20, promise(2, 5, 5)), None);
    }
}
