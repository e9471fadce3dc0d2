//! Files beside the segments that Kafka's tools and a Kafka broker read, and recovery here never does: written without
//! a sync, and doing without one that cannot be written.

use std::fmt::Write as _;
use std::path::PathBuf;

use bytes::Bytes;
use thalweg_protocol::uuid_text;

use crate::log::{LogRef, PartitionLog, SNAPSHOT_SUFFIX, file_name};

/// `<offset>.snapshot`: the producers as of the end of what is flushed. Kafka takes one when a segment is sealed and when
/// it stops (`UnifiedLog.roll`, `ProducerStateManager.takeSnapshot`); without producers there is nothing to say.
pub(super) async fn write_producer_snapshot(log: &LogRef) {
    let snapshot = log.borrow().producer_snapshot();
    if let Some((path, content)) = snapshot {
        write(log, path, content).await;
    }
}

pub(super) async fn write_epochs(log: &LogRef) {
    let (path, content) = {
        let log = log.borrow();
        (log.descriptor.dir.join("leader-epoch-checkpoint"), Bytes::from(log.epoch_checkpoint()))
    };
    write(log, path, content).await;
}

/// Kafka's `partition.metadata` (`PartitionMetadataFile`): the topic's id, so that a deleted and created topic of the
/// same name is not taken for the old one.
pub(super) async fn write_metadata(log: &LogRef) {
    let (path, content) = {
        let log = log.borrow();
        let id = uuid_text(&log.descriptor.topic_id);
        (log.descriptor.dir.join("partition.metadata"), Bytes::from(format!("version: 0\ntopic_id: {id}\n")))
    };
    write(log, path, content).await;
}

async fn write(log: &LogRef, path: PathBuf, content: Bytes) {
    let shared = std::rc::Rc::clone(&log.borrow().shared);
    if let Err(error) = shared.disk.write_file(&path, content).await {
        tracing::warn!(path = %path.display(), %error, "not written; only other programs miss this file");
    }
}

impl PartitionLog {
    fn producer_snapshot(&self) -> Option<(PathBuf, Bytes)> {
        if self.flushed_producers.is_empty() {
            return None;
        }
        let name = file_name(self.flushed.next_offset, SNAPSHOT_SUFFIX);
        Some((self.descriptor.dir.join(name), self.flushed_producers.encode_kafka()))
    }

    /// Kafka's `leader-epoch-checkpoint` (`LeaderEpochCheckpointFile`): version, count, then one epoch per line.
    fn epoch_checkpoint(&self) -> String {
        let epochs = self.epochs();
        let mut text = format!("0\n{}\n", epochs.len());
        for (epoch, offset) in epochs {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{epoch} {offset}");
        }
        text
    }
}
