//! Transaction markers: what a transaction coordinator decided, written into the partitions of the transaction.

use std::rc::Rc;

use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::records::Marker;
use thalweg_protocol::{ProducerEpoch, ProducerId};
use thalweg_storage::log::producers::EndRequest;
use thalweg_storage::types::GroupId;

use super::core::Core;

/// How a transaction ended, and who says so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TxnMarker {
    pub producer_id: i64,
    pub producer_epoch: i16,
    /// Of the coordinator: an older one is refused.
    pub coordinator_epoch: i32,
    pub commit: bool,
}

/// `transaction.version` of a marker that does not say it: its epoch may be that of the records.
const VERSION_UNSAID: i8 = 0;

impl Core {
    /// Writes a marker into a partition of this core; resolves once it is committed. In a partition of
    /// `__consumer_offsets` the offsets of the transaction become visible then, or are dropped.
    ///
    /// # Errors
    /// As Kafka answers WriteTxnMarkers: `NOT_LEADER_OR_FOLLOWER` is worth another try, a fenced epoch is not.
    pub async fn write_txn_marker(self: &Rc<Self>, group: GroupId, marker: TxnMarker) -> Result<(), ErrorCode> {
        self.end_transaction(group, marker, VERSION_UNSAID).await
    }

    /// The same where it is known whether each transaction of the producer has an epoch of its own.
    ///
    /// # Errors
    /// As [`Self::write_txn_marker`].
    pub async fn end_transaction(
        self: &Rc<Self>,
        group: GroupId,
        marker: TxnMarker,
        transaction_version: i8,
    ) -> Result<(), ErrorCode> {
        let end = EndRequest {
            producer: ProducerId(marker.producer_id),
            epoch: ProducerEpoch(marker.producer_epoch),
            coordinator_epoch: marker.coordinator_epoch,
            transaction_version,
        };
        let kind = if marker.commit { Marker::Commit } else { Marker::Abort };
        let appended = self.with_partition(group, |partition| partition.end_transaction(self, &end, kind, self.now()));
        let committed = appended.unwrap_or(Err(ErrorCode::UnknownTopicOrPartition))?;
        committed.await.unwrap_or(Err(ErrorCode::NotLeaderOrFollower))
    }
}
