//! Where partitions begin and end, and what stands where at a time: asked of their leaders.

use std::collections::{BTreeMap, HashMap};

use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use thalweg_protocol::messages::{BrokerId, ListOffsetsRequest};

use crate::cli::Global;
use crate::cluster::{Cluster, Topic, topic_name};
use crate::failure::Failure;

/// ListOffsets' special timestamps (`org.apache.kafka.common.requests.ListOffsetsRequest`).
pub(crate) const EARLIEST: i64 = -2;
pub(crate) const LATEST: i64 = -1;

/// Leaders of a topic, each with its partitions. One without a leader cannot be asked for offsets.
pub(crate) fn by_leader(topic: &Topic) -> BTreeMap<i32, Vec<i32>> {
    let mut leaders: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for partition in &topic.partitions {
        if let Some(leader) = partition.leader {
            leaders.entry(leader).or_default().push(partition.index);
        }
    }
    leaders
}

/// The first offset at or after `timestamp` of every partition that has a leader; -1 where no record is that young.
/// Partitions whose leader refuses are left out.
pub(crate) fn at(
    cluster: &mut Cluster,
    global: &Global,
    topic: &Topic,
    timestamp: i64,
) -> Result<HashMap<i32, i64>, Failure> {
    let mut found = HashMap::new();
    for (leader, partitions) in by_leader(topic) {
        let partition = |index: &i32| {
            ListOffsetsPartition::default()
                .with_partition_index(*index)
                .with_current_leader_epoch(-1)
                .with_timestamp(timestamp)
        };
        let wanted = ListOffsetsTopic::default()
            .with_name(topic_name(&topic.name))
            .with_partitions(partitions.iter().map(partition).collect());
        let request = ListOffsetsRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_topics(vec![wanted])
            .with_timeout_ms(global.timeout_ms());
        let answer = cluster.node(leader)?.call(&request)?;
        let answered = answer.topics.iter().flat_map(|topic| &topic.partitions);
        let good = answered.filter(|partition| partition.error_code == ErrorCode::None.code());
        found.extend(good.map(|partition| (partition.partition_index, partition.offset)));
    }
    Ok(found)
}
