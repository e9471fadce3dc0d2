//! Producing: check the batch, check its producer's sequence, give it offsets, propose it.

use bytes::{Bytes, BytesMut};
use futures::channel::oneshot;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::records::{BatchHeader, ProduceRejection, TimestampType, stamp, validate_produced};
use thalweg_protocol::{KafkaOffset, TimestampMs};
use thalweg_storage::log::producers::{Claim, SequenceCheck};
use thalweg_storage::types::{EntryKind, LogEntry, RaftIndex, Term};

use super::{Ack, Guard, Partition, Role};
use crate::reactor::Core;

/// acks=all, as a request says it.
pub(super) const ALL: i16 = -1;

/// One partition's part of a produce request.
#[derive(Clone, Copy)]
pub struct Sent<'a> {
    pub records: &'a Bytes,
    pub acks: i16,
    /// Under which the coordinator vouched for the batch, if it was asked.
    pub guard: Option<Guard>,
}

/// Where a batch came to lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Appended {
    pub base_offset: KafkaOffset,
    /// The broker's time for topics with LogAppendTime, else -1.
    pub log_append_time: TimestampMs,
    pub log_start_offset: KafkaOffset,
}

/// What became of a produced batch.
pub enum Produced {
    /// Appended; the receiver resolves once it is committed.
    Pending(Appended, oneshot::Receiver<Result<(), ErrorCode>>),
    Rejected(ProduceRejection),
}

/// Why a batch was not proposed.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    #[error("this replica does not lead")]
    NotLeader,
    #[error(transparent)]
    Propose(#[from] thalweg_raft::ProposeError),
}

impl Partition {
    /// Takes one partition's records of a produce request.
    pub fn produce(&mut self, core: &Core, sent: Sent<'_>, now: TimestampMs) -> Produced {
        let Sent { records, acks, guard } = sent;
        if let Err(rejection) = self.check_writable(core, acks) {
            return Produced::Rejected(rejection);
        }
        let valid = match validate_produced(records, &self.rules, now) {
            Ok(valid) => valid,
            Err(rejection) => return Produced::Rejected(rejection),
        };
        let claim = self.claim(core, &valid.header, guard);
        let check = self.log.borrow().producers().check(&valid.header, claim);
        match check {
            SequenceCheck::Accept => {}
            SequenceCheck::Duplicate { base_offset, timestamp } => {
                let end = base_offset.plus(i64::from(valid.header.last_offset_delta) + 1);
                return self.duplicate(acks, base_offset, end, timestamp);
            }
            SequenceCheck::Reject(code) => return reject(code, explain(code)),
        }
        let log_append_time = match valid.header.attributes.timestamp_type() {
            TimestampType::LogAppendTime => valid.header.max_timestamp,
            TimestampType::CreateTime => TimestampMs::NONE,
        };
        let bytes = valid.bytes.len() as u64;
        let base_offset = self.log.borrow().next_offset();
        match self.lead_append(core, valid.bytes) {
            Ok(_) => {}
            Err(AppendError::NotLeader) => return reject(ErrorCode::NotLeaderOrFollower, "leadership was lost"),
            Err(AppendError::Propose(error)) => return reject(ErrorCode::NotLeaderOrFollower, &error.to_string()),
        }
        if valid.header.attributes.is_transactional() {
            self.verifications.end(valid.header.producer_id);
        }
        core.shared.metrics.produced_batches.add(1);
        core.shared.metrics.produced_bytes.add(bytes);
        let appended = Appended { base_offset, log_append_time, log_start_offset: self.log_start_offset() };
        let end = self.log.borrow().next_offset();
        Produced::Pending(appended, self.await_acks(acks, end))
    }

    /// What is asked before anything is appended.
    pub(super) fn check_writable(&self, core: &Core, acks: i16) -> Result<(), ProduceRejection> {
        if !self.serves() {
            return Err(rejection(ErrorCode::NotLeaderOrFollower, "this replica does not lead the partition"));
        }
        let in_sync = self.in_sync().len();
        if acks == ALL && self.config.min_insync_replicas > in_sync {
            let message = format!("{in_sync} replica(s) in sync cannot satisfy min.insync.replicas");
            return Err(rejection(ErrorCode::NotEnoughReplicas, &message));
        }
        if core.store.is_disk_full() {
            return Err(rejection(ErrorCode::KafkaStorageError, "the disk is full; free space or lower retention"));
        }
        Ok(())
    }

    /// What is known of the batch's producer and its transaction beside the log.
    pub(super) fn claim(&self, core: &Core, header: &BatchHeader, guard: Option<Guard>) -> Claim {
        let claim = self.verifications.claim(header.producer_id, guard);
        let is_asked = header.attributes.is_transactional() && core.config().transaction_partition_verification_enable;
        Claim { verified: claim.verified || !is_asked, ..claim }
    }

    /// Stamps a checked batch with the next offsets and this leader's epoch, and proposes it.
    ///
    /// The entry goes into the log at once, not only when the group hands it back at the end of the turn: the next batch
    /// needs its offsets and its producer's sequence.
    pub fn lead_append(&mut self, core: &Core, mut batch: BytesMut) -> Result<(RaftIndex, Term), AppendError> {
        let (Role::Leader(term) | Role::Elected(term)) = self.role else { return Err(AppendError::NotLeader) };
        stamp(&mut batch, self.log.borrow().next_offset(), term.leader_epoch());
        let data = batch.freeze();
        let (index, proposed_in) = core.propose(self.group, data.clone())?;
        assert_eq!(proposed_in, term, "a proposal was accepted in another term than this partition leads in");
        core.store.persist_entry(self.group, LogEntry { index, term, kind: EntryKind::Batch, data });
        Ok((index, term))
    }

    /// Resolves once everything appended so far is committed.
    pub fn await_all(&mut self) -> oneshot::Receiver<Result<(), ErrorCode>> {
        let end = self.log.borrow().next_offset();
        self.await_commit(end, None)
    }

    /// Resolves once the high watermark is at `end`, and what is up to an index is in as many replicas as the topic asks for.
    fn await_commit(&mut self, end: KafkaOffset, index: Option<RaftIndex>) -> oneshot::Receiver<Result<(), ErrorCode>> {
        let (sender, receiver) = oneshot::channel();
        let ack = Ack { end, index, sender };
        // Behind others it waits for its turn.
        match self.fate(&ack).filter(|_| self.acks.is_empty()) {
            Some(fate) => drop(ack.sender.send(fate)),
            None => self.acks.push_back(ack),
        }
        receiver
    }

    /// The same for a client's batch that ends at `end`.
    fn await_acks(&mut self, acks: i16, end: KafkaOffset) -> oneshot::Receiver<Result<(), ErrorCode>> {
        let index = self.log.borrow().last_index();
        self.await_commit(end, (acks == ALL).then_some(index))
    }

    /// A batch that is in the log already is answered as it was the first time, once it is committed.
    fn duplicate(&mut self, acks: i16, base_offset: KafkaOffset, end: KafkaOffset, timestamp: TimestampMs) -> Produced {
        let log_append_time = match self.rules.timestamp_type {
            TimestampType::LogAppendTime => timestamp,
            TimestampType::CreateTime => TimestampMs::NONE,
        };
        let appended = Appended { base_offset, log_append_time, log_start_offset: self.log_start_offset() };
        Produced::Pending(appended, self.await_acks(acks, end))
    }
}

/// Why a batch does not follow what its producer wrote before.
fn explain(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::InvalidTxnState => "the batch is not part of its producer's open transaction",
        ErrorCode::InvalidProducerEpoch => "a producer with a newer epoch of this id wrote here",
        _ => "the batch does not follow its producer's last one",
    }
}

fn reject(code: ErrorCode, message: &str) -> Produced {
    Produced::Rejected(rejection(code, message))
}

fn rejection(code: ErrorCode, message: &str) -> ProduceRejection {
    ProduceRejection { code, message: message.to_owned(), record_errors: Vec::new() }
}
