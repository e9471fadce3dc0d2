//! What the group APIs share: finding the shard that a group belongs to, and asking it.

use std::rc::Rc;

use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::{OffsetCommitRequest, TopicName};
use thalweg_protocol::{StrBytes, TimestampMs};
use thalweg_storage::types::GroupId;

use super::coordinators;
use crate::coordinator::group::{Caller, Effect, GroupShard, Response};
use crate::dispatch::Context;
use crate::metadata::features;
use crate::reactor::Core;

/// Where groups and their offsets live.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// Read, delete, describe: all that may be done with a group.
const GROUP_OPERATIONS_ALL: i32 = 0b1_0100_1000;

/// What the caller may do with a group; not said unless asked for.
pub fn operations(asked: bool) -> i32 {
    if asked { GROUP_OPERATIONS_ALL } else { i32::MIN }
}

/// Whether groups of KIP-848 are served: `group.version`.
pub fn check_modern(core: &Core) -> Result<(), ErrorCode> {
    if core.image().feature(features::GROUP_VERSION) > 0 { Ok(()) } else { Err(ErrorCode::UnsupportedVersion) }
}

/// The Raft group of the partition that a consumer group belongs to.
pub fn shard_of(core: &Core, group: &str) -> Result<GroupId, ErrorCode> {
    let found = coordinators::partition_of(core, OFFSETS_TOPIC, group);
    found.map(|(_, group)| group).ok_or(ErrorCode::CoordinatorNotAvailable)
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
        core.ask_shard(shard, move |shard: &mut GroupShard, token, now| {
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
