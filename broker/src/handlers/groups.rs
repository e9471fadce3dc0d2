//! What the group APIs share: finding the shard that a group belongs to, and asking it.

use std::rc::Rc;

use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::{OffsetCommitRequest, TopicName};
use thalweg_protocol::{PartitionIndex, StrBytes, TimestampMs};
use thalweg_storage::types::GroupId;

use super::creation;
use crate::coordinator::group::{Caller, Effect, GroupShard, Response, partition_for};
use crate::dispatch::Context;
use crate::reactor::{Core, CoreId};

/// Where groups and their offsets live.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// Creates `__consumer_offsets` if it is not there yet.
pub async fn ensure_offsets_topic(context: &Context) -> Result<(), ErrorCode> {
    let core = &context.core;
    let image = core.image();
    if image.topic(OFFSETS_TOPIC).is_some() {
        return Ok(());
    }
    let topic = creation::offsets_topic(core, &image).map_err(|_| ErrorCode::CoordinatorNotAvailable)?;
    match creation::create(core, vec![topic]).await.pop() {
        Some(Ok(_)) => Ok(()),
        Some(Err(refused)) if refused.code == ErrorCode::TopicAlreadyExists => Ok(()),
        _ => Err(ErrorCode::CoordinatorNotAvailable),
    }
}

/// The Raft group of the partition that a consumer group belongs to.
pub fn shard_of(core: &Core, group: &str) -> Result<GroupId, ErrorCode> {
    let image = core.image();
    let topic = image.topic(OFFSETS_TOPIC).ok_or(ErrorCode::CoordinatorNotAvailable)?;
    let partition: PartitionIndex = partition_for(group, u32::try_from(topic.partitions.len()).unwrap_or(u32::MAX));
    topic.partition(partition).map(|info| info.group).ok_or(ErrorCode::CoordinatorNotAvailable)
}

/// Every partition of `__consumer_offsets`, by the core that owns it.
pub fn all_shards(core: &Core) -> std::collections::BTreeMap<CoreId, Vec<GroupId>> {
    let mut shards = std::collections::BTreeMap::<CoreId, Vec<GroupId>>::new();
    if let Some(topic) = core.image().topic(OFFSETS_TOPIC) {
        for info in &topic.partitions {
            shards.entry(core.owner(info.group)).or_default().push(info.group);
        }
    }
    shards
}

/// Has a group's shard handle an event.
pub async fn ask<F>(context: &Context, group: &str, handle: F) -> Result<Response, ErrorCode>
where
    F: FnOnce(&mut GroupShard, &Caller, TimestampMs) -> Vec<Effect> + Send + 'static,
{
    let shard = shard_of(&context.core, group)?;
    let (version, client_id) = (context.version, context.client_id.clone().unwrap_or_default());
    // Java's form of an address, which is what DescribeGroups shows.
    let client_host = StrBytes::from_string(format!("/{}", context.peer.address.ip()));
    let owner = context.core.owner(shard);
    let asked = context.core.on(owner, move |core: Rc<Core>| {
        core.ask_shard(shard, move |shard, token, now| {
            handle(shard, &Caller { token, version, client_id, client_host }, now)
        })
    });
    asked.await.unwrap_or(Err(ErrorCode::NotCoordinator))
}

/// The topics of a commit that do not exist here: their partitions are refused, as Kafka does.
pub fn unknown_topics(core: &Core, request: &OffsetCommitRequest) -> Vec<(TopicName, i32)> {
    let image = core.image();
    let partitions = request.topics.iter().flat_map(|topic| {
        let known = image.topic(topic.name.0.as_str()).map_or(0, |found| found.partitions.len());
        topic.partitions.iter().filter_map(move |partition| {
            let exists = usize::try_from(partition.partition_index).is_ok_and(|index| index < known);
            (!exists).then(|| (topic.name.clone(), partition.partition_index))
        })
    });
    partitions.collect()
}
