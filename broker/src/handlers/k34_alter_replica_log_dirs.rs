//! AlterReplicaLogDirs: v1-2 (KIP-113)
//!
//! Behaviour: a partition's files are copied into another directory of `log.dirs` while it serves; DescribeLogDirs shows
//! the copy until it takes over. Asked for another directory, the first move is called off. A restart in the middle leaves
//! the partition where it was, where Kafka would go on.

use std::path::{Path, PathBuf};

use futures::future;
use thalweg_protocol::PartitionIndex;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult,
};
use thalweg_protocol::messages::{AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse};
use thalweg_storage::types::GroupId;

use super::k35_describe_log_dirs::absolute;
use super::topics;
use crate::dispatch::Context;

/// What is added to a replica's name while it is copied: a point, 32 digits, `-future`.
const FUTURE_NAME_LEN: usize = 1 + 32 + "-future".len();
/// A file name's length.
const NAME_LEN_MAX: usize = 255;

pub async fn handle(context: Context, request: AlterReplicaLogDirsRequest) -> AlterReplicaLogDirsResponse {
    let mut moves = Vec::new();
    for dir in &request.dirs {
        for topic in &dir.topics {
            for partition in &topic.partitions {
                let (dir, name) = (PathBuf::from(dir.path.as_str()), topic.name.0.to_string());
                moves.push(alter(&context, dir, name, PartitionIndex(*partition)));
            }
        }
    }
    let mut topics: Vec<(String, Vec<AlterReplicaLogDirPartitionResult>)> = Vec::new();
    for (name, index, code) in future::join_all(moves).await {
        let result =
            AlterReplicaLogDirPartitionResult::default().with_partition_index(index.0).with_error_code(code.code());
        match topics.iter_mut().find(|(topic, _)| *topic == name) {
            Some((_, results)) => results.push(result),
            None => topics.push((name, vec![result])),
        }
    }
    let results = topics.into_iter().map(|(name, results)| {
        AlterReplicaLogDirTopicResult::default().with_topic_name(topics::wire(&name)).with_partitions(results)
    });
    AlterReplicaLogDirsResponse::default().with_results(results.collect())
}

async fn alter(
    context: &Context,
    dir: PathBuf,
    name: String,
    index: PartitionIndex,
) -> (String, PartitionIndex, ErrorCode) {
    let code = match find(context, &dir, &name, index) {
        Ok((group, dir)) => {
            let owner = context.core.owner(group);
            let asked = context.core.on(owner, move |core| future::ready(core.move_replica(group, &dir)));
            match asked.await {
                Ok(true) => ErrorCode::None,
                Ok(false) => ErrorCode::ReplicaNotAvailable,
                Err(_) => ErrorCode::KafkaStorageError,
            }
        }
        Err(code) => code,
    };
    (name, index, code)
}

/// The replica's group, and the directory as it is configured, if it may be moved there.
fn find(context: &Context, dir: &Path, name: &str, index: PartitionIndex) -> Result<(GroupId, PathBuf), ErrorCode> {
    if format!("{name}-{index}").len() + FUTURE_NAME_LEN > NAME_LEN_MAX {
        return Err(ErrorCode::InvalidTopicException);
    }
    let mut known = context.core.shared.config.log_dirs.iter();
    let dir = known.find(|known| absolute(known) == dir).cloned().ok_or(ErrorCode::LogDirNotFound)?;
    let image = context.core.image();
    let topic = image.topic(name).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let info = topic.partition(index).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    Ok((info.group, dir))
}
