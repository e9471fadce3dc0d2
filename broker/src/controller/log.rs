//! The controller's log: a batch of records, each one command as JSON.

use bytes::BytesMut;
use thalweg_protocol::records::{BatchBuilder, BatchView, RecordError};
use thalweg_protocol::{KafkaOffset, TimestampMs};

use super::Command;

/// Why the controller's log cannot be read: always our own bug, or a damaged disk.
#[derive(Debug, thiserror::Error)]
pub(super) enum LogError {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("a record at offset {0} has no value")]
    Empty(KafkaOffset),
    #[error("the command at offset {offset} is not understood: {source}")]
    Command { offset: KafkaOffset, source: serde_json::Error },
}

/// A command is far smaller; more than this in a batch is damage.
const BATCH_SIZE_MAX_BYTES: usize = 64 * 1024 * 1024;

/// A batch of one command, to be stamped and proposed.
pub(super) fn batch(command: &Command, now: TimestampMs) -> Result<BytesMut, LogError> {
    let value =
        serde_json::to_vec(command).map_err(|source| LogError::Command { offset: KafkaOffset::ZERO, source })?;
    let mut builder = BatchBuilder::new();
    builder.push(now, None, Some(&value), &[])?;
    Ok(builder.build()?)
}

/// The commands of a batch, and the offset behind it.
pub(super) fn commands(batch: &[u8]) -> Result<(KafkaOffset, Vec<Command>), LogError> {
    let view = BatchView::first(batch)?;
    let mut commands = Vec::new();
    for record in view.records(BATCH_SIZE_MAX_BYTES)? {
        let record = record?;
        let offset = record.offset;
        let value = record.value.ok_or(LogError::Empty(offset))?;
        commands.push(serde_json::from_slice(&value).map_err(|source| LogError::Command { offset, source })?);
    }
    Ok((view.header.next_offset(), commands))
}
