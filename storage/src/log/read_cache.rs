//! Pieces of segments that were read from the disk, for whoever reads on and for whoever reads the same again.
//!
//! Direct I/O leaves the host's page cache empty: what consumers read twice is read from the device twice, unless it is
//! kept here.

use std::cell::RefCell;
use std::collections::BTreeMap;

use bytes::Bytes;
use thalweg_protocol::KafkaOffset;

use crate::types::GroupId;

/// A piece of one segment that begins with a whole batch.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub(crate) group: GroupId,
    pub(crate) segment: KafkaOffset,
    /// Of the first byte, in the segment.
    pub(crate) position: u64,
    pub(crate) bytes: Bytes,
    /// Every batch with an offset from here on, before `up_to`, is in it.
    pub(crate) from: KafkaOffset,
    pub(crate) up_to: KafkaOffset,
    /// Where in the segment the batch with offset `up_to` begins: a reader who comes for it is reading on.
    pub(crate) next_position: u64,
}

impl Window {
    fn key(&self) -> Key {
        (self.group, self.from)
    }
}

/// The windows of one core, within a budget: the one used longest ago goes first.
pub(crate) struct ReadCache {
    budget_bytes: usize,
    held: RefCell<Held>,
}

type Key = (GroupId, KafkaOffset);

#[derive(Default)]
struct Held {
    /// By their first offset, each with when it was used last.
    windows: BTreeMap<Key, (Window, Use)>,
    by_use: BTreeMap<Use, Key>,
    last_use: Use,
    total_bytes: usize,
}

/// Counts uses of any window.
type Use = u64;

impl ReadCache {
    pub(super) fn new(budget_bytes: usize) -> Self {
        Self { budget_bytes, held: RefCell::default() }
    }

    pub(super) fn covering(&self, group: GroupId, offset: KafkaOffset) -> Option<Window> {
        self.held.borrow_mut().last_from(group, offset, |window| offset < window.up_to)
    }

    /// The window that ends where a reader goes on.
    pub(super) fn ending_at(&self, group: GroupId, offset: KafkaOffset) -> Option<Window> {
        self.held.borrow_mut().last_from(group, offset, |window| window.up_to == offset)
    }

    pub(super) fn put(&self, window: Window) {
        let mut held = self.held.borrow_mut();
        held.remove(window.key());
        held.insert(window);
        while held.total_bytes > self.budget_bytes && held.windows.len() > 1 {
            let Some((_, oldest)) = held.by_use.pop_first() else { break };
            held.remove(oldest);
        }
    }

    #[cfg(test)]
    pub(crate) fn total_bytes(&self) -> usize {
        let held = self.held.borrow();
        assert_eq!(held.windows.len(), held.by_use.len());
        assert_eq!(held.total_bytes, held.windows.values().map(|(window, _)| window.bytes.len()).sum::<usize>());
        held.total_bytes
    }

    pub(crate) fn forget(&self, group: GroupId, gone: impl Fn(KafkaOffset) -> bool) {
        let mut held = self.held.borrow_mut();
        let of_group = held.windows.range((group, KafkaOffset(i64::MIN))..=(group, KafkaOffset(i64::MAX)));
        let of_segments = of_group.filter(|(_, (window, _))| gone(window.segment));
        let gone: Vec<Key> = of_segments.map(|(key, _)| *key).collect();
        for key in gone {
            held.remove(key);
        }
    }
}

impl Held {
    /// The last window of the group that begins at or before `offset`, if it is what is wanted: used now.
    fn last_from(&mut self, group: GroupId, offset: KafkaOffset, wanted: impl Fn(&Window) -> bool) -> Option<Window> {
        let before = self.windows.range_mut((group, KafkaOffset(i64::MIN))..=(group, offset));
        // A reader who goes on may find a window that begins where he is, empty of what he wants: the one before counts.
        let (key, (window, used)) = before.rev().take(2).find(|(_, (window, _))| wanted(window))?;
        self.by_use.remove(used);
        self.last_use += 1;
        *used = self.last_use;
        self.by_use.insert(self.last_use, *key);
        Some(window.clone())
    }

    fn insert(&mut self, window: Window) {
        self.last_use += 1;
        self.total_bytes += window.bytes.len();
        self.by_use.insert(self.last_use, window.key());
        self.windows.insert(window.key(), (window, self.last_use));
    }

    fn remove(&mut self, key: Key) {
        if let Some((window, used)) = self.windows.remove(&key) {
            self.by_use.remove(&used);
            self.total_bytes -= window.bytes.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(group: u64, from: i64, up_to: i64, size: usize) -> Window {
        let bytes = Bytes::from(vec![0; size]);
        let (from, up_to) = (KafkaOffset(from), KafkaOffset(up_to));
        let segment = KafkaOffset(from.0 / 100 * 100);
        Window { group: GroupId(group), segment, position: 0, bytes, from, up_to, next_position: 0 }
    }

    fn covers(cache: &ReadCache, group: u64, offset: i64) -> Option<i64> {
        cache.covering(GroupId(group), KafkaOffset(offset)).map(|window| window.from.0)
    }

    #[test]
    fn an_offset_is_found_in_its_groups_window_only() {
        let cache = ReadCache::new(1000);
        for (group, from) in [(1, 0), (1, 10), (1, 30), (2, 20)] {
            cache.put(window(group, from, from + 10, 10));
        }
        assert_eq!(covers(&cache, 1, 9), Some(0));
        assert_eq!(covers(&cache, 1, 10), Some(10));
        assert_eq!(covers(&cache, 1, 20), None, "of another group");
        assert_eq!(covers(&cache, 1, 39), Some(30));
        assert_eq!(covers(&cache, 1, 40), None);
        let ending = |group, offset| cache.ending_at(GroupId(group), KafkaOffset(offset)).map(|window| window.from.0);
        assert_eq!((ending(1, 20), ending(1, 30), ending(2, 30)), (Some(10), None, Some(20)));
        assert_eq!(ending(1, 10), Some(0), "although a window begins there");
    }

    #[test]
    fn what_was_used_longest_ago_makes_room() {
        let cache = ReadCache::new(30);
        for from in [0, 10, 20] {
            cache.put(window(1, from, from + 10, 10));
        }
        assert_eq!(covers(&cache, 1, 0), Some(0));
        cache.put(window(1, 30, 40, 10));
        assert_eq!([0, 10, 20, 30].map(|offset| covers(&cache, 1, offset).is_some()), [true, false, true, true]);
        cache.put(window(1, 20, 25, 5));
        assert_eq!(
            (cache.total_bytes(), covers(&cache, 1, 25)),
            (25, None),
            "it replaced the one with the same beginning"
        );
        cache.put(window(1, 50, 60, 1000));
        assert_eq!((cache.total_bytes(), covers(&cache, 1, 55)), (1000, Some(50)), "alone, however large");
        cache.put(window(1, 60, 70, 1));
        assert_eq!(cache.total_bytes(), 1);
    }

    #[test]
    fn windows_of_segments_that_are_gone_are_forgotten() {
        let cache = ReadCache::new(1000);
        for (group, from) in [(1, 0), (1, 90), (1, 100), (2, 0)] {
            cache.put(window(group, from, from + 10, 10));
        }
        cache.forget(GroupId(1), |segment| segment == KafkaOffset(0));
        assert_eq!(
            [(1, 0), (1, 90), (1, 100), (2, 0)].map(|(group, at)| covers(&cache, group, at).is_some()),
            [false, false, true, true]
        );
        assert_eq!(cache.total_bytes(), 20);
    }
}
