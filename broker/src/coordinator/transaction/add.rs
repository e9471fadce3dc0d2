//! AddPartitionsToTxn and AddOffsetsToTxn: what a transaction touches, and whether it touches something.

use thalweg_protocol::records::BatchHeader;
use thalweg_protocol::{StrBytes, TimestampMs};

use super::append::Completion;
use super::effect::{Effect, Producer, Response, TopicPartition};
use super::limits::{DECISION_SIZE_RESERVE_BYTES, TOPIC_NAME_LENGTH_MAX};
use super::metadata::{Metadata, Transaction};
use super::shard::TransactionShard;
use super::state::State;
use super::version::TransactionVersion;
use super::{ErrorCode, ReplyToken, record_codec};
use crate::coordinator::codec::own;

impl TransactionShard {
    /// Adds all partitions to the transaction, or none; the first ones begin it.
    pub fn add_partitions(
        &mut self,
        id: &str,
        producer: Producer,
        partitions: &[TopicPartition],
        version: TransactionVersion,
        token: ReplyToken,
        now: TimestampMs,
    ) -> Vec<Effect> {
        self.begin(now);
        match self.prepare_addition(id, producer, partitions, version) {
            Ok(Some((id, next))) => self.write(&id, next, Completion::Added(token)),
            Ok(None) => self.reply(token, Response::Added(ErrorCode::None)),
            Err(code) => self.reply(token, Response::Added(code)),
        }
        self.finish()
    }

    /// What the id becomes; `None` if it is that already.
    fn prepare_addition(
        &self,
        id: &str,
        producer: Producer,
        partitions: &[TopicPartition],
        version: TransactionVersion,
    ) -> Result<Option<(StrBytes, Metadata)>, ErrorCode> {
        if id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        self.check_serving()?;
        let transaction = self.transaction(id).ok_or(ErrorCode::InvalidProducerIdMapping)?;
        let current = &transaction.current;
        if transaction.pending.is_some() {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        check_producer(transaction, producer)?;
        if current.state.decision().is_some() {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        if partitions.iter().any(|partition| partition.topic.len() > TOPIC_NAME_LENGTH_MAX) {
            return Err(ErrorCode::InvalidTopicException);
        }
        let known = partitions.iter().all(|partition| current.partitions.contains(partition));
        if current.state == State::Ongoing && known {
            return Ok(None);
        }
        let added = partitions.iter().map(|partition| TopicPartition { topic: own(&partition.topic), ..*partition });
        let next = current.with_partitions(added, version, self.now);
        self.check_room_to_end(id, &next)?;
        Ok(Some((transaction.id.clone(), next)))
    }

    /// A transaction that cannot be ended for its size must not become so large.
    fn check_room_to_end(&self, id: &str, next: &Metadata) -> Result<(), ErrorCode> {
        let (_, value) =
            record_codec::encode(id, Some(next), self.config.version).map_err(|_| ErrorCode::UnknownServerError)?;
        let size_bytes = value.map_or(0, |value| value.len()) + id.len() + DECISION_SIZE_RESERVE_BYTES;
        let room_bytes = self.config.batch_size_max_bytes.saturating_sub(BatchHeader::LEN);
        if size_bytes > room_bytes { Err(ErrorCode::UnknownServerError) } else { Ok(()) }
    }

    /// Whether each partition is in the producer's transaction (KIP-890: asked before older clients' batches are written).
    pub fn verify_partitions(
        &mut self,
        id: &str,
        producer: Producer,
        partitions: &[TopicPartition],
        token: ReplyToken,
        now: TimestampMs,
    ) -> Vec<Effect> {
        self.begin(now);
        let verified = match self.verify(id, producer, partitions) {
            Ok(verified) => verified,
            Err(code) => vec![code; partitions.len()],
        };
        self.reply(token, Response::Verified(verified));
        self.finish()
    }

    /// What is being written is not looked at: the batch is checked again when it is appended.
    fn verify(&self, id: &str, producer: Producer, partitions: &[TopicPartition]) -> Result<Vec<ErrorCode>, ErrorCode> {
        if id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        self.check_serving()?;
        let transaction = self.transaction(id).ok_or(ErrorCode::InvalidProducerIdMapping)?;
        check_producer(transaction, producer)?;
        if transaction.current.state.decision().is_some() {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        let contains = |partition| transaction.current.partitions.contains(partition);
        let code = |known| if known { ErrorCode::None } else { ErrorCode::TransactionAbortable };
        Ok(partitions.iter().map(|partition| code(contains(partition))).collect())
    }
}

pub(super) fn check_producer(transaction: &Transaction, producer: Producer) -> Result<(), ErrorCode> {
    let current = transaction.current.producer;
    if current.id != producer.id {
        Err(ErrorCode::InvalidProducerIdMapping)
    } else if current.epoch != producer.epoch {
        Err(ErrorCode::ProducerFenced)
    } else {
        Ok(())
    }
}
