//! What the transaction APIs share.

use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::TopicName;

use crate::dispatch::Context;

/// Whether each of these partitions is in the transaction; with `add` they are taken in.
pub async fn verify_or_add(
    _context: &Context,
    _transactional_id: &str,
    _producer_id: i64,
    _producer_epoch: i16,
    partitions: &[(TopicName, i32)],
    _add: bool,
) -> Vec<ErrorCode> {
    vec![ErrorCode::CoordinatorNotAvailable; partitions.len()]
}
