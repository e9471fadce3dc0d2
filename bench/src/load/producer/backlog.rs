//! Records on their way into requests: for each partition one open batch, and closed ones behind it.
//!
//! Queues say which partitions have something to do, so that a round costs what is ready and not what there is: of ten
//! thousand partitions most are idle at any moment.

use std::collections::VecDeque;

use anyhow::Result;
use bytes::Bytes;
use thalweg_protocol::records::{BatchBuilder, Compression, increment_sequence};
use thalweg_protocol::{ProducerEpoch, ProducerId, TimestampMs};

use crate::load::records::Due;

/// A record in a batch: when it was due, and the bytes of its value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Noted {
    pub(super) due_ns: u64,
    pub(super) bytes: u32,
}

/// A closed batch.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) partition: usize,
    pub(super) bytes: Bytes,
    pub(super) records: Vec<Noted>,
    pub(super) value_bytes: usize,
    /// Rises with each batch of the producer: the order in which they are sent again.
    pub(super) number: u64,
}

struct Open {
    builder: BatchBuilder,
    records: Vec<Noted>,
    value_bytes: usize,
    number: u64,
}

/// Who an idempotent producer is to the brokers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Identity {
    pub(super) id: i64,
    pub(super) epoch: i16,
    pub(super) transactional: bool,
}

#[derive(Default)]
struct Partition {
    /// Over which it goes: its leader's.
    lane: usize,
    open: Option<Open>,
    /// The open batch has lingered long enough. It still takes records until there is room for a request: what would be gained
    /// by closing it before, when it cannot leave, would be many small batches.
    due: bool,
    closed: VecDeque<Batch>,
    /// Of the next batch, as long as the identity is this one.
    sequence: i32,
    identity: Option<Identity>,
    in_flight: usize,
    /// What is to be sent again, once nothing of the partition is under way any more: in the order it had.
    failed: Vec<Batch>,
    /// In the list of those that are ready.
    listed: bool,
}

/// All partitions of one producer.
pub(super) struct Backlog {
    partitions: Vec<Partition>,
    compression: Compression,
    batch_bytes: usize,
    linger_ns: u64,
    pub(super) identity: Option<Identity>,
    /// When open batches have lingered long enough, in order; a number that is not the open batch's is of one closed before.
    lingering: VecDeque<(u64, usize, u64)>,
    /// For each lane, the partitions with something to send.
    ready: Vec<VecDeque<usize>>,
    batches: u64,
    /// Of values of all records that are not acknowledged.
    pub(super) held_bytes: usize,
}

impl Backlog {
    pub(super) fn new(partitions: usize, compression: Compression, batch_bytes: usize, linger_ns: u64) -> Self {
        Self {
            partitions: (0..partitions).map(|_| Partition::default()).collect(),
            compression,
            batch_bytes,
            linger_ns,
            identity: None,
            lingering: VecDeque::new(),
            ready: Vec::new(),
            batches: 0,
            held_bytes: 0,
        }
    }

    /// Whether everything that was put in has been acknowledged or given up.
    pub(super) const fn is_empty(&self) -> bool {
        self.held_bytes == 0
    }

    pub(super) fn push(&mut self, now_ns: u64, at: TimestampMs, due: &Due<'_>) -> Result<()> {
        let Some(partition) = self.partitions.get_mut(due.partition) else { return Ok(()) };
        let compression = self.compression;
        let open = partition.open.get_or_insert_with(|| {
            self.batches += 1;
            self.lingering.push_back((now_ns + self.linger_ns, due.partition, self.batches));
            Open {
                builder: BatchBuilder::new().with_compression(compression),
                records: Vec::new(),
                value_bytes: 0,
                number: self.batches,
            }
        });
        open.builder.push(at, due.key, Some(due.value), &[])?;
        open.records.push(Noted { due_ns: due.due_ns, bytes: u32::try_from(due.value.len())? });
        open.value_bytes += due.value.len();
        self.held_bytes += due.value.len();
        if open.builder.size_bytes() >= self.batch_bytes {
            self.close(due.partition)?;
        }
        Ok(())
    }

    /// The batches that have lingered long enough are ready; with `all`, every one.
    pub(super) fn note_due(&mut self, now_ns: u64, all: bool) {
        while let Some((closes_ns, index, number)) = self.lingering.front().copied() {
            if self.is_open(index, number) {
                if closes_ns > now_ns && !all {
                    break;
                }
                if let Some(partition) = self.partitions.get_mut(index) {
                    partition.due = true;
                }
                self.list(index);
            }
            self.lingering.pop_front();
        }
        // A long linger beside batches that are full soon: what is behind the first would pile up.
        if self.lingering.len() > 2 * self.partitions.len() + 1024 {
            let mut lingering = std::mem::take(&mut self.lingering);
            lingering.retain(|(_, partition, number)| self.is_open(*partition, *number));
            self.lingering = lingering;
        }
    }

    /// When the next batch has lingered long enough.
    pub(super) fn next_due_ns(&self) -> Option<u64> {
        self.lingering.front().map(|(closes_ns, ..)| *closes_ns)
    }

    fn is_open(&self, partition: usize, number: u64) -> bool {
        let open = self.partitions.get(partition).and_then(|partition| partition.open.as_ref());
        open.is_some_and(|open| open.number == number)
    }

    fn close(&mut self, index: usize) -> Result<()> {
        let Some(partition) = self.partitions.get_mut(index) else { return Ok(()) };
        partition.due = false;
        let Some(Open { mut builder, records, value_bytes, number }) = partition.open.take() else { return Ok(()) };
        if let Some(identity) = self.identity {
            if partition.identity != Some(identity) {
                (partition.identity, partition.sequence) = (Some(identity), 0);
            }
            builder = builder.with_producer(ProducerId(identity.id), ProducerEpoch(identity.epoch), partition.sequence);
            partition.sequence = increment_sequence(partition.sequence, builder.records_count());
            if identity.transactional {
                builder = builder.transactional();
            }
        }
        let bytes = builder.build()?.freeze();
        partition.closed.push_back(Batch { partition: index, bytes, records, value_bytes, number });
        self.list(index);
        Ok(())
    }

    /// From now on the partition goes over this lane.
    pub(super) fn set_lane(&mut self, index: usize, lane: usize) {
        if self.ready.len() <= lane {
            self.ready.resize_with(lane + 1, VecDeque::new);
        }
        if let Some(partition) = self.partitions.get_mut(index) {
            partition.lane = lane;
        }
    }

    /// After leaders have changed: what is ready goes into the lists of the lanes it now has.
    pub(super) fn list_again(&mut self) {
        let listed: Vec<usize> = self.ready.iter_mut().flat_map(std::mem::take).collect();
        for index in listed {
            if let Some(partition) = self.partitions.get_mut(index) {
                partition.listed = false;
            }
            self.list(index);
        }
    }

    /// Puts a partition into its lane's list, if it has something to send.
    fn list(&mut self, index: usize) {
        let Some(partition) = self.partitions.get_mut(index) else { return };
        let has_some = partition.due || !partition.closed.is_empty();
        if partition.listed || !has_some || !partition.failed.is_empty() {
            return;
        }
        if let Some(ready) = self.ready.get_mut(partition.lane) {
            partition.listed = true;
            ready.push_back(index);
        }
    }

    pub(super) fn is_ready(&self, lane: usize) -> bool {
        self.ready.get(lane).is_some_and(|ready| !ready.is_empty())
    }

    /// The batches of one request: at most one of each partition, as many as fit, but at least one if one is ready.
    ///
    /// # Errors
    /// When a batch cannot be built.
    pub(super) fn gather(&mut self, lane: usize, bytes_max: usize) -> Result<Vec<Batch>> {
        let mut batches: Vec<Batch> = Vec::new();
        let mut bytes = 0;
        let listed = self.ready.get(lane).map_or(0, VecDeque::len);
        for _ in 0..listed {
            let Some(index) = self.ready.get(lane).and_then(|ready| ready.front().copied()) else { break };
            let Some(partition) = self.partitions.get(index) else { break };
            let may_be_sent = partition.lane == lane && partition.failed.is_empty();
            if may_be_sent && partition.due && partition.closed.is_empty() {
                self.close(index)?;
            }
            let Some(partition) = self.partitions.get_mut(index) else { break };
            let next = partition.closed.front().filter(|_| may_be_sent);
            bytes += next.map_or(0, |batch| batch.bytes.len());
            if bytes > bytes_max && !batches.is_empty() {
                break;
            }
            partition.listed = false;
            if may_be_sent && let Some(batch) = partition.closed.pop_front() {
                partition.in_flight += 1;
                batches.push(batch);
            }
            if let Some(ready) = self.ready.get_mut(lane) {
                ready.pop_front();
            }
            self.list(index); // behind the others, or in the list of its new leader
        }
        Ok(batches)
    }

    /// A batch is done with, one way or the other. Says whether what failed before it is to be sent again now.
    pub(super) fn done(&mut self, batch: &Batch) -> bool {
        self.held_bytes = self.held_bytes.saturating_sub(batch.value_bytes);
        self.landed(batch.partition)
    }

    /// A batch has to be sent again. Says whether it can be: nothing else of its partition is under way.
    pub(super) fn failed(&mut self, batch: Batch) -> bool {
        let index = batch.partition;
        if let Some(partition) = self.partitions.get_mut(index) {
            partition.failed.push(batch);
        }
        self.landed(index)
    }

    /// Whether an earlier batch of the partition waits to be sent again: later ones then fail because of it.
    pub(super) fn has_failed(&self, index: usize) -> bool {
        self.partitions.get(index).is_some_and(|partition| !partition.failed.is_empty())
    }

    fn landed(&mut self, index: usize) -> bool {
        let Some(partition) = self.partitions.get_mut(index) else { return false };
        partition.in_flight = partition.in_flight.saturating_sub(1);
        partition.in_flight == 0 && !partition.failed.is_empty()
    }

    /// Puts what failed in front of everything else, in the order it had.
    pub(super) fn send_again(&mut self, index: usize) {
        let Some(partition) = self.partitions.get_mut(index) else { return };
        partition.failed.sort_by_key(|batch| batch.number);
        for batch in std::mem::take(&mut partition.failed).into_iter().rev() {
            partition.closed.push_front(batch);
        }
        self.list(index);
    }

    /// Gives up what waits here, closed or not.
    pub(super) fn abandon(&mut self) -> Vec<Noted> {
        let mut left = Vec::new();
        for partition in &mut self.partitions {
            partition.due = false;
            left.extend(partition.open.take().into_iter().flat_map(|open| open.records));
            let batches = partition.closed.drain(..).chain(partition.failed.drain(..));
            left.extend(batches.flat_map(|batch| batch.records));
        }
        let bytes: u64 = left.iter().map(|noted| u64::from(noted.bytes)).sum();
        self.held_bytes = self.held_bytes.saturating_sub(usize::try_from(bytes).unwrap_or(usize::MAX));
        left
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use thalweg_protocol::records::BatchHeader;

    use super::*;

    fn backlog(partitions: usize, batch_bytes: usize, linger_ns: u64) -> Backlog {
        let mut backlog = Backlog::new(partitions, Compression::None, batch_bytes, linger_ns);
        (0..partitions).for_each(|index| backlog.set_lane(index, 0));
        backlog
    }

    fn push(backlog: &mut Backlog, partition: usize, now_ns: u64) {
        let due = Due { partition, due_ns: now_ns, key: None, value: &[7; 100] };
        backlog.push(now_ns, TimestampMs(0), &due).unwrap();
    }

    /// Partition, and when its records were due, of each batch.
    fn gather(backlog: &mut Backlog) -> Vec<(usize, Vec<u64>)> {
        let batches = backlog.gather(0, usize::MAX).unwrap();
        for batch in &batches {
            assert!(!backlog.done(batch));
        }
        batches
            .iter()
            .map(|batch| (batch.partition, batch.records.iter().map(|noted| noted.due_ns).collect()))
            .collect()
    }

    fn sequences(batches: &[Batch]) -> Vec<i32> {
        batches.iter().map(|batch| BatchHeader::parse(&batch.bytes).unwrap().base_sequence).collect()
    }

    #[test]
    fn a_batch_is_closed_when_it_is_full_or_has_lingered() {
        let mut backlog = backlog(3, 300, 5);
        for (now_ns, partition) in [(0, 1), (1, 1), (1, 2), (2, 1), (3, 1)] {
            push(&mut backlog, partition, now_ns);
        }
        assert_eq!(gather(&mut backlog), [(1, vec![0, 1, 2])], "three records fill it");
        backlog.note_due(5, false);
        assert_eq!((gather(&mut backlog), backlog.next_due_ns()), (vec![], Some(6)));
        backlog.note_due(6, false);
        assert_eq!((gather(&mut backlog), backlog.next_due_ns()), (vec![(2, vec![1])], Some(8)));
        assert!(!backlog.is_empty());
        backlog.note_due(6, true);
        assert_eq!((gather(&mut backlog), backlog.next_due_ns()), (vec![(1, vec![3])], None));
        assert!(backlog.is_empty() && !backlog.is_ready(0));
    }

    #[test]
    fn a_request_has_one_batch_of_each_partition_and_a_limit() {
        let mut backlog = backlog(3, 200, 0);
        for partition in [0, 0, 0, 0, 1, 1, 2, 2] {
            push(&mut backlog, partition, 0);
        }
        let partitions = |batches: &[Batch]| batches.iter().map(|batch| batch.partition).collect::<Vec<_>>();
        assert_eq!(partitions(&backlog.gather(0, 600).unwrap()), [0, 1], "a batch has less than 300 bytes");
        assert_eq!(partitions(&backlog.gather(0, 1).unwrap()), [2]);
        backlog.set_lane(0, 1);
        assert_eq!(partitions(&backlog.gather(0, 600).unwrap()), [] as [usize; 0], "it has another leader now");
        assert!(backlog.is_ready(1) && !backlog.is_ready(0));
        assert_eq!(partitions(&backlog.gather(1, 600).unwrap()), [0]);
    }

    #[test]
    fn the_list_of_what_lingers_is_bounded_by_the_partitions() {
        let mut backlog = backlog(2, 200, 1_000_000);
        push(&mut backlog, 0, 0);
        for now_ns in 0..20_000 {
            [1, 1].iter().for_each(|partition| push(&mut backlog, *partition, now_ns));
            backlog.note_due(now_ns, false);
            gather(&mut backlog);
        }
        assert!(backlog.lingering.len() < 2000, "{}", backlog.lingering.len());
        assert_eq!(backlog.next_due_ns(), Some(1_000_000));
    }

    #[test]
    fn what_fails_is_sent_again_in_order_and_nothing_passes_it() {
        let mut backlog = backlog(1, 200, 0);
        backlog.identity = Some(Identity { id: 9, epoch: 1, transactional: false });
        (0..8).for_each(|now_ns| push(&mut backlog, 0, now_ns));
        let mut sent: Vec<Batch> = (0..3).flat_map(|_| backlog.gather(0, usize::MAX).unwrap()).collect();
        assert_eq!(sequences(&sent), [0, 2, 4]);
        assert!(!backlog.done(&sent.remove(0)));
        assert!(!backlog.failed(sent.remove(0)), "the third is still under way");
        assert_eq!(backlog.gather(0, usize::MAX).unwrap().len(), 0, "the fourth does not pass the second");
        assert!(backlog.has_failed(0) && backlog.failed(sent.remove(0)));
        backlog.send_again(0);
        let again: Vec<Batch> = (0..4).flat_map(|_| backlog.gather(0, usize::MAX).unwrap()).collect();
        assert_eq!(sequences(&again), [2, 4, 6]);
    }

    #[test]
    fn a_new_epoch_counts_from_nought() {
        let mut backlog = backlog(1, 200, 0);
        let mut seen = Vec::new();
        for epoch in [1, 1, 2] {
            backlog.identity = Some(Identity { id: 9, epoch, transactional: true });
            push(&mut backlog, 0, 0);
            push(&mut backlog, 0, 0);
            let batches = backlog.gather(0, usize::MAX).unwrap();
            let header = BatchHeader::parse(&batches[0].bytes).unwrap();
            assert!(header.attributes.is_transactional());
            seen.push((header.producer_epoch.0, header.base_sequence));
        }
        assert_eq!(seen, [(1, 0), (1, 2), (2, 0)]);
    }

    #[test]
    fn what_is_abandoned_is_all_that_was_not_sent() {
        let mut backlog = backlog(2, 200, 10);
        [0, 0, 0, 1].iter().for_each(|partition| push(&mut backlog, *partition, 7));
        let sent = backlog.gather(0, usize::MAX).unwrap();
        assert_eq!(backlog.abandon(), [Noted { due_ns: 7, bytes: 100 }; 2]);
        assert!(!backlog.is_empty());
        backlog.done(&sent[0]);
        assert!(backlog.is_empty());
    }
}
