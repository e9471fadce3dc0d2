//! The commands of scripts that are about share groups, and their answers as text.

use thalweg_protocol::messages::{GroupId, ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse, TopicName};

use super::bench::{Bench, pairs, string};
use super::print::{Names, error};
use crate::coordinator::script::Command;

impl Bench {
    /// `share-beat member=A epoch=0 topics=t,u`. Who joins subscribes to `t` unless told otherwise.
    pub(super) fn share_beat(&self, command: &Command) -> ShareGroupHeartbeatRequest {
        let epoch = command.number("epoch", 0);
        let topics = command.get("topics").or(if epoch == 0 { Some("t") } else { None });
        let topics = topics.map(|topics| pairs(topics).iter().map(|(topic, _)| TopicName(string(topic))).collect());
        ShareGroupHeartbeatRequest::default()
            .with_group_id(GroupId(string(command.text("group", "g"))))
            .with_member_id(self.member(command))
            .with_member_epoch(epoch)
            .with_rack_id(command.get("rack").map(string))
            .with_subscribed_topic_names(topics)
    }

    pub(super) fn describe_share(&mut self, group: &str) -> String {
        let described = self.shard.describe_share(&GroupId(string(group)));
        if described.error_code != 0 {
            return format!(
                "{}: {}",
                error(described.error_code),
                described.error_message.as_deref().unwrap_or_default()
            );
        }
        let mut text = format!(
            "{} epoch={} target={} by {}\n",
            described.group_state, described.group_epoch, described.assignment_epoch, described.assignor_name
        );
        for member in &described.members {
            let topics: Vec<&str> = member.subscribed_topic_names.iter().map(|topic| topic.0.as_str()).collect();
            let assigned = member.assignment.topic_partitions.iter();
            let has = self.names.partitions(assigned.map(|topic| (topic.topic_id, topic.partitions.clone())));
            let name = self.names.name(&member.member_id);
            text += &format!("  {name} epoch={} [{}] has {has}\n", member.member_epoch, topics.join(","));
        }
        text
    }
}

impl Names {
    pub(super) fn share_beat(&mut self, beat: &ShareGroupHeartbeatResponse) -> String {
        if beat.error_code != 0 {
            let message = beat.error_message.as_deref().map_or_else(String::new, |message| format!(": {message}"));
            return format!("share-beat {}{message}", error(beat.error_code));
        }
        let member = beat.member_id.as_ref().map_or_else(|| "null".to_owned(), |id| self.name(id));
        let assigned = beat.assignment.as_ref().map_or_else(String::new, |assignment| {
            let topics = assignment.topic_partitions.iter().map(|topic| (topic.topic_id, topic.partitions.clone()));
            format!(" has {}", self.partitions(topics))
        });
        format!("share-beat {member} epoch={} every={}{assigned}", beat.member_epoch, beat.heartbeat_interval_ms)
    }
}
