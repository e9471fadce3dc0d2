//! Transaction markers: what a transaction coordinator decided, written into the partitions of the transaction.

use std::rc::Rc;

use bytes::Bytes;
use futures::channel::oneshot;
use serde::{Deserialize, Serialize};
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::records::Marker;
use thalweg_protocol::{ProducerEpoch, ProducerId};
use thalweg_storage::log::producers::EndRequest;
use thalweg_storage::types::GroupId;

use super::core::Core;
use crate::coordinator::group::{GroupShard, Response};
use crate::handlers::groups::OFFSETS_TOPIC;
use crate::partition::Guard;

/// How a transaction ended, and who says so.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TxnMarker {
    pub producer_id: i64,
    pub producer_epoch: i16,
    /// Of the coordinator: an older one is refused.
    pub coordinator_epoch: i32,
    pub commit: bool,
}

/// Resolves once what was appended is committed.
type Appending = oneshot::Receiver<Result<(), ErrorCode>>;

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
        if self.is_of_groups(group) {
            return self.end_transaction_of_groups(group, end, marker.commit).await;
        }
        self.append_end(group, &end, marker.commit)?.await.unwrap_or(Err(ErrorCode::NotLeaderOrFollower))
    }

    /// The shard writes the marker itself: what it then makes visible must come behind all that it wrote before.
    async fn end_transaction_of_groups(
        self: &Rc<Self>,
        group: GroupId,
        end: EndRequest,
        commit: bool,
    ) -> Result<(), ErrorCode> {
        let asked = Rc::clone(self)
            .ask_shard::<GroupShard>(group, move |shard, token, now| shard.end_transaction(end, commit, token, now));
        let code = match asked.await {
            Ok(Response::TransactionEnd(code)) => ErrorCode::from_code(code).unwrap_or(ErrorCode::UnknownServerError),
            Ok(_) => unreachable!("the end of a transaction is answered as such"),
            Err(code) => code,
        };
        match code {
            ErrorCode::None => Ok(()),
            // Transaction coordinators expect what any other partition would answer.
            ErrorCode::CoordinatorNotAvailable | ErrorCode::CoordinatorLoadInProgress | ErrorCode::NotCoordinator => {
                Err(ErrorCode::NotLeaderOrFollower)
            }
            other => Err(other),
        }
    }

    fn is_of_groups(&self, group: GroupId) -> bool {
        let image = self.image();
        image.groups.get(&group).is_some_and(|(topic, _)| &**topic == OFFSETS_TOPIC)
    }

    /// Appends a marker, whatever the partition is; resolves once that is committed.
    pub(super) fn append_end(&self, group: GroupId, end: &EndRequest, commit: bool) -> Result<Appending, ErrorCode> {
        let kind = if commit { Marker::Commit } else { Marker::Abort };
        let appended = self.with_partition(group, |partition| partition.end_transaction(self, end, kind, self.now()));
        appended.unwrap_or(Err(ErrorCode::UnknownTopicOrPartition))
    }

    /// Appends offsets that a group's shard stores for a transaction.
    pub(super) fn append_offsets(
        &self,
        group: GroupId,
        batch: &Bytes,
        guard: Option<Guard>,
    ) -> Result<Appending, ErrorCode> {
        let appended = self.with_partition(group, |partition| partition.append_offsets(self, batch, guard));
        appended.unwrap_or(Err(ErrorCode::NotLeaderOrFollower))
    }
}
