//! Messages of Kafka 4.2 and 4.3: the message crate knows those of 4.1.
//!
//! Where a version was added, the whole message is here and stands in for the crate's: same fields, same names, one
//! version more. `schema/messages.py` writes the tables; `macros` says what becomes of them, `codec` how values are written.

mod api_key;
mod codec;
mod macros;
#[cfg(test)]
mod tests;

pub mod describe_log_dirs_request;
pub mod describe_log_dirs_response;
pub mod describe_share_group_offsets_request;
pub mod describe_share_group_offsets_response;
pub mod list_offsets_request;
pub mod list_offsets_response;
pub mod offset_commit_request;
pub mod offset_commit_response;
pub mod offset_fetch_request;
pub mod offset_fetch_response;
pub mod share_acknowledge_request;
pub mod share_acknowledge_response;
pub mod share_fetch_request;
pub mod share_fetch_response;
pub mod streams_group_describe_request;
pub mod streams_group_describe_response;
pub mod streams_group_heartbeat_request;
pub mod streams_group_heartbeat_response;
pub mod write_txn_markers_request;
pub mod write_txn_markers_response;

/// Every message there is: the crate's, and in place of some of them ours.
pub mod messages {
    pub use kafka_protocol::messages::*;

    pub use super::api_key::{ApiKey, Recoded};
    pub use super::describe_log_dirs_request::{self, DescribeLogDirsRequest};
    pub use super::describe_log_dirs_response::{self, DescribeLogDirsResponse};
    pub use super::describe_share_group_offsets_request::{self, DescribeShareGroupOffsetsRequest};
    pub use super::describe_share_group_offsets_response::{self, DescribeShareGroupOffsetsResponse};
    pub use super::list_offsets_request::{self, ListOffsetsRequest};
    pub use super::list_offsets_response::{self, ListOffsetsResponse};
    pub use super::offset_commit_request::{self, OffsetCommitRequest};
    pub use super::offset_commit_response::{self, OffsetCommitResponse};
    pub use super::offset_fetch_request::{self, OffsetFetchRequest};
    pub use super::offset_fetch_response::{self, OffsetFetchResponse};
    pub use super::share_acknowledge_request::{self, ShareAcknowledgeRequest};
    pub use super::share_acknowledge_response::{self, ShareAcknowledgeResponse};
    pub use super::share_fetch_request::{self, ShareFetchRequest};
    pub use super::share_fetch_response::{self, ShareFetchResponse};
    pub use super::streams_group_describe_request::{self, StreamsGroupDescribeRequest};
    pub use super::streams_group_describe_response::{self, StreamsGroupDescribeResponse};
    pub use super::streams_group_heartbeat_request::{self, StreamsGroupHeartbeatRequest};
    pub use super::streams_group_heartbeat_response::{self, StreamsGroupHeartbeatResponse};
    pub use super::write_txn_markers_request::{self, WriteTxnMarkersRequest};
    pub use super::write_txn_markers_response::{self, WriteTxnMarkersResponse};
}
