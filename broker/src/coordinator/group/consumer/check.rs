//! What is refused before a group is looked at, in Kafka's order and words.

use std::rc::Rc;

use thalweg_protocol::messages::ConsumerGroupHeartbeatRequest;

use super::assignor::Assignor;
use super::config::ConsumerConfig;
use super::member::{EPOCH_JOIN, EPOCH_LEFT, EPOCH_LEFT_FOR_NOW, Member};
use super::refusal::Refusal;
use crate::coordinator::group::ErrorCode;
use crate::coordinator::group::limits::{INSTANCE_ID_LENGTH_MAX, STRING_LENGTH_MAX};

/// From this version on members choose their ids themselves.
const OWN_MEMBER_ID_VERSION: i16 = 1;

/// Kafka's `GroupCoordinatorService.throwIfConsumerGroupHeartbeatRequestIsInvalid`, and the limits of what is kept.
pub(super) fn heartbeat(
    request: &ConsumerGroupHeartbeatRequest,
    version: i16,
    config: &ConsumerConfig,
) -> Result<(), Refusal> {
    let epoch = request.member_epoch;
    if version >= OWN_MEMBER_ID_VERSION || epoch > EPOCH_JOIN || epoch == EPOCH_LEFT {
        given(Some(&request.member_id), "MemberId can't be empty.")?;
    }
    given(Some(&request.group_id), "GroupId can't be empty.")?;
    given(request.instance_id.as_deref(), "InstanceId can't be empty.")?;
    given(request.rack_id.as_deref(), "RackId can't be empty.")?;
    match epoch {
        EPOCH_JOIN => join(request)?,
        EPOCH_LEFT_FOR_NOW if request.instance_id.is_none() => {
            return Err(Refusal::invalid("InstanceId can't be null."));
        }
        ..EPOCH_LEFT_FOR_NOW => return Err(Refusal::invalid("MemberEpoch is invalid.")),
        _ => {}
    }
    if let Some(wanted) = &request.server_assignor {
        assignor(wanted, config)?;
    }
    sizes(request)
}

fn join(request: &ConsumerGroupHeartbeatRequest) -> Result<(), Refusal> {
    if request.rebalance_timeout_ms == -1 {
        return Err(Refusal::invalid("RebalanceTimeoutMs must be provided in first request."));
    }
    if request.topic_partitions.as_ref().is_none_or(|topics| !topics.is_empty()) {
        return Err(Refusal::invalid("TopicPartitions must be empty when (re-)joining."));
    }
    if request.subscribed_topic_names.is_none() && request.subscribed_topic_regex.is_none() {
        return Err(Refusal::invalid(
            "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
        ));
    }
    Ok(())
}

fn assignor(wanted: &str, config: &ConsumerConfig) -> Result<(), Refusal> {
    if Assignor::named(wanted).is_some_and(|assignor| config.assignors.contains(&assignor)) {
        return Ok(());
    }
    let supported: Vec<&str> = config.assignors.iter().map(|assignor| assignor.name()).collect();
    let message = format!("ServerAssignor {wanted} is not supported. Supported assignors: {}.", supported.join(", "));
    Err(Refusal::new(ErrorCode::UnsupportedAssignor, message))
}

/// Text that may be missing, but not be empty.
fn given(text: Option<&str>, message: &str) -> Result<(), Refusal> {
    if text.is_some_and(|text| text.trim().is_empty()) { Err(Refusal::invalid(message)) } else { Ok(()) }
}

/// What the record formats can hold.
fn sizes(request: &ConsumerGroupHeartbeatRequest) -> Result<(), Refusal> {
    if request.group_id.len() > STRING_LENGTH_MAX {
        return Err(ErrorCode::InvalidGroupId.into());
    }
    let instance_id_length = request.instance_id.as_ref().map_or(0, |id| id.len());
    let rack_length = request.rack_id.as_ref().map_or(0, |id| id.len());
    if request.member_id.len() > STRING_LENGTH_MAX
        || instance_id_length > INSTANCE_ID_LENGTH_MAX
        || rack_length > STRING_LENGTH_MAX
    {
        return Err(Refusal::invalid("An id is too long."));
    }
    Ok(())
}

/// The static member is known, and the caller is it.
pub(super) fn instance<'a>(
    existing: Option<&'a Rc<Member>>,
    member: &str,
    instance: &str,
) -> Result<&'a Rc<Member>, Refusal> {
    let Some(existing) = existing else {
        return Err(Refusal::new(ErrorCode::UnknownMemberId, format!("Instance id {instance} is unknown.")));
    };
    if &*existing.id != member {
        let by = &existing.id;
        let message = format!("Static member {member} with instance id {instance} was fenced by member {by}.");
        return Err(Refusal::new(ErrorCode::FencedInstanceId, message));
    }
    Ok(existing)
}

/// The place of a static member is free only once its owner has said that it will be back.
pub(super) fn released(existing: &Member, member: &str, instance: &str) -> Result<(), Refusal> {
    if existing.current.epoch == EPOCH_LEFT_FOR_NOW {
        return Ok(());
    }
    let owner = &existing.id;
    let message = format!(
        "Static member {member} with instance id {instance} cannot join the group because the instance id is owned by \
         {owner} member."
    );
    Err(Refusal::new(ErrorCode::UnreleasedInstanceId, message))
}
