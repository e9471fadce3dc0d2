//! What a shard of groups answers.

use bytes::Bytes;
use thalweg_protocol::messages::delete_groups_response::DeletableGroupResult;
use thalweg_protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;
use thalweg_protocol::messages::{
    ConsumerGroupHeartbeatResponse, HeartbeatResponse, JoinGroupResponse, LeaveGroupResponse, OffsetCommitResponse,
    OffsetDeleteResponse, ShareGroupHeartbeatResponse, SyncGroupResponse, TxnOffsetCommitResponse,
};

use thalweg_storage::log::producers::EndRequest;

use super::ErrorCode;
use crate::partition::Guard;

pub(super) use super::AppendToken;

/// Something for the driver to do.
pub type Effect = crate::coordinator::Effect<Response, Errand>;

/// What a shard of groups asks for besides answers and plain writes. Both are writes too, and reported as such.
#[derive(Clone, PartialEq, Debug)]
pub enum Errand {
    /// Append a batch of a transaction, if that may write here.
    Offsets {
        /// To be given back with the result.
        token: AppendToken,
        /// One record batch of format 2.
        batch: Bytes,
        /// Under which the transaction's coordinator vouched for it.
        guard: Option<Guard>,
    },
    /// Append the marker of a transaction.
    End {
        /// To be given back with the result.
        token: AppendToken,
        /// Whose transaction, and who says that it ends.
        end: EndRequest,
        /// How it ended.
        commit: bool,
    },
}

/// The body of an answer. Those that a handler puts together from several shards are only this shard's part.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs, reason = "each is the response of the API of that name")]
pub enum Response {
    JoinGroup(JoinGroupResponse),
    SyncGroup(SyncGroupResponse),
    Heartbeat(HeartbeatResponse),
    LeaveGroup(LeaveGroupResponse),
    OffsetCommit(OffsetCommitResponse),
    /// One group of an OffsetFetch.
    OffsetFetch(OffsetFetchResponseGroup),
    OffsetDelete(OffsetDeleteResponse),
    /// This shard's groups of a DeleteGroups.
    DeleteGroups(Vec<DeletableGroupResult>),
    TxnOffsetCommit(TxnOffsetCommitResponse),
    /// The error code of a marker.
    TransactionEnd(i16),
    ConsumerHeartbeat(ConsumerGroupHeartbeatResponse),
    ShareHeartbeat(ShareGroupHeartbeatResponse),
}

impl Response {
    /// The same answer, had its records not been written: what seemed to succeed did not.
    pub(super) fn failed(mut self, error: ErrorCode) -> Self {
        let code = error.code();
        match &mut self {
            Self::JoinGroup(response) => response.error_code = code,
            Self::SyncGroup(response) => response.error_code = code,
            Self::Heartbeat(response) => response.error_code = code,
            Self::LeaveGroup(response) => response.error_code = code,
            Self::OffsetFetch(response) => response.error_code = code,
            Self::OffsetDelete(response) => {
                response.error_code = code;
                response.topics.clear();
            }
            Self::OffsetCommit(response) => {
                let partitions = response.topics.iter_mut().flat_map(|topic| topic.partitions.iter_mut());
                partitions.for_each(|partition| partition.error_code = code);
            }
            Self::TxnOffsetCommit(response) => {
                let partitions = response.topics.iter_mut().flat_map(|topic| topic.partitions.iter_mut());
                partitions
                    .filter(|partition| partition.error_code == 0)
                    .for_each(|partition| partition.error_code = code);
            }
            Self::TransactionEnd(ended) => *ended = code,
            Self::DeleteGroups(results) => {
                results.iter_mut().filter(|result| result.error_code == 0).for_each(|result| result.error_code = code);
            }
            Self::ConsumerHeartbeat(response) => {
                *response = ConsumerGroupHeartbeatResponse::default().with_error_code(code);
            }
            Self::ShareHeartbeat(response) => {
                *response = ShareGroupHeartbeatResponse::default().with_error_code(code);
            }
        }
        self
    }
}
