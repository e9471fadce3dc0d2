//! ConsumerGroupDescribe: what of a group is durable.

use std::collections::BTreeMap;

use thalweg_protocol::StrBytes;
use thalweg_protocol::messages::consumer_group_describe_response::{
    Assignment, DescribedGroup, Member as DescribedMember, TopicPartitions,
};
use thalweg_protocol::messages::{GroupId, TopicName};
use uuid::Uuid;

use super::config::ConsumerConfig;
use super::group::ConsumerGroup;
use super::member::{Member, Partitions, without_epochs};
use super::record::Kind;
use super::refusal::Refusal;
use super::target::preferred_assignor;
use super::topics::Cluster;
use crate::coordinator::group::ErrorCode;
use crate::coordinator::group::shard::GroupShard;

/// Numbers of `MemberType` in the answer.
const CLASSIC_MEMBER: i8 = 0;
const CONSUMER_MEMBER: i8 = 1;

impl GroupShard {
    /// One group of a ConsumerGroupDescribe.
    #[must_use]
    pub fn describe_consumer(&self, id: &GroupId) -> DescribedGroup {
        let described = DescribedGroup::default().with_group_id(id.clone());
        if id.is_empty() {
            return described.with_error_code(ErrorCode::InvalidGroupId.code());
        }
        match self.try_describe_consumer(id) {
            Ok(group) => {
                let view = View { group, cluster: &self.cx.cluster };
                view.described(described, &self.cx.config.consumer)
            }
            Err(refusal) => described.with_error_code(refusal.code.code()).with_error_message(Some(refusal.message())),
        }
    }

    fn try_describe_consumer(&self, id: &str) -> Result<&ConsumerGroup, Refusal> {
        self.check_serving()?;
        let group = self.group(id).ok_or_else(|| Refusal::not_found(id))?;
        // One that is only about to be is not there yet.
        let comes = self.consumer_group(id).is_ok();
        let durable = group.modern.durable().filter(|group| group.kind == Kind::Consumer);
        durable.ok_or_else(|| if comes { Refusal::not_found(id) } else { Refusal::not_consumer(id) })
    }
}

/// A group, and the names of the topics in it.
struct View<'a> {
    group: &'a ConsumerGroup,
    cluster: &'a Cluster,
}

impl View<'_> {
    fn described(&self, described: DescribedGroup, config: &ConsumerConfig) -> DescribedGroup {
        described
            .with_group_state(StrBytes::from_static_str(self.group.state().name()))
            .with_group_epoch(self.group.epoch.epoch)
            .with_assignment_epoch(self.group.target_epoch.epoch)
            .with_assignor_name(StrBytes::from_static_str(preferred_assignor(self.group, &config.assignors).name()))
            .with_members(self.group.members.values().map(|member| self.member(member)).collect())
    }

    fn member(&self, member: &Member) -> DescribedMember {
        let metadata = &member.metadata;
        DescribedMember::default()
            .with_member_id(member.id.clone())
            .with_instance_id(metadata.instance_id.clone())
            .with_rack_id(metadata.rack_id.clone())
            .with_member_epoch(member.current.epoch)
            .with_client_id(metadata.client_id.clone())
            .with_client_host(metadata.client_host.clone())
            .with_subscribed_topic_names(metadata.topics.iter().cloned().map(TopicName).collect())
            .with_subscribed_topic_regex(metadata.regex().cloned())
            .with_assignment(self.assignment(&without_epochs(&member.current.assigned)))
            .with_target_assignment(self.assignment(&self.group.target_of(&member.id)))
            .with_member_type(if member.is_classic() { CLASSIC_MEMBER } else { CONSUMER_MEMBER })
    }

    /// Topics that are gone by now are left out.
    fn assignment(&self, partitions: &Partitions) -> Assignment {
        let named: BTreeMap<&str, Uuid> =
            partitions.keys().filter_map(|id| Some((self.cluster.name_of(*id)?, *id))).collect();
        let topic = |(name, id): (&str, Uuid)| {
            TopicPartitions::default()
                .with_topic_id(id)
                .with_topic_name(TopicName(StrBytes::from_string(name.to_owned())))
                .with_partitions(partitions.get(&id).into_iter().flatten().copied().collect())
        };
        Assignment::default().with_topic_partitions(named.into_iter().map(topic).collect())
    }
}
