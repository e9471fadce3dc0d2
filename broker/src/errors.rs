//! The one place where our errors become Kafka's codes.

use thalweg_protocol::error::ErrorCode;
use thalweg_storage::StorageError;

/// A storage error, as a client is told of it. Whatever it was, it is the broker's trouble and worth a retry.
pub fn of_storage(error: &StorageError) -> ErrorCode {
    tracing::error!(%error, "a request failed on storage");
    ErrorCode::KafkaStorageError
}
