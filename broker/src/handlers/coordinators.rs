//! What the APIs of all coordinators share: their topics, and which partition of them a name belongs to.

use std::collections::BTreeMap;

use thalweg_protocol::NodeId;
use thalweg_protocol::error::ErrorCode;
use thalweg_storage::types::GroupId;

use super::creation;
use crate::coordinator::partition_for;
use crate::dispatch::Context;
use crate::reactor::{Core, CoreId};

/// Creates a coordinator's topic if it is not there yet.
pub async fn ensure_topic(context: &Context, name: &str) -> Result<(), ErrorCode> {
    let core = &context.core;
    let image = core.image();
    if image.topic(name).is_some() {
        return Ok(());
    }
    let topic = creation::by_default(core, &image, name).map_err(|_| ErrorCode::CoordinatorNotAvailable)?;
    match creation::create(core, vec![topic]).await.pop() {
        Some(Ok(_)) => Ok(()),
        Some(Err(refused)) if refused.code == ErrorCode::TopicAlreadyExists => Ok(()),
        _ => Err(ErrorCode::CoordinatorNotAvailable),
    }
}

/// The index and the Raft group of the partition of `topic` that coordinates `name`.
pub fn partition_of(core: &Core, topic: &str, name: &str) -> Option<(i32, GroupId)> {
    let image = core.image();
    let topic = image.topic(topic)?;
    let index = partition_for(name, u32::try_from(topic.partitions.len()).unwrap_or(u32::MAX));
    topic.partition(index).map(|info| (index.0, info.group))
}

/// The node that leads the partition of `topic` which coordinates `name`, if that is known.
pub fn leader_for(core: &Core, topic: &str, name: &str) -> Option<NodeId> {
    let image = core.image();
    let topic = image.topic(topic)?;
    let index = partition_for(name, u32::try_from(topic.partitions.len()).unwrap_or(u32::MAX));
    topic.partition(index)?.leadership.leader().node
}

/// Every partition of a coordinator's topic that this node leads, by the core that owns it.
pub fn all_shards(core: &Core, topic: &str) -> BTreeMap<CoreId, Vec<GroupId>> {
    let mut shards = BTreeMap::<CoreId, Vec<GroupId>>::new();
    let here = Some(core.shared.config.node_id);
    if let Some(topic) = core.image().topic(topic) {
        for info in topic.partitions.iter().filter(|info| info.leadership.leader().node == here) {
            shards.entry(core.owner(info.group)).or_default().push(info.group);
        }
    }
    shards
}
