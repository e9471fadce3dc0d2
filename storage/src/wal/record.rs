//! What one core's write-ahead log remembers. One enum: recovery is a `match` over it, in order.

use bytes::Bytes;
use thalweg_protocol::KafkaOffset;

use crate::types::{GroupId, HardState, LogEntry, RaftIndex};

/// One fact about one group. Records of a group take effect in the order in which they were appended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WalRecord {
    /// A replica of this group was placed on this core. `descriptor` is [`crate::log::LogDescriptor`], encoded.
    Create { group: GroupId, descriptor: Bytes },
    /// The replica is gone; its files may be deleted.
    Remove { group: GroupId },
    /// An entry of the Raft log. An index already present, and all after it, are replaced: that is how a conflict truncates.
    Entry { group: GroupId, entry: LogEntry },
    /// Term, vote and commit hint.
    HardState { group: GroupId, state: HardState },
    /// DeleteRecords or retention moved the partition's first readable offset.
    LogStart { group: GroupId, log_start_offset: KafkaOffset },
    /// Everything up to `index` was replaced by a snapshot; the log is empty and goes on behind it.
    Snapshot { group: GroupId, index: RaftIndex, descriptor: Bytes },
}
