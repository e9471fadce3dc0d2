//! Coordinators: replicated state machines that live beside a partition of an internal topic.

mod batch;
mod codec;
mod effect;
pub mod group;
mod hosted;
mod load;
mod partition;
#[cfg(test)]
mod script;
mod shard;
pub mod share;
pub mod transaction;

pub use effect::{AppendToken, Effect, ReplyToken};
pub use hosted::{Coordinators, Hosted, PendingAppend};
pub use load::LoadError;
pub use partition::partition_for;
use shard::Phase;
pub use shard::{Effects, Shard};

use thalweg_protocol::error::ErrorCode;

/// What a failed write means to the client, as Kafka's coordinators have it.
fn append_error(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::UnknownTopicOrPartition
        | ErrorCode::NotEnoughReplicas
        | ErrorCode::NotEnoughReplicasAfterAppend
        | ErrorCode::RequestTimedOut => ErrorCode::CoordinatorNotAvailable,
        ErrorCode::NotLeaderOrFollower | ErrorCode::KafkaStorageError => ErrorCode::NotCoordinator,
        ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge | ErrorCode::InvalidFetchSize => {
            ErrorCode::UnknownServerError
        }
        other => other,
    }
}
