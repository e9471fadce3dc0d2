//! AlterShareGroupOffsets: v0 (KIP-932)
//!
//! Behaviour: lets a group without members begin elsewhere. What it has done with records from there on is forgotten.

use thalweg_protocol::StrBytes;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::alter_share_group_offsets_response::{
    AlterShareGroupOffsetsResponsePartition, AlterShareGroupOffsetsResponseTopic,
};
use thalweg_protocol::messages::{AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse};

use super::{coordinators, share};
use crate::coordinator::share::{Response, StateKey};
use crate::dispatch::Context;

pub async fn handle(context: Context, request: AlterShareGroupOffsetsRequest) -> AlterShareGroupOffsetsResponse {
    let response = AlterShareGroupOffsetsResponse::default();
    if let Err(code) = check(&context, &request.group_id.0).await {
        let message = StrBytes::from_static_str(code.name());
        return response.with_error_code(code.code()).with_error_message(Some(message));
    }
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let found = context.core.image().topic(topic.topic_name.0.as_str()).cloned();
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in &topic.partitions {
            let index = partition.partition_index;
            let result = match &found {
                Some(found) => {
                    let key = StateKey { group: request.group_id.0.clone(), topic: found.id, partition: index };
                    alter(&context, key, partition.start_offset).await
                }
                None => Err(ErrorCode::UnknownTopicOrPartition),
            };
            let code = result.err().unwrap_or(ErrorCode::None);
            let message = result.err().map(|code| StrBytes::from_static_str(code.name()));
            let answer = AlterShareGroupOffsetsResponsePartition::default().with_partition_index(index);
            partitions.push(answer.with_error_code(code.code()).with_error_message(message));
        }
        let answer = AlterShareGroupOffsetsResponseTopic::default().with_topic_name(topic.topic_name.clone());
        topics.push(answer.with_topic_id(found.map(|topic| topic.id).unwrap_or_default()).with_partitions(partitions));
    }
    share::reload(&context, &request.group_id.0, None);
    response.with_responses(topics)
}

/// The group must be there, and nobody in it.
pub async fn check(context: &Context, group: &StrBytes) -> Result<(), ErrorCode> {
    share::check_enabled(&context.core)?;
    coordinators::ensure_topic(context, share::STATE_TOPIC).await?;
    if share::has_members(context, group).await? { Err(ErrorCode::NonEmptyGroup) } else { Ok(()) }
}

async fn alter(context: &Context, key: StateKey, start_offset: i64) -> Result<(), ErrorCode> {
    let group = share::locate(&context.core.image(), (key.topic, key.partition));
    let group = group.map_err(|_| ErrorCode::UnknownTopicOrPartition)?;
    if start_offset < 0 {
        return Err(ErrorCode::InvalidRequest);
    }
    let owner = context.core.owner(group);
    let leader_epoch = context.core.on(owner, move |core| async move { core.leader_epoch(group) });
    let leader_epoch = leader_epoch.await.map_err(|_| ErrorCode::NotLeaderOrFollower)?;
    let of = key.clone();
    let asked = context
        .core
        .ask_share_state(&key, move |shard, token, now| shard.initialize(&of, start_offset, leader_epoch, token, now));
    match asked.await? {
        Response::Written(result) => result,
        Response::Read(_) => Err(ErrorCode::UnknownServerError),
    }
}
