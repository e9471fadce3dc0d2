//! What a shard of transactions answers and asks for.

use thalweg_protocol::{ProducerEpoch, ProducerId, StrBytes};

use super::ErrorCode;
use super::version::TransactionVersion;

/// Something for the driver to do.
pub type Effect = crate::coordinator::Effect<Response, Marking>;

/// A producer as partitions know it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Producer {
    pub id: ProducerId,
    pub epoch: ProducerEpoch,
}

impl Producer {
    /// Nobody.
    pub const NONE: Self = Self { id: ProducerId::NONE, epoch: NO_EPOCH };
}

/// Before a producer has an epoch.
pub(super) const NO_EPOCH: ProducerEpoch = ProducerEpoch(-1);

/// A partition of a transaction.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TopicPartition {
    pub topic: StrBytes,
    pub index: i32,
}

/// The answer to a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Response {
    /// To InitProducerId.
    Init(Result<Producer, ErrorCode>),
    /// To AddPartitionsToTxn and AddOffsetsToTxn: all partitions or none.
    Added(ErrorCode),
    /// To a verification: of each partition, in the order asked.
    Verified(Vec<ErrorCode>),
    /// To EndTxn: who the producer is from now on. Before transactions V2, nobody is told.
    Ended(Result<Producer, ErrorCode>),
}

/// Markers to be written: to each of `partitions`, a control batch with the decision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Marking {
    pub transactional_id: StrBytes,
    pub producer: Producer,
    /// The leader epoch of the partition of `__transaction_state`.
    pub coordinator_epoch: i32,
    pub commit: bool,
    /// What was spoken when it was decided: with V2 the epoch is a later one than that of the records.
    pub version: TransactionVersion,
    pub partitions: Vec<TopicPartition>,
}
