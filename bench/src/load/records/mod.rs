//! What a producer sends, record by record: when, what, and where to.

mod keys;
mod payload;
mod random;
mod schedule;
mod sizes;
mod zipf;

use std::sync::Arc;

use self::keys::{KeySource, partition_for_key};
pub(crate) use self::payload::Payload;
pub(crate) use self::random::Random;
use self::schedule::Schedule;
use self::sizes::Sizes;
use super::moment;
use super::scenario::Spread;
use super::shared::Shared;

/// One producer's share of the run's records: of `producers`, each takes every so-manieth.
pub(crate) struct Records {
    shared: Arc<Shared>,
    /// Without it as many as there is room for.
    schedule: Option<Schedule>,
    index: u64,
    producers: u64,
    taken: u64,
    next_due_ns: Option<u64>,
    random: Random,
    sizes: Sizes,
    keys: KeySource,
    payload: Payload,
    spread: Spread,
    batch_bytes: usize,
    /// Where each topic's partitions begin in the list of all, and how many it has.
    topics: Vec<(usize, usize)>,
    partitions: usize,
    /// Where the next record goes that has no key, and how many bytes of records went there.
    partition: usize,
    sticky_bytes: usize,
}

/// A record that is due.
pub(crate) struct Due<'a> {
    pub(crate) partition: usize,
    pub(crate) due_ns: u64,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: &'a [u8],
}

impl Records {
    /// `topics` are the numbers of partitions of each.
    pub(crate) fn new(shared: &Arc<Shared>, index: u32, topics: &[usize]) -> Option<Self> {
        let produce = shared.scenario.produce.as_ref()?;
        let mut partitions = 0;
        let topics = topics.iter().map(|count| {
            partitions += count;
            (partitions - count, *count)
        });
        let topics: Vec<_> = topics.collect();
        let sizes = Sizes::new(&produce.sizes);
        let seed = u64::from(index) + 1;
        let mut records = Self {
            shared: Arc::clone(shared),
            schedule: Schedule::new(&shared.plan, shared.scenario.ramp_s * super::plan::SECOND_NS),
            index: u64::from(index),
            producers: u64::from(produce.producers),
            taken: 0,
            next_due_ns: None,
            random: Random::new(seed << 32),
            payload: Payload::new(sizes.largest(), produce.compressible, seed),
            sizes,
            keys: KeySource::new(produce),
            spread: produce.spread.unwrap_or(Spread::Batch),
            batch_bytes: produce.batch_bytes as usize,
            topics,
            partitions,
            partition: index as usize % partitions.max(1),
            sticky_bytes: 0,
        };
        records.look_ahead();
        Some(records)
    }

    pub(crate) const fn is_open_loop(&self) -> bool {
        self.schedule.is_some()
    }

    /// When the next record is due: in a closed loop at once, and `None` behind the last.
    pub(crate) fn next_due_ns(&self) -> Option<u64> {
        if self.is_open_loop() { self.next_due_ns } else { Some(0) }
    }

    /// Passes over the next record of the schedule; answers with when it was due.
    pub(crate) fn skip(&mut self) -> Option<u64> {
        let due_ns = self.next_due_ns?;
        self.taken += 1;
        self.look_ahead();
        Some(due_ns)
    }

    /// The next record, if it is due.
    pub(crate) fn take(&mut self, now_ns: u64) -> Option<Due<'_>> {
        let due_ns =
            if self.schedule.is_some() { self.next_due_ns.filter(|due_ns| *due_ns <= now_ns)? } else { now_ns };
        let number = self.number();
        self.taken += 1;
        self.look_ahead();
        let size = self.sizes.next(&mut self.random);
        let key = self.keys.next(number, &mut self.random);
        let partition = match (self.spread, key) {
            (Spread::Key, Some(key)) => {
                // Topics in turn; within one, each key has its partition.
                let topic = usize::try_from(self.taken).unwrap_or(0) % self.topics.len().max(1);
                let (first, count) = self.topics.get(topic).copied().unwrap_or((0, 1));
                first + partition_for_key(key, count)
            }
            (Spread::Record, _) => {
                let next = (self.partition + 1) % self.partitions.max(1);
                std::mem::replace(&mut self.partition, next)
            }
            (Spread::Batch | Spread::Key, _) => {
                // As KIP-794 has it: on to the next when a batch's bytes went to this one, in however many batches.
                let partition = self.partition;
                self.sticky_bytes += size;
                if self.sticky_bytes >= self.batch_bytes {
                    (self.partition, self.sticky_bytes) = ((partition + 1) % self.partitions.max(1), 0);
                }
                partition
            }
        };
        let head = moment::stamp(self.shared.run_id, self.shared.unix_ns(due_ns));
        Some(Due { partition, due_ns, key, value: self.payload.next(size, &head) })
    }

    const fn number(&self) -> u64 {
        self.taken * self.producers + self.index
    }

    fn look_ahead(&mut self) {
        let number = self.number();
        self.next_due_ns = self.schedule.as_mut().and_then(|schedule| schedule.due_ns(number));
    }
}
