//! What a producer has for one partition: batches that are not acknowledged yet, in their order.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    /// Sequence of its first record.
    pub(crate) first: u64,
    pub(crate) count: u64,
    pub(crate) bytes: Bytes,
    /// On its way, and not answered yet.
    sent: bool,
}

#[derive(Default, Debug)]
pub(crate) struct Queue {
    waiting: VecDeque<Waiting>,
    /// Sequence of the next record that is made.
    next: u64,
    /// Since when nothing could be written to the partition.
    down_since: Option<Duration>,
}

impl Queue {
    pub(crate) const fn next_sequence(&self) -> u64 {
        self.next
    }

    pub(crate) fn push(&mut self, count: u64, bytes: Bytes) {
        self.waiting.push_back(Waiting { first: self.next, count, bytes, sent: false });
        self.next += count;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether everything is under way, so that a new batch could follow.
    pub(crate) fn all_sent(&self) -> bool {
        self.waiting.iter().all(|batch| batch.sent)
    }

    /// The next batch to send, which is under way from now on. One that failed waits until those behind it are answered,
    /// so that what is sent again is sent in order.
    pub(crate) fn take(&mut self) -> Option<Waiting> {
        let index = self.waiting.iter().position(|batch| !batch.sent)?;
        if self.waiting.iter().skip(index).any(|batch| batch.sent) {
            return None;
        }
        let batch = self.waiting.get_mut(index)?;
        batch.sent = true;
        Some(batch.clone())
    }

    /// Takes an acknowledged batch out; gives it, and since when the partition had been down.
    pub(crate) fn acknowledge(&mut self, first: u64) -> Option<(Waiting, Option<Duration>)> {
        let index = self.waiting.iter().position(|batch| batch.first == first)?;
        let batch = self.waiting.remove(index)?;
        Some((batch, self.down_since.take()))
    }

    /// A batch must be sent again.
    pub(crate) fn fail(&mut self, first: u64, now: Duration) {
        if let Some(batch) = self.waiting.iter_mut().find(|batch| batch.first == first) {
            batch.sent = false;
            self.down_since.get_or_insert(now);
        }
    }

    /// Everything must be sent again: the connection is gone, or there is none.
    pub(crate) fn fail_all(&mut self, now: Duration) {
        self.waiting.iter_mut().for_each(|batch| batch.sent = false);
        if !self.waiting.is_empty() {
            self.down_since.get_or_insert(now);
        }
    }

    /// Whether all before this batch is acknowledged.
    pub(crate) fn is_head(&self, first: u64) -> bool {
        self.waiting.front().is_some_and(|batch| batch.first == first)
    }

    pub(crate) const fn down_since(&self) -> Option<Duration> {
        self.down_since
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn queue() -> Queue {
        let mut queue = Queue::default();
        [10, 5, 5].into_iter().for_each(|count| queue.push(count, Bytes::new()));
        queue
    }

    fn taken(queue: &mut Queue) -> Vec<u64> {
        std::iter::from_fn(|| queue.take()).map(|batch| batch.first).collect()
    }

    #[test]
    fn batches_go_out_in_order_and_once() {
        let mut queue = queue();
        assert_eq!(queue.next_sequence(), 20);
        assert_eq!(taken(&mut queue), [0, 10, 15]);
        assert!(queue.all_sent());
        assert!(queue.is_head(0) && !queue.is_head(10));
        assert_eq!(queue.acknowledge(0).unwrap().0.count, 10);
        assert!(queue.is_head(10));
        assert!(queue.acknowledge(0).is_none());
    }

    #[test]
    fn what_failed_waits_for_what_is_behind_it() {
        let mut queue = queue();
        taken(&mut queue);
        queue.fail(0, Duration::from_secs(1));
        queue.fail(10, Duration::from_secs(2));
        assert_eq!(taken(&mut queue), [0; 0]);
        let (_, down_since) = queue.acknowledge(15).unwrap();
        assert_eq!(down_since, Some(Duration::from_secs(1)));
        assert_eq!(taken(&mut queue), [0, 10]);
    }

    #[test]
    fn a_lost_connection_sends_everything_again() {
        let mut queue = queue();
        taken(&mut queue);
        queue.fail_all(Duration::from_secs(3));
        assert_eq!(queue.down_since(), Some(Duration::from_secs(3)));
        assert_eq!(taken(&mut queue), [0, 10, 15]);
    }
}
