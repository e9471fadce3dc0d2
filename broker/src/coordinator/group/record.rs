//! The records of `__consumer_offsets` that this coordinator writes and reads, as structs. Their bytes are in
//! [`super::record_codec`].

use bytes::Bytes;
use thalweg_protocol::{StrBytes, TimestampMs};

use super::classic::CommittedOffset;
use super::consumer::{ConsumerRecord, Kind};

/// What an offset is of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct OffsetKey {
    pub(super) group: StrBytes,
    pub(super) topic: StrBytes,
    pub(super) partition: i32,
}

/// Kafka's `GroupMetadataValue`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct GroupRecord {
    pub(super) protocol_type: StrBytes,
    pub(super) generation: i32,
    pub(super) protocol: Option<StrBytes>,
    pub(super) leader: Option<StrBytes>,
    /// Absent before version 2.
    pub(super) state_since: Option<TimestampMs>,
    pub(super) members: Vec<MemberRecord>,
}

/// Kafka's `GroupMetadataValue.MemberMetadata`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct MemberRecord {
    pub(super) id: StrBytes,
    pub(super) instance_id: Option<StrBytes>,
    pub(super) client_id: StrBytes,
    pub(super) client_host: StrBytes,
    pub(super) rebalance_timeout_ms: i32,
    pub(super) session_timeout_ms: i32,
    pub(super) subscription: Bytes,
    pub(super) assignment: Bytes,
}

/// One record: a key, and a value or a tombstone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Record {
    Offset(OffsetKey, Option<CommittedOffset>),
    Group(StrBytes, Option<GroupRecord>),
    /// Of a consumer group (KIP-848) or a share group (KIP-932).
    Modern(StrBytes, Kind, ConsumerRecord),
    /// Of a key version that is not used here (streams groups).
    Other(i16),
}
