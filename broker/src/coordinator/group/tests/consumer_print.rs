//! Answers and records of consumer groups as text.

use std::collections::BTreeMap;

use thalweg_protocol::messages::ConsumerGroupHeartbeatResponse;
use thalweg_protocol::messages::consumer_group_describe_response::{Assignment, DescribedGroup};
use uuid::Uuid;

use super::print::{Names, error};
use crate::coordinator::group::consumer::ConsumerRecord;

impl Names {
    /// `t:0,1 u:2`
    pub(super) fn partitions<'a>(&self, topics: impl Iterator<Item = (Uuid, Vec<i32>)> + 'a) -> String {
        let named: BTreeMap<String, Vec<i32>> = topics
            .map(|(id, partitions)| (self.topics.get(&id).cloned().unwrap_or_else(|| id.to_string()), partitions))
            .collect();
        let topic = |(name, partitions): (&String, &Vec<i32>)| {
            let indexes: Vec<String> = partitions.iter().map(i32::to_string).collect();
            format!("{name}:{}", indexes.join(","))
        };
        let topics: Vec<String> = named.iter().map(topic).collect();
        if topics.is_empty() { "nothing".to_owned() } else { topics.join(" ") }
    }

    pub(super) fn beat(&mut self, beat: &ConsumerGroupHeartbeatResponse) -> String {
        if beat.error_code != 0 {
            let message = beat.error_message.as_deref().map_or_else(String::new, |message| format!(": {message}"));
            return format!("beat {}{message}", error(beat.error_code));
        }
        let member = beat.member_id.as_ref().map_or_else(|| "null".to_owned(), |id| self.name(id));
        let assigned = beat.assignment.as_ref().map_or_else(String::new, |assignment| {
            let topics = assignment.topic_partitions.iter().map(|topic| (topic.topic_id, topic.partitions.clone()));
            format!(" has {}", self.partitions(topics))
        });
        format!("beat {member} epoch={} every={}{assigned}", beat.member_epoch, beat.heartbeat_interval_ms)
    }

    pub(super) fn consumer_record(&mut self, record: &ConsumerRecord) -> String {
        let gone = " gone".to_owned();
        match record {
            ConsumerRecord::Epoch(value) => {
                let value = value.map_or(gone, |value| {
                    let known = if value.metadata_hash == 0 { " of no topics" } else { "" };
                    format!(" {}{known}", value.epoch)
                });
                format!("epoch{value}")
            }
            ConsumerRecord::TargetEpoch(value) => {
                format!("target-epoch{}", value.map_or(gone, |value| format!(" {}", value.epoch)))
            }
            ConsumerRecord::Member(id, value) => {
                let value = value.as_ref().map_or(gone, |member| {
                    let topics: Vec<&str> = member.topics.iter().map(|topic| &**topic).collect();
                    let regex =
                        if member.regex.is_empty() { String::new() } else { format!(" regex={}", &*member.regex) };
                    let instance =
                        member.instance_id.as_ref().map_or_else(String::new, |it| format!(" instance={}", &**it));
                    let classic = if member.classic.is_some() { " classic" } else { "" };
                    format!(" [{}]{regex}{instance}{classic}", topics.join(","))
                });
                format!("member {}{value}", self.name(id))
            }
            ConsumerRecord::Target(id, value) => {
                let value = value.as_ref().map_or(gone, |target| {
                    let topics = target.iter().map(|(id, partitions)| (*id, partitions.iter().copied().collect()));
                    format!(" {}", self.partitions(topics))
                });
                format!("target {}{value}", self.name(id))
            }
            ConsumerRecord::Current(id, value) => {
                let value = value.as_ref().map_or(gone, |current| {
                    let list = |owned: &BTreeMap<Uuid, BTreeMap<i32, i32>>| {
                        self.partitions(owned.iter().map(|(id, owned)| (*id, owned.keys().copied().collect())))
                    };
                    let (has, revokes) = (list(&current.assigned), list(&current.revoking));
                    let state = format!("{:?}", current.state).to_lowercase();
                    format!(" epoch={}/{} {state} has {has} revokes {revokes}", current.epoch, current.previous_epoch)
                });
                format!("current {}{value}", self.name(id))
            }
            ConsumerRecord::Regex(regex, value) => {
                let value = value.as_ref().map_or(gone, |resolved| {
                    let topics: Vec<&str> = resolved.topics.iter().map(|topic| &**topic).collect();
                    format!(" = [{}]", topics.join(","))
                });
                format!("regex {}{value}", &**regex)
            }
        }
    }

    pub(super) fn consumer(&mut self, group: &DescribedGroup) -> String {
        if group.error_code != 0 {
            let message = group.error_message.as_deref().unwrap_or_default();
            return format!("{}: {message}", error(group.error_code));
        }
        let mut text = format!(
            "{} epoch={} target={} by {}\n",
            group.group_state, group.group_epoch, group.assignment_epoch, group.assignor_name
        );
        for member in &group.members {
            let list = |assignment: &Assignment, names: &Self| {
                let topics = assignment.topic_partitions.iter();
                names.partitions(topics.map(|topic| (topic.topic_id, topic.partitions.clone())))
            };
            let (has, target) = (list(&member.assignment, self), list(&member.target_assignment, self));
            let topics: Vec<&str> = member.subscribed_topic_names.iter().map(|topic| topic.0.as_str()).collect();
            let regex =
                member.subscribed_topic_regex.as_ref().map_or_else(String::new, |it| format!(" regex={}", &**it));
            let kind = if member.member_type == 0 { " classic" } else { "" };
            text += &format!(
                "  {} epoch={} [{}]{regex}{kind} has {has} wants {target}\n",
                self.name(&member.member_id),
                member.member_epoch,
                topics.join(",")
            );
        }
        text
    }
}
