//! Offsets of a consumer group: who may commit and fetch them, by the member's epoch.

use thalweg_protocol::messages::{OffsetCommitRequest, TxnOffsetCommitRequest};
use uuid::Uuid;

use super::group::ConsumerGroup;
use super::member::Member;
use super::record::Kind;
use super::topics::Cluster;
use crate::coordinator::group::ErrorCode;

/// Members of the consumer protocol must use this version of OffsetCommit, or a newer one.
const COMMIT_VERSION_MIN: i16 = 9;

impl ConsumerGroup {
    /// Share groups commit nothing.
    pub(in crate::coordinator::group) fn check_has_offsets(&self) -> Result<(), ErrorCode> {
        if self.kind == Kind::Share { Err(ErrorCode::GroupIdNotFound) } else { Ok(()) }
    }

    /// Kafka's `ConsumerGroup.validateOffsetCommit`.
    pub(in crate::coordinator::group) fn check_commit(
        &self,
        request: &OffsetCommitRequest,
        version: i16,
    ) -> Result<(), ErrorCode> {
        let epoch = request.generation_id_or_member_epoch;
        // An administrator, or somebody who assigns partitions to itself.
        if epoch < 0 && self.is_empty() {
            return Ok(());
        }
        let member = self.member(&request.member_id).ok_or(ErrorCode::UnknownMemberId)?;
        if !member.is_classic() && version < COMMIT_VERSION_MIN {
            return Err(ErrorCode::UnsupportedVersion);
        }
        let partitions = request
            .topics
            .iter()
            .flat_map(|topic| topic.partitions.iter().map(|partition| (topic.topic_id, partition.partition_index)));
        check_epoch(member, epoch, partitions)
    }

    /// The same within a transaction. Who names no member may commit whoever is in the group; an epoch of the past is told as
    /// clients of transactions know it.
    pub(in crate::coordinator::group) fn check_commit_in_transaction(
        &self,
        request: &TxnOffsetCommitRequest,
        cluster: &Cluster,
    ) -> Result<(), ErrorCode> {
        self.check_has_offsets()?;
        let epoch = request.generation_id;
        let names_member = !request.member_id.is_empty() || request.group_instance_id.is_some();
        if epoch < 0 && (self.is_empty() || !names_member) {
            return Ok(());
        }
        let member = self.member(&request.member_id).ok_or(ErrorCode::UnknownMemberId)?;
        let partitions = request.topics.iter().flat_map(|topic| {
            let id = cluster.topic(&topic.name).map(|topic| topic.id).unwrap_or_default();
            topic.partitions.iter().map(move |partition| (id, partition.partition_index))
        });
        check_epoch(member, epoch, partitions).map_err(|_| ErrorCode::IllegalGeneration)
    }

    /// Kafka's `ConsumerGroup.validateOffsetFetch`.
    pub(in crate::coordinator::group) fn check_fetch(&self, member: Option<&str>, epoch: i32) -> Result<(), ErrorCode> {
        let Some(id) = member.filter(|id| epoch >= 0 || !id.is_empty()) else { return Ok(()) };
        let member = self.member(id).ok_or(ErrorCode::UnknownMemberId)?;
        if epoch == member.current.epoch { Ok(()) } else { Err(stale(member)) }
    }
}

/// An epoch of the past is good for partitions that the member has had since then (KIP-1251): a commit may be on its way
/// while the member goes on to its next epoch.
fn check_epoch(
    member: &Member,
    epoch: i32,
    mut partitions: impl Iterator<Item = (Uuid, i32)>,
) -> Result<(), ErrorCode> {
    let current = member.current.epoch;
    let since = |(topic, index)| member.epoch_of(topic, index).is_some_and(|since| since <= epoch);
    if epoch == current || (epoch < current && partitions.all(since)) { Ok(()) } else { Err(stale(member)) }
}

fn stale(member: &Member) -> ErrorCode {
    if member.is_classic() { ErrorCode::IllegalGeneration } else { ErrorCode::StaleMemberEpoch }
}
