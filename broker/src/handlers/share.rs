//! What the APIs of share groups have in common: acknowledging, releasing, and finding what is kept.

use std::rc::Rc;

use futures::future;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::GroupId as GroupName;
use thalweg_protocol::{PartitionIndex, StrBytes};
use thalweg_storage::types::GroupId;

use super::share_session::{Member, TopicIndex};
use super::{coordinators, groups};
use crate::coordinator::group::GroupShard;
use crate::coordinator::share::{Response, ShareStateShard, State, StateKey};
use crate::dispatch::Context;
use crate::metadata::{ClusterImage, features};
use crate::reactor::Core;
use crate::share::partition::Acknowledgement;

/// Where what share groups have done is kept.
pub const STATE_TOPIC: &str = "__share_group_state";

/// Whether share groups are served: `share.version`.
pub fn check_enabled(core: &Core) -> Result<(), ErrorCode> {
    if core.image().feature(features::SHARE_VERSION) > 0 { Ok(()) } else { Err(ErrorCode::UnsupportedVersion) }
}

/// Who asks; names that are missing are none.
pub fn member(group: Option<GroupName>, member: Option<StrBytes>) -> Result<Member, ErrorCode> {
    let group = group.map(|group| group.0).filter(|group| !group.is_empty()).ok_or(ErrorCode::InvalidGroupId)?;
    let id = member.filter(|id| !id.is_empty()).ok_or(ErrorCode::InvalidRequest)?;
    // What is kept of them must not pin the frame that they came in.
    let own = |text: &StrBytes| StrBytes::from_string(text.to_string());
    Ok(Member { group: own(&group), id: own(&id) })
}

/// The Raft group of a partition.
pub fn locate(image: &ClusterImage, (topic, index): TopicIndex) -> Result<GroupId, ErrorCode> {
    let topic = image.topic_by_id(topic).ok_or(ErrorCode::UnknownTopicId)?;
    topic.partition(PartitionIndex(index)).map(|info| info.group).ok_or(ErrorCode::UnknownTopicOrPartition)
}

/// What a member says of the records of one partition.
#[derive(Clone, Debug)]
pub struct Acknowledged {
    pub partition: TopicIndex,
    pub batches: Vec<Acknowledgement>,
}

/// Carries it out; answered once it is durable, partition by partition.
pub async fn acknowledge(context: &Context, member: &Member, all: Vec<Acknowledged>) -> Vec<(TopicIndex, ErrorCode)> {
    let image = context.core.image();
    let answers = all.into_iter().map(|Acknowledged { partition, batches }| {
        let found = locate(&image, partition);
        let key = StateKey { group: member.group.clone(), topic: partition.0, partition: partition.1 };
        let id = member.id.clone();
        async move {
            let group = match found {
                Ok(group) => group,
                Err(code) => return (partition, code),
            };
            let owner = context.core.owner(group);
            let asked = context.core.on(owner, move |core| acknowledge_here(core, group, key, id, batches));
            let result = asked.await.unwrap_or(Err(ErrorCode::NotLeaderOrFollower));
            (partition, result.err().unwrap_or(ErrorCode::None))
        }
    });
    future::join_all(answers).await
}

async fn acknowledge_here(
    core: Rc<Core>,
    group: GroupId,
    key: StateKey,
    member: StrBytes,
    batches: Vec<Acknowledgement>,
) -> Result<(), ErrorCode> {
    let hosted = core.share_partition(group, &key).await?;
    let change = hosted.with(|share| share.acknowledge(&member, &batches))??;
    let written = core.keep_share(&hosted, change);
    // What was released may go to others.
    hosted.wake();
    written.await.unwrap_or(Err(ErrorCode::NotLeaderOrFollower))
}

/// A member's session is over: what it still has may go to others.
pub async fn release(context: &Context, member: &Member, partitions: Vec<TopicIndex>) {
    let image = context.core.image();
    let found = partitions.into_iter().filter_map(|partition| Some((partition, locate(&image, partition).ok()?)));
    let released = found.map(|(_, group)| {
        let member = member.clone();
        context.core.on(context.core.owner(group), move |core| release_here(core, group, member))
    });
    future::join_all(released).await;
}

async fn release_here(core: Rc<Core>, group: GroupId, member: Member) {
    let Some(hosted) = core.shares.get(group, &member.group) else { return };
    if let Ok(Some(change)) = hosted.with(|share| share.release_member(&member.id)) {
        let written = core.keep_share(&hosted, change);
        hosted.wake();
        // It is free in any case: a new start gives it out again.
        let _ = written.await;
    }
}

/// Whether there is a share group of this id, and it has members.
pub async fn has_members(context: &Context, group: &StrBytes) -> Result<bool, ErrorCode> {
    let shard = groups::shard_of(&context.core, group).map_err(|_| ErrorCode::GroupIdNotFound)?;
    let group = group.clone();
    let asked = context.core.on(context.core.owner(shard), move |core: Rc<Core>| async move {
        let hosted = core.shard::<GroupShard>(shard).await?;
        hosted.shard.borrow().share_group_has_members(&group)
    });
    asked.await.unwrap_or(Err(ErrorCode::NotCoordinator))
}

/// What is kept of a group, over all partitions of the state topic.
pub async fn states(context: &Context, group: &StrBytes) -> Result<Vec<(StateKey, State)>, ErrorCode> {
    let parts = coordinators::all_shards(&context.core, STATE_TOPIC).into_iter().map(|(owner, shards)| {
        let group = group.clone();
        context.core.on(owner, move |core| states_here(core, shards, group))
    });
    let mut all = Vec::new();
    for part in future::join_all(parts).await {
        all.extend(part.unwrap_or(Err(ErrorCode::NotCoordinator))?);
    }
    Ok(all)
}

async fn states_here(
    core: Rc<Core>,
    shards: Vec<GroupId>,
    group: StrBytes,
) -> Result<Vec<(StateKey, State)>, ErrorCode> {
    let mut found = Vec::new();
    for shard in shards {
        let hosted = core.shard::<ShareStateShard>(shard).await?;
        let shard = hosted.shard.borrow();
        shard.check_serving()?;
        found.extend(shard.of_group(&group).map(|(key, state)| (key.clone(), state.clone())));
    }
    Ok(found)
}

/// Forgets what a group has done: all of it, or with one topic.
pub async fn forget(context: &Context, group: &StrBytes, topic: Option<uuid::Uuid>) -> Result<(), ErrorCode> {
    let parts = coordinators::all_shards(&context.core, STATE_TOPIC).into_iter().map(|(owner, shards)| {
        let group = group.clone();
        context.core.on(owner, move |core| forget_here(core, shards, group, topic))
    });
    for part in future::join_all(parts).await {
        part.unwrap_or(Err(ErrorCode::NotCoordinator))?;
    }
    reload(context, group, topic);
    Ok(())
}

async fn forget_here(
    core: Rc<Core>,
    shards: Vec<GroupId>,
    group: StrBytes,
    topic: Option<uuid::Uuid>,
) -> Result<(), ErrorCode> {
    for shard in shards {
        let group = group.clone();
        let asked = Rc::clone(&core).ask_shard(shard, move |shard: &mut ShareStateShard, token, now| {
            shard.delete(|key| key.group == group && topic.is_none_or(|id| key.topic == id), Some(token), now)
        });
        match asked.await? {
            Response::Written(result) => result?,
            Response::Read(_) => return Err(ErrorCode::UnknownServerError),
        }
    }
    Ok(())
}

/// What cores have in memory of a group is not so any more.
pub fn reload(context: &Context, group: &StrBytes, topic: Option<uuid::Uuid>) {
    for core in context.core.cores() {
        let group = group.clone();
        context.core.tell(core, move |core| core.reload_shares(&group, topic));
    }
}
