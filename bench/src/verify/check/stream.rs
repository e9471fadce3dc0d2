//! One producer's records in one partition: which were sent, which were seen, and how often.

use std::collections::BTreeMap;

/// How a record that is seen for the first time at its offset stands to those seen before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Seen {
    /// Behind all others.
    Next,
    /// In front of it there is a later one.
    Late { behind: u64 },
    /// There already; this is copy number `copies`.
    Again { copies: u32 },
    /// It was never sent.
    Unsent,
}

#[derive(Default, Debug)]
pub(crate) struct Stream {
    /// All sequences below were sent.
    sent: u64,
    /// Batches that were sent again: first sequence to count and how often they were sent in all.
    resent: BTreeMap<u64, (u64, u32)>,
    /// The sequence behind the highest that was seen.
    next: u64,
    /// Sequences below `next` that were not seen, as first to end.
    missing: BTreeMap<u64, u64>,
    /// How often those that were seen more than once were seen.
    copies: BTreeMap<u64, u32>,
}

impl Stream {
    /// A batch goes out, for the first time or again.
    pub(crate) fn send(&mut self, first: u64, count: u64) {
        if first >= self.sent {
            self.sent = first + count;
        } else {
            self.resent.entry(first).or_insert((count, 1)).1 += 1;
        }
    }

    pub(crate) fn see(&mut self, sequence: u64) -> Seen {
        if sequence >= self.sent {
            return Seen::Unsent;
        }
        if sequence >= self.next {
            if sequence > self.next {
                self.missing.insert(self.next, sequence);
            }
            self.next = sequence + 1;
            return Seen::Next;
        }
        if self.take_missing(sequence) {
            return Seen::Late { behind: self.next - 1 };
        }
        let copies = self.copies.entry(sequence).or_insert(1);
        *copies += 1;
        Seen::Again { copies: *copies }
    }

    /// How often a record was sent.
    pub(crate) fn sends(&self, sequence: u64) -> u32 {
        let before = self.resent.range(..=sequence).next_back();
        before.filter(|(first, (count, _))| sequence - **first < *count).map_or(1, |(_, (_, times))| *times)
    }

    /// Whether a reader ever saw it.
    pub(crate) fn was_seen(&self, sequence: u64) -> bool {
        sequence < self.next && self.hole(sequence).is_none()
    }

    fn hole(&self, sequence: u64) -> Option<(u64, u64)> {
        let (first, end) = self.missing.range(..=sequence).next_back()?;
        (sequence < *end).then_some((*first, *end))
    }

    fn take_missing(&mut self, sequence: u64) -> bool {
        let Some((first, end)) = self.hole(sequence) else { return false };
        self.missing.remove(&first);
        if first < sequence {
            self.missing.insert(first, sequence);
        }
        if sequence + 1 < end {
            self.missing.insert(sequence + 1, end);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_come_is_told_apart() {
        let mut stream = Stream::default();
        stream.send(0, 10);
        assert_eq!(stream.see(0), Seen::Next);
        assert_eq!(stream.see(5), Seen::Next);
        assert_eq!(stream.see(3), Seen::Late { behind: 5 });
        assert_eq!(stream.see(3), Seen::Again { copies: 2 });
        assert_eq!(stream.see(0), Seen::Again { copies: 2 });
        assert_eq!(stream.see(0), Seen::Again { copies: 3 });
        assert_eq!(stream.see(10), Seen::Unsent);
        let seen: Vec<u64> = (0..8).filter(|sequence| stream.was_seen(*sequence)).collect();
        assert_eq!(seen, [0, 3, 5]);
    }

    #[test]
    fn sends_are_counted_by_batch() {
        let mut stream = Stream::default();
        stream.send(0, 10);
        stream.send(10, 5);
        stream.send(0, 10);
        stream.send(10, 5);
        stream.send(10, 5);
        stream.send(15, 5);
        assert_eq!([0, 9, 10, 14, 15, 19].map(|sequence| stream.sends(sequence)), [2, 2, 3, 3, 1, 1]);
    }
}
