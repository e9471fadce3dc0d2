//! Producers that want to begin a transaction here, while their coordinator is asked whether the partition is in it
//! (KIP-890; Kafka's `VerificationStateEntry`).
//!
//! A guard names one such wait: an answer counts only for the batch it was asked for, and no longer once a marker was
//! written. Otherwise an answer of before an abort could let a batch into a transaction that nobody knows of.

use std::collections::{BTreeMap, HashMap};

use thalweg_protocol::{ProducerEpoch, ProducerId};
use thalweg_storage::log::producers::Claim;

/// Producers that wait on one partition; whoever has waited longest is forgotten first, and has to ask again.
const WAITING_MAX: usize = 10_000;

/// Names a wait; none is given twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Guard(u64);

#[derive(Clone, Copy, Debug)]
struct Waiting {
    guard: Guard,
    epoch: ProducerEpoch,
    lowest_sequence: i32,
    epoch_per_transaction: bool,
}

/// What a batch of a transaction says of its producer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Beginning {
    pub producer: ProducerId,
    pub epoch: ProducerEpoch,
    pub sequence: i32,
    /// Its client speaks transactions V2.
    pub epoch_per_transaction: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Verifications {
    waiting: HashMap<ProducerId, Waiting>,
    /// The oldest first.
    order: BTreeMap<Guard, ProducerId>,
    next: u64,
}

impl Verifications {
    /// A batch needs the coordinator's word; if others of its producer do already, they share the guard.
    pub(super) fn begin(&mut self, beginning: Beginning) -> Guard {
        let Beginning { producer, epoch, sequence, epoch_per_transaction } = beginning;
        if let Some(waiting) = self.waiting.get_mut(&producer) {
            if epoch > waiting.epoch {
                (waiting.epoch, waiting.lowest_sequence) = (epoch, sequence);
            } else if epoch == waiting.epoch {
                waiting.lowest_sequence = waiting.lowest_sequence.min(sequence);
            }
            return waiting.guard;
        }
        if self.waiting.len() >= WAITING_MAX
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.waiting.remove(&oldest);
        }
        let guard = Guard(self.next);
        self.next += 1;
        self.order.insert(guard, producer);
        self.waiting.insert(producer, Waiting { guard, epoch, lowest_sequence: sequence, epoch_per_transaction });
        guard
    }

    /// What is known of a producer whose batch came with this guard.
    pub(super) fn claim(&self, producer: ProducerId, guard: Option<Guard>) -> Claim {
        let Some(waiting) = self.waiting.get(&producer) else { return Claim { verified: false, ..Claim::UNASKED } };
        Claim {
            verified: guard == Some(waiting.guard),
            lowest_sequence: Some(waiting.lowest_sequence),
            epoch_per_transaction: waiting.epoch_per_transaction,
        }
    }

    /// The transaction is open here now, or has ended: what was asked before counts no longer.
    pub(super) fn end(&mut self, producer: ProducerId) {
        if let Some(waiting) = self.waiting.remove(&producer) {
            self.order.remove(&waiting.guard);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beginning(producer: i64, epoch: i16, sequence: i32) -> Beginning {
        let (producer, epoch) = (ProducerId(producer), ProducerEpoch(epoch));
        Beginning { producer, epoch, sequence, epoch_per_transaction: false }
    }

    #[test]
    fn an_answer_of_before_a_marker_does_not_count() {
        let mut verifications = Verifications::default();
        let guard = verifications.begin(beginning(1, 0, 0));
        assert!(verifications.claim(ProducerId(1), Some(guard)).verified);
        assert!(!verifications.claim(ProducerId(1), None).verified);
        verifications.end(ProducerId(1));
        assert!(!verifications.claim(ProducerId(1), Some(guard)).verified);
        let later = verifications.begin(beginning(1, 0, 0));
        assert!(!verifications.claim(ProducerId(1), Some(guard)).verified, "another transaction waits");
        assert!(verifications.claim(ProducerId(1), Some(later)).verified);
    }

    #[test]
    fn the_lowest_sequence_of_the_newest_epoch_goes_first() {
        let mut verifications = Verifications::default();
        let lowest = |verifications: &Verifications| verifications.claim(ProducerId(1), None).lowest_sequence;
        let guard = verifications.begin(beginning(1, 3, 8));
        assert_eq!(verifications.begin(beginning(1, 3, 5)), guard);
        assert_eq!(lowest(&verifications), Some(5));
        verifications.begin(beginning(1, 3, 9));
        verifications.begin(beginning(1, 2, 0));
        assert_eq!(lowest(&verifications), Some(5));
        verifications.begin(beginning(1, 4, 7));
        assert_eq!(lowest(&verifications), Some(7));
    }

    #[test]
    fn only_so_many_wait() {
        let mut verifications = Verifications::default();
        let first = verifications.begin(beginning(0, 0, 0));
        for producer in 1..=WAITING_MAX as i64 {
            verifications.begin(beginning(producer, 0, 0));
        }
        assert!(!verifications.claim(ProducerId(0), Some(first)).verified);
        assert!(verifications.claim(ProducerId(1), None).lowest_sequence.is_some());
        assert_eq!((verifications.waiting.len(), verifications.order.len()), (WAITING_MAX, WAITING_MAX));
    }
}
