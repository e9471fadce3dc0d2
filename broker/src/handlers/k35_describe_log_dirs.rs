//! DescribeLogDirs: v1-4
//!
//! Behaviour: every directory of `log.dirs` with its partitions' sizes; null topics means all, an empty list none.
//!
//! Version notes:
//! - v3 a top-level error, v4 total and usable bytes (KIP-827)

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use futures::future;
use thalweg_protocol::StrBytes;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use thalweg_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};

use super::topics;
use crate::dispatch::Context;
use crate::reactor::LogSize;

/// Topic, then its partitions with their sizes.
type Sizes = BTreeMap<String, Vec<(i32, u64)>>;

pub async fn handle(context: Context, request: DescribeLogDirsRequest) -> DescribeLogDirsResponse {
    let wanted: Option<HashSet<(String, i32)>> = request.topics.map(|topics| {
        let pairs = topics.into_iter().flat_map(|topic| {
            let name = topic.topic.0.to_string();
            topic.partitions.into_iter().map(move |partition| (name.clone(), partition))
        });
        pairs.collect()
    });
    let sizes = context.core.cores().map(|core| context.core.on(core, |core| future::ready(core.log_sizes())));
    let mut by_dir: BTreeMap<PathBuf, Sizes> =
        context.core.shared.config.log_dirs.iter().map(|dir| (dir.clone(), Sizes::new())).collect();
    for LogSize { dir, topic, partition, bytes } in future::join_all(sizes).await.into_iter().flatten().flatten() {
        let asked = wanted.as_ref().is_none_or(|wanted| wanted.contains(&(topic.clone(), partition.0)));
        if let (true, Some(sizes)) = (asked, by_dir.get_mut(&dir)) {
            sizes.entry(topic).or_default().push((partition.0, bytes));
        }
    }
    let results = by_dir.into_iter().map(|(dir, sizes)| describe(&dir, sizes));
    let results = results.collect();
    DescribeLogDirsResponse::default().with_results(results)
}

fn describe(dir: &std::path::Path, sizes: Sizes) -> DescribeLogDirsResult {
    let (code, total, free) = match rustix::fs::statvfs(dir) {
        Ok(space) => (ErrorCode::None, space.f_blocks * space.f_frsize, space.f_bavail * space.f_frsize),
        Err(_) => (ErrorCode::KafkaStorageError, 0, 0),
    };
    let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let topics = sizes.into_iter().map(|(topic, mut partitions)| {
        partitions.sort_unstable();
        let partitions = partitions.into_iter().map(|(index, bytes)| {
            DescribeLogDirsPartition::default().with_partition_index(index).with_partition_size(signed(bytes))
        });
        DescribeLogDirsTopic::default().with_name(topics::wire(&topic)).with_partitions(partitions.collect())
    });
    DescribeLogDirsResult::default()
        .with_error_code(code.code())
        .with_log_dir(StrBytes::from_string(dir.display().to_string()))
        .with_topics(topics.collect())
        .with_total_bytes(signed(total))
        .with_usable_bytes(signed(free))
}
