//! From a decision to its end: a marker in every partition, tried until it is written, then the record that says so.

use thalweg_protocol::{StrBytes, TimestampMs};

use super::ErrorCode;
use super::append::Completion;
use super::effect::{Effect, Marking, TopicPartition};
use super::limits::MARKER_RETRY_MS;
use super::shard::TransactionShard;
use super::state::State;

impl TransactionShard {
    /// A decision is durable: asks for its markers.
    pub(super) fn begin_marking(&mut self, id: &StrBytes) {
        let Some(transaction) = self.transactions.get_mut(id) else { return };
        let Some(commit) = transaction.current.state.decision() else { return };
        // From here on nothing but its end can come.
        transaction.pending = Some(State::completed(commit));
        self.proceed(id);
    }

    /// Asks for the markers that are missing and not under way; with none missing, completes.
    fn proceed(&mut self, id: &StrBytes) {
        let coordinator_epoch = self.coordinator_epoch;
        let Some(transaction) = self.transactions.get_mut(id) else { return };
        let Some(commit) = transaction.current.state.decision() else { return };
        if transaction.abandoned || transaction.completing {
            return;
        }
        if transaction.current.partitions.is_empty() {
            transaction.completing = true;
            let next = transaction.current.completed(commit, self.now);
            return self.write(id, next, Completion::Completed);
        }
        let missing = transaction.current.partitions.iter().filter(|at| !transaction.marking.contains(*at));
        let partitions: Vec<TopicPartition> = missing.cloned().collect();
        if partitions.is_empty() {
            return;
        }
        transaction.marking.extend(partitions.iter().cloned());
        let marking = Marking {
            transactional_id: id.clone(),
            producer: transaction.current.producer,
            coordinator_epoch,
            commit,
            version: transaction.current.client_version,
            partitions,
        };
        self.push(Effect::Errand(marking));
    }

    /// Reports what became of some of the partitions of a [`Marking`]. A partition that is no more needs no marker: `Ok`.
    pub fn marked(
        &mut self,
        marking: &Marking,
        results: Vec<(TopicPartition, Result<(), ErrorCode>)>,
        now: TimestampMs,
    ) -> Vec<Effect> {
        self.begin(now);
        let id = &marking.transactional_id;
        let retry_at = self.after(MARKER_RETRY_MS);
        if let Some(transaction) = self.transactions.get_mut(id)
            && transaction.current.producer == marking.producer
            && transaction.current.state.decision() == Some(marking.commit)
        {
            let mut failed = false;
            for (partition, result) in results {
                transaction.marking.remove(&partition);
                match result {
                    Ok(()) => {
                        transaction.current.partitions.remove(&partition);
                    }
                    // A newer coordinator or producer has spoken: what is to be done is no longer this one's to do.
                    Err(ErrorCode::InvalidProducerEpoch | ErrorCode::TransactionCoordinatorFenced) => {
                        transaction.abandoned = true;
                    }
                    Err(_) => failed = true,
                }
            }
            if failed {
                self.retries.insert((retry_at, id.clone()));
            }
            if self.transactions.get(id).is_some_and(|transaction| transaction.current.partitions.is_empty()) {
                self.proceed(id);
            }
        }
        self.finish()
    }

    /// Tries again what is due.
    pub(super) fn retry_markers(&mut self) {
        while let Some((at, _)) = self.retries.first()
            && *at <= self.now
            && let Some((_, id)) = self.retries.pop_first()
        {
            self.proceed(&id);
        }
    }

    /// After a load: goes on with the decisions whose end is not in the log.
    pub(super) fn resume_marking(&mut self) {
        let decided = self.transactions.values().filter(|transaction| transaction.current.state.decision().is_some());
        let decided: Vec<StrBytes> = decided.map(|transaction| transaction.id.clone()).collect();
        for id in decided {
            self.begin_marking(&id);
        }
    }
}
