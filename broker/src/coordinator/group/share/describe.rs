//! ShareGroupDescribe: what of a group is durable.

use std::collections::BTreeMap;

use thalweg_protocol::StrBytes;
use thalweg_protocol::messages::share_group_describe_response::{
    Assignment, DescribedGroup, Member as DescribedMember, TopicPartitions,
};
use thalweg_protocol::messages::{GroupId, TopicName};

use super::heartbeat::not_share;
use crate::coordinator::group::ErrorCode;
use crate::coordinator::group::consumer::{Cluster, ConsumerGroup, Kind, Member, Refusal};
use crate::coordinator::group::shard::GroupShard;

/// The only assignor there is.
const ASSIGNOR: &str = "simple";

impl GroupShard {
    /// One group of a ShareGroupDescribe.
    #[must_use]
    pub fn describe_share(&self, id: &GroupId) -> DescribedGroup {
        let described = DescribedGroup::default().with_group_id(id.clone());
        if id.is_empty() {
            return described.with_error_code(ErrorCode::InvalidGroupId.code());
        }
        match self.try_describe_share(id) {
            Ok(group) => described
                .with_group_state(StrBytes::from_static_str(group.state_name()))
                .with_group_epoch(group.epoch.epoch)
                .with_assignment_epoch(group.target_epoch.epoch)
                .with_assignor_name(StrBytes::from_static_str(ASSIGNOR))
                .with_members(group.members.values().map(|member| told(member, &self.cx.cluster)).collect()),
            Err(refusal) => described.with_error_code(refusal.code.code()).with_error_message(Some(refusal.message())),
        }
    }

    fn try_describe_share(&self, id: &str) -> Result<&ConsumerGroup, Refusal> {
        self.check_serving()?;
        let group = self.group(id).ok_or_else(|| Refusal::not_found(id))?;
        let durable = group.modern.durable().filter(|group| group.kind == Kind::Share);
        durable.ok_or_else(|| if self.share_group(id).is_ok() { Refusal::not_found(id) } else { not_share(id) })
    }

    /// Whether there is a share group of this id, and it has members.
    pub fn share_group_has_members(&self, id: &str) -> Result<bool, ErrorCode> {
        self.check_serving()?;
        self.share_group(id).map(|group| !group.is_empty()).map_err(|refusal| refusal.code)
    }
}

fn told(member: &Member, cluster: &Cluster) -> DescribedMember {
    let metadata = &member.metadata;
    DescribedMember::default()
        .with_member_id(member.id.clone())
        .with_rack_id(metadata.rack_id.clone())
        .with_member_epoch(member.current.epoch)
        .with_client_id(metadata.client_id.clone())
        .with_client_host(metadata.client_host.clone())
        .with_subscribed_topic_names(metadata.topics.iter().cloned().map(TopicName).collect())
        .with_assignment(assignment(member, cluster))
}

/// Topics that are gone by now are left out.
fn assignment(member: &Member, cluster: &Cluster) -> Assignment {
    let assigned = &member.current.assigned;
    let named: BTreeMap<&str, _> =
        assigned.iter().filter_map(|(id, partitions)| Some((cluster.name_of(*id)?, (*id, partitions)))).collect();
    let topics = named.into_iter().map(|(name, (id, partitions))| {
        TopicPartitions::default()
            .with_topic_id(id)
            .with_topic_name(TopicName(StrBytes::from_string(name.to_owned())))
            .with_partitions(partitions.keys().copied().collect())
    });
    Assignment::default().with_topic_partitions(topics.collect())
}
