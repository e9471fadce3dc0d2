//! Replaying a log from its start to its high watermark: how a state machine that lives in a partition is built again.

use std::fmt::Display;
use std::path::PathBuf;

use thalweg_protocol::KafkaOffset;
use thalweg_protocol::records::{BatchView, batches};
use thalweg_storage::StorageError;
use thalweg_storage::types::GroupId;

use super::core::Core;

/// How much of a log is read at a time.
const READ_SIZE_BYTES: usize = 1024 * 1024;

/// Why a log could not be replayed to its end. What was applied before stays applied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    #[error("group {0} is not on this core")]
    NotHere(GroupId),
    #[error("{}: cannot be read at offset {offset}: {source}", dir.display())]
    Storage { dir: PathBuf, offset: KafkaOffset, source: StorageError },
    #[error(
        "{}: the batch at offset {offset} is not understood: {problem}; `thalweg log verify` on this directory shows \
         what is damaged, a backup or another replica can replace it",
        dir.display()
    )]
    Batch { dir: PathBuf, offset: KafkaOffset, problem: String },
    #[error("{}: nothing is at offset {offset}, before the end at {end}", dir.display())]
    Missing { dir: PathBuf, offset: KafkaOffset, end: KafkaOffset },
}

impl Core {
    /// Hands every committed batch of a group to `apply`, in order and with its checksum checked. What is committed
    /// meanwhile is not among them.
    pub(crate) async fn replay<E: Display>(
        &self,
        group: GroupId,
        mut apply: impl FnMut(BatchView<'_>) -> Result<(), E>,
    ) -> Result<(), ReplayError> {
        let log = self.store.log(group).ok_or(ReplayError::NotHere(group))?;
        let dir = log.borrow().descriptor().dir.clone();
        let (mut position, end) = (log.borrow().log_start_offset(), log.borrow().high_watermark());
        while position < end {
            let read = thalweg_storage::log::read(&log, position, end, READ_SIZE_BYTES).await;
            let read = read.map_err(|source| ReplayError::Storage { dir: dir.clone(), offset: position, source })?;
            let before = position;
            for piece in &read.batches {
                replay_piece(piece, &mut position, &mut apply).map_err(|problem| ReplayError::Batch {
                    dir: dir.clone(),
                    offset: position,
                    problem,
                })?;
            }
            if position == before {
                return Err(ReplayError::Missing { dir, offset: position, end });
            }
        }
        Ok(())
    }
}

/// One or more whole batches. `position` ends behind the last one that was applied.
fn replay_piece<E: Display>(
    piece: &[u8],
    position: &mut KafkaOffset,
    apply: &mut impl FnMut(BatchView<'_>) -> Result<(), E>,
) -> Result<(), String> {
    let mut views = batches(piece);
    for view in &mut views {
        let view = view.map_err(|error| error.to_string())?;
        view.check_crc().map_err(|error| error.to_string())?;
        let next = view.header.next_offset();
        apply(view).map_err(|error| error.to_string())?;
        *position = next.max(*position);
    }
    match views.rest().len() {
        0 => Ok(()),
        left => Err(format!("it is cut after {left} bytes")),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use thalweg_protocol::records::BatchBuilder;
    use thalweg_protocol::{KafkaOffset, TimestampMs};

    use super::replay_piece;

    fn two_batches() -> (Vec<u8>, usize) {
        let batch = |base: i64| {
            let mut builder = BatchBuilder::new();
            builder.push(TimestampMs(1), None, Some(b"value"), &[]).unwrap();
            let mut bytes = builder.build().unwrap().to_vec();
            bytes[..8].copy_from_slice(&base.to_be_bytes());
            bytes
        };
        let first = batch(7);
        let len = first.len();
        ([first, batch(8)].concat(), len)
    }

    fn replayed(bytes: &[u8]) -> (Result<(), String>, Vec<i64>, KafkaOffset) {
        let (mut seen, mut position) = (Vec::new(), KafkaOffset(7));
        let result = replay_piece(bytes, &mut position, &mut |view| {
            seen.push(view.header.base_offset.0);
            Ok::<(), String>(())
        });
        (result, seen, position)
    }

    #[test]
    fn every_batch_is_applied_in_order() {
        assert_eq!(replayed(&two_batches().0), (Ok(()), vec![7, 8], KafkaOffset(9)));
    }

    #[test]
    fn a_damaged_batch_stops_it_there() {
        let (mut bytes, first) = two_batches();
        *bytes.last_mut().unwrap() ^= 1;
        let (result, seen, position) = replayed(&bytes);
        assert!(result.unwrap_err().contains("CRC"), "flipped in a record");
        assert_eq!((seen, position), (vec![7], KafkaOffset(8)));
        let (result, seen, _) = replayed(&bytes[..first + 20]);
        assert_eq!((result, seen), (Err("it is cut after 20 bytes".to_owned()), vec![7]));
        bytes[first + 16] = 9;
        assert!(replayed(&bytes).0.unwrap_err().contains("format 9"));
    }

    #[test]
    fn what_apply_refuses_is_reported_at_its_offset() {
        let (bytes, _) = two_batches();
        let mut position = KafkaOffset(7);
        let result = replay_piece(&bytes, &mut position, &mut |view| match view.header.base_offset.0 {
            8 => Err("no such command"),
            _ => Ok(()),
        });
        assert_eq!((result, position), (Err("no such command".to_owned()), KafkaOffset(8)));
    }
}
