//! Committing a group's new offsets, in the name of nobody: that is allowed while the group has no members.

use std::collections::BTreeMap;

use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use thalweg_protocol::messages::{GroupId, OffsetCommitRequest, OffsetCommitResponse};

use super::reset::Change;
use crate::cli::Global;
use crate::cluster::{Cluster, text, topic_name};
use crate::coordinator;
use crate::failure::Failure;

pub(super) fn commit(cluster: &mut Cluster, global: &Global, changes: &[Change]) -> Result<(), Failure> {
    let mut groups: BTreeMap<&str, Vec<&Change>> = BTreeMap::new();
    for change in changes {
        groups.entry(&change.group).or_default().push(change);
    }
    for (group, changes) in groups {
        let answer = coordinator::call(cluster, global, group, &request(group, &changes), code_of)?;
        check(group, &answer)?;
    }
    Ok(())
}

fn request(group: &str, changes: &[&Change]) -> OffsetCommitRequest {
    let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
    for change in changes {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(change.partition)
            .with_committed_offset(change.after)
            .with_committed_leader_epoch(-1)
            .with_committed_metadata(Some(text("")));
        topics.entry(&change.topic).or_default().push(partition);
    }
    let topics = topics.into_iter().map(|(topic, partitions)| {
        OffsetCommitRequestTopic::default().with_name(topic_name(topic)).with_partitions(partitions)
    });
    OffsetCommitRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(topics.collect())
}

/// The first error. What concerns the group as a whole stands at every partition.
fn code_of(answer: &OffsetCommitResponse) -> i16 {
    let codes = answer.topics.iter().flat_map(|topic| &topic.partitions).map(|partition| partition.error_code);
    codes.into_iter().find(|code| *code != ErrorCode::None.code()).unwrap_or(0)
}

fn check(group: &str, answer: &OffsetCommitResponse) -> Result<(), Failure> {
    for topic in &answer.topics {
        for partition in &topic.partitions {
            match ErrorCode::from_code(partition.error_code) {
                Some(ErrorCode::None) => {}
                // That is what the coordinator calls a nobody in a group that has members.
                Some(code @ (ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration)) => {
                    return Err(Failure::new(format!("group `{group}` has members again: {}", code.name()))
                        .with_code(code)
                        .hint("stop them first; nothing of this group was changed"));
                }
                _ => {
                    let what =
                        format!("cannot move partition {} of topic `{}`", partition.partition_index, topic.name.0);
                    return Err(Failure::refused(what, partition.error_code, None));
                }
            }
        }
    }
    Ok(())
}
