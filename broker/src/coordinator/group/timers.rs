//! The timers of one shard: one deadline per key, the earliest first.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use thalweg_protocol::{StrBytes, TimestampMs};

/// What a deadline of a group is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum GroupTimer {
    /// The time to (re)join is over.
    Join,
    /// The time to fetch the new assignment is over.
    Sync,
    /// A member was not heard of for its session timeout.
    Session(StrBytes),
    /// The time for a member of a consumer group to give up partitions is over.
    Revocation(StrBytes),
    /// The time for a member of the classic protocol in a consumer group to join again is over.
    MemberJoin(StrBytes),
    /// The time for such a member to ask for its assignment is over.
    MemberSync(StrBytes),
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct TimerKey {
    pub(super) group: StrBytes,
    pub(super) timer: GroupTimer,
}

#[derive(Debug, Default)]
pub(super) struct Timers {
    queue: BTreeSet<(TimestampMs, TimerKey)>,
    deadlines: IndexMap<TimerKey, TimestampMs>,
}

impl Timers {
    /// Sets the deadline of `key`; an earlier one of the same key is replaced.
    pub(super) fn schedule(&mut self, key: TimerKey, at: TimestampMs) {
        if let Some(previous) = self.deadlines.insert(key.clone(), at) {
            self.queue.remove(&(previous, key.clone()));
        }
        self.queue.insert((at, key));
        debug_assert_eq!(self.queue.len(), self.deadlines.len());
    }

    /// The same, but an earlier deadline of the same key stands.
    pub(super) fn schedule_unless(&mut self, key: TimerKey, at: TimestampMs) {
        if !self.deadlines.contains_key(&key) {
            self.schedule(key, at);
        }
    }

    pub(super) fn cancel(&mut self, key: &TimerKey) {
        if let Some(at) = self.deadlines.swap_remove(key) {
            self.queue.remove(&(at, key.clone()));
        }
    }

    #[cfg(test)]
    pub(super) fn is_set(&self, key: &TimerKey) -> bool {
        self.deadlines.contains_key(key)
    }

    pub(super) fn next(&self) -> Option<TimestampMs> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Takes the earliest timer whose deadline has come.
    pub(super) fn pop_due(&mut self, now: TimestampMs) -> Option<TimerKey> {
        if self.next()? > now {
            return None;
        }
        let (_, key) = self.queue.pop_first()?;
        self.deadlines.swap_remove(&key);
        Some(key)
    }

    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.deadlines.clear();
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn key(group: &'static str) -> TimerKey {
        TimerKey { group: StrBytes::from_static_str(group), timer: GroupTimer::Join }
    }

    #[test]
    fn one_deadline_per_key() {
        let mut timers = Timers::default();
        timers.schedule(key("a"), TimestampMs(10));
        timers.schedule(key("b"), TimestampMs(20));
        timers.schedule(key("a"), TimestampMs(30));
        assert_eq!(timers.next(), Some(TimestampMs(20)));
        assert_eq!(timers.pop_due(TimestampMs(19)), None);
        assert_eq!(timers.pop_due(TimestampMs(40)).unwrap(), key("b"));
        timers.cancel(&key("a"));
        assert_eq!(timers.next(), None);
    }
}
