//! DescribeLogDirs: v1-5
//!
//! Behaviour: every directory of `log.dirs` with its partitions' sizes; null topics means all, an empty list none. A copy
//! that AlterReplicaLogDirs makes is a future replica, with how many offsets it lacks.
//!
//! Version notes:
//! - v3 a top-level error, v4 total and usable bytes (KIP-827)
//! - v5 directories that take no new replicas (KIP-1066), which there are none of

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use futures::future;
use thalweg_protocol::StrBytes;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use thalweg_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};

use super::topics;
use crate::dispatch::Context;
use crate::reactor::{FutureSize, LogSize};

/// Topic, then its partitions.
type Replicas = BTreeMap<String, Vec<DescribeLogDirsPartition>>;

pub async fn handle(context: Context, request: DescribeLogDirsRequest) -> DescribeLogDirsResponse {
    let wanted: Option<HashSet<(String, i32)>> = request.topics.map(|topics| {
        let pairs = topics.into_iter().flat_map(|topic| {
            let name = topic.topic.0.to_string();
            topic.partitions.into_iter().map(move |partition| (name.clone(), partition))
        });
        pairs.collect()
    });
    let sizes = context.core.cores().map(|core| context.core.on(core, |core| future::ready(core.log_sizes())));
    let mut by_dir: BTreeMap<PathBuf, Replicas> =
        context.core.shared.config.log_dirs.iter().map(|dir| (dir.clone(), Replicas::new())).collect();
    for size in future::join_all(sizes).await.into_iter().flatten().flatten() {
        if wanted.as_ref().is_none_or(|wanted| wanted.contains(&(size.topic.clone(), size.partition.0))) {
            note(&mut by_dir, size);
        }
    }
    let results = by_dir.into_iter().map(|(dir, replicas)| describe(&dir, replicas));
    DescribeLogDirsResponse::default().with_results(results.collect())
}

/// The replica, and its copy if one is made.
fn note(by_dir: &mut BTreeMap<PathBuf, Replicas>, size: LogSize) {
    let LogSize { dir, topic, partition, bytes, future } = size;
    let replica = DescribeLogDirsPartition::default().with_partition_index(partition.0);
    if let Some(FutureSize { dir, bytes, lag }) = future
        && let Some(replicas) = by_dir.get_mut(&dir)
    {
        let copy = replica.clone().with_partition_size(signed(bytes)).with_offset_lag(lag).with_is_future_key(true);
        replicas.entry(topic.clone()).or_default().push(copy);
    }
    if let Some(replicas) = by_dir.get_mut(&dir) {
        replicas.entry(topic).or_default().push(replica.with_partition_size(signed(bytes)));
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// As Kafka and its tools name directories.
pub fn absolute(dir: &Path) -> PathBuf {
    std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned())
}

fn describe(dir: &Path, replicas: Replicas) -> DescribeLogDirsResult {
    let (code, total, free) = match rustix::fs::statvfs(dir) {
        Ok(space) => (ErrorCode::None, space.f_blocks * space.f_frsize, space.f_bavail * space.f_frsize),
        Err(_) => (ErrorCode::KafkaStorageError, 0, 0),
    };
    let topics = replicas.into_iter().map(|(topic, mut partitions)| {
        partitions.sort_by_key(|partition| partition.partition_index);
        DescribeLogDirsTopic::default().with_name(topics::wire(&topic)).with_partitions(partitions)
    });
    DescribeLogDirsResult::default()
        .with_error_code(code.code())
        .with_log_dir(StrBytes::from_string(absolute(dir).display().to_string()))
        .with_topics(topics.collect())
        .with_total_bytes(signed(total))
        .with_usable_bytes(signed(free))
}
