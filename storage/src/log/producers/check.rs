//! Judging what comes to a leader, against everything appended before it: clients' batches, the group coordinator's, and
//! the markers of transaction coordinators (`UnifiedLog.analyzeAndValidateProducerState`, `ProducerAppendInfo`).

use thalweg_protocol::records::{BatchHeader, increment_sequence};
use thalweg_protocol::{ErrorCode, KafkaOffset, ProducerEpoch, ProducerId, TimestampMs};

use super::{ProducerBatch, ProducerEntry, ProducerState};

/// From this version of `transaction.version` on, each transaction ends with a new epoch (KIP-890).
const EPOCH_PER_TRANSACTION: i8 = 2;

/// What to do with a batch from a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SequenceCheck {
    Accept,
    /// It is in the log already; the producer gets its first answer again.
    Duplicate {
        base_offset: KafkaOffset,
        timestamp: TimestampMs,
    },
    Reject(ErrorCode),
}

/// What is known beside the log of a producer that wants to write into a transaction (Kafka's `VerificationStateEntry`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claim {
    /// The coordinator said that the partition is in the transaction, or is not to be asked.
    pub verified: bool,
    /// The lowest sequence number that waits for the coordinator's word: what comes behind it must not go first.
    pub lowest_sequence: Option<i32>,
    /// Its client gets an epoch for each transaction, so that it always begins at 0.
    pub epoch_per_transaction: bool,
}

impl Claim {
    /// Nobody asks whether the partition is in the transaction.
    pub const UNASKED: Self = Self { verified: true, lowest_sequence: None, epoch_per_transaction: false };
}

/// The end of a transaction, as a coordinator asks a leader to write it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EndRequest {
    pub producer: ProducerId,
    pub epoch: ProducerEpoch,
    pub coordinator_epoch: i32,
    /// `transaction.version` of the transaction.
    pub transaction_version: i8,
}

impl ProducerState {
    /// Whether the producer's transaction is open here: then the coordinator knows of the partition already.
    pub fn has_open_transaction(&self, id: ProducerId, epoch: ProducerEpoch) -> bool {
        self.get(id).is_some_and(|entry| entry.epoch == epoch && entry.transaction_first_offset.is_some())
    }

    /// Judges a batch that a client sent.
    ///
    /// An unknown producer may begin at any sequence: its records may have been deleted, or its state may have expired
    /// while it was idle (KIP-360), so that expiry breaks nobody who is still writing.
    pub fn check(&self, header: &BatchHeader, claim: Claim) -> SequenceCheck {
        if !header.has_producer_id() {
            return SequenceCheck::Accept;
        }
        let entry = self.get(header.producer_id);
        if let Some(batch) = entry.and_then(|entry| entry.duplicate_of(header)) {
            return SequenceCheck::Duplicate { base_offset: batch.base_offset(), timestamp: batch.timestamp };
        }
        match self.judge(entry, header, claim) {
            Ok(()) => SequenceCheck::Accept,
            Err(code) => SequenceCheck::Reject(code),
        }
    }

    fn judge(&self, entry: Option<&ProducerEntry>, header: &BatchHeader, claim: Claim) -> Result<(), ErrorCode> {
        let is_transactional = header.attributes.is_transactional();
        let is_open = self.has_open_transaction(header.producer_id, header.producer_epoch);
        if is_transactional && !is_open && !claim.verified {
            return Err(ErrorCode::InvalidTxnState);
        }
        check_epoch(entry, header)?;
        let begins_late = entry.is_none_or(|entry| entry.batches.is_empty()) && header.base_sequence != 0;
        if claim.epoch_per_transaction && begins_late {
            return Err(ErrorCode::OutOfOrderSequenceNumber);
        }
        if claim.lowest_sequence.is_some_and(|lowest| header.base_sequence > lowest) {
            return Err(ErrorCode::OutOfOrderSequenceNumber);
        }
        if !entry.is_none_or(|entry| entry.expects(header)) {
            return Err(ErrorCode::OutOfOrderSequenceNumber);
        }
        check_kind(entry, header)
    }

    /// Judges offsets that the group coordinator writes for a transaction: they have no sequence numbers.
    ///
    /// # Errors
    /// As the client is to be told.
    pub fn check_offsets(&self, header: &BatchHeader, claim: Claim) -> Result<(), ErrorCode> {
        if !self.has_open_transaction(header.producer_id, header.producer_epoch) && !claim.verified {
            return Err(ErrorCode::InvalidTxnState);
        }
        let entry = self.get(header.producer_id);
        check_epoch(entry, header)?;
        check_kind(entry, header)
    }

    /// Judges a marker. With an epoch per transaction it must come with a later one than the records did, unless it was
    /// written before and is asked for again.
    ///
    /// # Errors
    /// As the coordinator is to be told.
    pub fn check_end(&self, end: &EndRequest) -> Result<(), ErrorCode> {
        let Some(entry) = self.get(end.producer) else { return Ok(()) };
        let is_again = entry.transaction_first_offset.is_none() || end.epoch.0 == i16::MAX;
        let is_late = end.transaction_version >= EPOCH_PER_TRANSACTION && end.epoch == entry.epoch && !is_again;
        if end.epoch < entry.epoch || is_late {
            return Err(ErrorCode::InvalidProducerEpoch);
        }
        if end.coordinator_epoch < entry.coordinator_epoch {
            return Err(ErrorCode::TransactionCoordinatorFenced);
        }
        Ok(())
    }
}

fn check_epoch(entry: Option<&ProducerEntry>, header: &BatchHeader) -> Result<(), ErrorCode> {
    let is_fenced = entry.is_some_and(|entry| header.producer_epoch < entry.epoch);
    if is_fenced { Err(ErrorCode::InvalidProducerEpoch) } else { Ok(()) }
}

/// Within a transaction, everything its producer writes is part of it.
fn check_kind(entry: Option<&ProducerEntry>, header: &BatchHeader) -> Result<(), ErrorCode> {
    let is_open = entry.is_some_and(|entry| entry.transaction_first_offset.is_some());
    if is_open && !header.attributes.is_transactional() { Err(ErrorCode::InvalidTxnState) } else { Ok(()) }
}

impl ProducerEntry {
    fn duplicate_of(&self, header: &BatchHeader) -> Option<&ProducerBatch> {
        if self.epoch != header.producer_epoch {
            return None;
        }
        self.batches.iter().find(|batch| {
            batch.first_sequence() == header.base_sequence && batch.last_sequence == header.last_sequence()
        })
    }

    /// `ProducerAppendInfo.inSequence`; who has no batches of this epoch must begin at 0.
    fn expects(&self, header: &BatchHeader) -> bool {
        let last = self.batches.back().filter(|_| header.producer_epoch == self.epoch);
        header.base_sequence == last.map_or(0, |last| increment_sequence(last.last_sequence, 1))
    }
}
