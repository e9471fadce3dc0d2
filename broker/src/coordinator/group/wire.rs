//! Between the many versions of the group APIs and the one form that [`super::GroupShard`] speaks. Pure functions for
//! the handlers.

use thalweg_protocol::StrBytes;
use thalweg_protocol::messages::leave_group_request::MemberIdentity;
use thalweg_protocol::messages::leave_group_response::MemberResponse;
use thalweg_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use thalweg_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use thalweg_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponseTopic,
};
use thalweg_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use thalweg_protocol::messages::{
    LeaveGroupRequest, LeaveGroupResponse, OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest,
    OffsetFetchResponse, TxnOffsetCommitRequest, TxnOffsetCommitResponse,
};

use super::ErrorCode;

/// From this version on LeaveGroup names several members (KIP-345).
const LEAVE_SEVERAL_VERSION: i16 = 3;

/// From this version on OffsetFetch asks for several groups (KIP-709).
const FETCH_SEVERAL_VERSION: i16 = 8;

/// From this version on OffsetFetch has an error for the whole request.
const FETCH_ERROR_VERSION: i16 = 2;

/// Who is to leave.
pub(super) fn leaving_members(request: &LeaveGroupRequest, version: i16) -> Vec<MemberIdentity> {
    if version < LEAVE_SEVERAL_VERSION {
        vec![MemberIdentity::default().with_member_id(request.member_id.clone())]
    } else {
        request.members.clone()
    }
}

/// Old versions have room for the one member's error only.
pub(super) fn leave_response(results: Vec<MemberResponse>, version: i16) -> LeaveGroupResponse {
    if version < LEAVE_SEVERAL_VERSION {
        let code = results.first().map_or(0, |result| result.error_code);
        LeaveGroupResponse::default().with_error_code(code)
    } else {
        LeaveGroupResponse::default().with_members(results)
    }
}

/// An OffsetCommit that failed as a whole.
#[must_use]
pub fn commit_error(request: &OffsetCommitRequest, error: ErrorCode) -> OffsetCommitResponse {
    let mut response = OffsetCommitResponse::default();
    for topic in &request.topics {
        let mut failed = OffsetCommitResponseTopic::default().with_name(topic.name.clone());
        for partition in &topic.partitions {
            failed.partitions.push(
                OffsetCommitResponsePartition::default()
                    .with_partition_index(partition.partition_index)
                    .with_error_code(error.code()),
            );
        }
        response.topics.push(failed);
    }
    response
}

/// A TxnOffsetCommit that failed as a whole.
#[must_use]
pub fn txn_commit_error(request: &TxnOffsetCommitRequest, error: ErrorCode) -> TxnOffsetCommitResponse {
    let topics = request.topics.iter().map(|topic| {
        let failed = |index| {
            TxnOffsetCommitResponsePartition::default().with_partition_index(index).with_error_code(error.code())
        };
        let partitions = topic.partitions.iter().map(|partition| failed(partition.partition_index)).collect();
        TxnOffsetCommitResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions)
    });
    TxnOffsetCommitResponse::default().with_topics(topics.collect())
}

/// The groups that an OffsetFetch asks for. Each goes to its own shard.
#[must_use]
pub fn fetched_groups(request: &OffsetFetchRequest, version: i16) -> Vec<OffsetFetchRequestGroup> {
    if version >= FETCH_SEVERAL_VERSION {
        return request.groups.clone();
    }
    let topics = request.topics.as_ref().map(|topics| {
        let topic = |topic: &thalweg_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic| {
            OffsetFetchRequestTopics::default()
                .with_name(topic.name.clone())
                .with_partition_indexes(topic.partition_indexes.clone())
        };
        topics.iter().map(topic).collect()
    });
    vec![OffsetFetchRequestGroup::default().with_group_id(request.group_id.clone()).with_topics(topics)]
}

/// Puts the groups' answers together. `asked` is what [`fetched_groups`] gave: before version 2 an error can only be told
/// of each partition, so the partitions must be known.
#[must_use]
pub fn fetch_response(
    asked: &[OffsetFetchRequestGroup],
    answers: Vec<OffsetFetchResponseGroup>,
    version: i16,
) -> OffsetFetchResponse {
    if version >= FETCH_SEVERAL_VERSION {
        return OffsetFetchResponse::default().with_groups(answers);
    }
    let Some(answer) = answers.into_iter().next() else { return OffsetFetchResponse::default() };
    let code = answer.error_code;
    if code != 0 && version < FETCH_ERROR_VERSION {
        let topics = asked.iter().flat_map(|group| group.topics.iter().flatten());
        return OffsetFetchResponse::default().with_topics(topics.map(|topic| failed_topic(topic, code)).collect());
    }
    let topics = answer.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|partition| {
            OffsetFetchResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_committed_offset(partition.committed_offset)
                .with_committed_leader_epoch(partition.committed_leader_epoch)
                .with_metadata(partition.metadata)
                .with_error_code(partition.error_code)
        });
        OffsetFetchResponseTopic::default().with_name(topic.name).with_partitions(partitions.collect())
    });
    OffsetFetchResponse::default().with_topics(topics.collect()).with_error_code(code)
}

fn failed_topic(topic: &OffsetFetchRequestTopics, code: i16) -> OffsetFetchResponseTopic {
    let partition = |index: &i32| {
        OffsetFetchResponsePartition::default()
            .with_partition_index(*index)
            .with_committed_offset(-1)
            .with_committed_leader_epoch(-1)
            .with_metadata(Some(StrBytes::default()))
            .with_error_code(code)
    };
    OffsetFetchResponseTopic::default()
        .with_name(topic.name.clone())
        .with_partitions(topic.partition_indexes.iter().map(partition).collect())
}
