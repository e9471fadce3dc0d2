//! The commands of scripts that are about consumer groups, topics and the settings of groups.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use thalweg_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use thalweg_protocol::messages::{ConsumerGroupHeartbeatRequest, GroupId, TopicName};
use uuid::Uuid;

use super::bench::{Bench, pairs, string, subscription};
use super::script::Command;
use crate::controller::Command as Change;
use crate::coordinator::group::{Assignor, MigrationPolicy};
use crate::metadata::ClusterImage;

/// Makes a topic of this size, or grows it.
pub(super) fn put_topic(image: &mut ClusterImage, name: &str, partitions: usize) {
    let replicas = |count: usize| vec![vec![1]; count];
    let change = match image.topic(name) {
        Some(topic) => {
            let existing = topic.partitions.len();
            Change::AddPartitions { id: topic.id, existing, assignments: replicas(partitions - existing) }
        }
        None => Change::CreateTopic {
            name: name.to_owned(),
            id: Uuid::from_u128(u128::from(image.version) + 1),
            internal: false,
            assignments: replicas(partitions),
            configs: BTreeMap::new(),
        },
    };
    image.apply(change).unwrap();
}

/// A classic member's subscription of version 3 that says what it has, as `t:0,t:1`.
pub(super) fn subscription_with(topics: &str, owned: &str) -> Bytes {
    let mut bytes = BytesMut::from(&*subscription(topics));
    bytes[1] = 3;
    let mut by_topic: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for (topic, index) in pairs(owned) {
        by_topic.entry(topic).or_default().push(index.parse().unwrap());
    }
    bytes.put_i32(by_topic.len() as i32);
    for (topic, partitions) in by_topic {
        bytes.put_i16(topic.len() as i16);
        bytes.put_slice(topic.as_bytes());
        bytes.put_i32(partitions.len() as i32);
        partitions.iter().for_each(|index| bytes.put_i32(*index));
    }
    bytes.put_i32(-1);
    bytes.put_i16(-1);
    bytes.freeze()
}

impl Bench {
    /// `topics t=3 u=2`
    pub(super) fn topics(&mut self, command: &Command) {
        for (name, partitions) in command.all() {
            put_topic(&mut self.image, name, partitions.parse().unwrap());
            let id = self.image.topic(name).unwrap().id;
            self.names.topics.insert(id, name.to_owned());
        }
        self.shard.set_image(Arc::new(self.image.clone()));
    }

    pub(super) fn topic_gone(&mut self, name: &str) {
        let id = self.image.topic(name).unwrap().id;
        self.image.apply(Change::DeleteTopic { id }).unwrap();
        self.shard.set_image(Arc::new(self.image.clone()));
    }

    /// `group-config session=50000`
    pub(super) fn group_config(&mut self, command: &Command) {
        let key = |name: &str| format!("consumer.{name}.ms");
        let named = [
            ("session", key("session.timeout")),
            ("beat", key("heartbeat.interval")),
            ("assignment", key("assignment.interval")),
        ];
        let set = named.iter().filter_map(|(name, key)| Some((key.clone(), command.get(name)?.to_owned()))).collect();
        let group = command.text("group", "g").to_owned();
        self.image.apply(Change::SetGroupConfigs { group, set, unset: Vec::new() }).unwrap();
        self.shard.set_image(Arc::new(self.image.clone()));
    }

    pub(super) fn configure_consumer(&mut self, command: &Command) {
        let share = &mut self.config.share;
        share.assignment_interval_ms = command.number("interval", share.assignment_interval_ms);
        let config = &mut self.config.consumer;
        config.assignment_interval_ms = command.number("interval", config.assignment_interval_ms);
        config.group_size_max = command.number("consumers", config.group_size_max);
        if let Some(policy) = command.get("migration") {
            config.migration = MigrationPolicy::named(policy).unwrap();
        }
        if let Some(assignors) = command.get("assignors") {
            config.assignors = pairs(assignors).iter().map(|(name, _)| Assignor::named(name).unwrap()).collect();
        }
    }

    /// `beat member=A epoch=0 topics=t,u owned=t:0,t:1`. What is not given is not said, but who joins subscribes to `t`
    /// unless told otherwise, and has nothing; `owned=none` says that nothing is left.
    pub(super) fn beat(&self, command: &Command) -> ConsumerGroupHeartbeatRequest {
        let epoch = command.number("epoch", 0);
        let joins = epoch == 0;
        let topics = command.get("topics").or(if joins && command.get("regex").is_none() { Some("t") } else { None });
        let topics = topics.map(|topics| pairs(topics).iter().map(|(topic, _)| TopicName(string(topic))).collect());
        let owned = command.get("owned").or(if joins { Some("none") } else { None }).map(|owned| self.owned(owned));
        ConsumerGroupHeartbeatRequest::default()
            .with_group_id(GroupId(string(command.text("group", "g"))))
            .with_member_id(self.member(command))
            .with_member_epoch(epoch)
            .with_instance_id(command.get("instance").map(string))
            .with_rack_id(command.get("rack").map(string))
            .with_rebalance_timeout_ms(command.number("rebalance", if joins { 60_000 } else { -1 }))
            .with_subscribed_topic_names(topics)
            .with_subscribed_topic_regex(command.get("regex").map(string))
            .with_server_assignor(command.get("assignor").map(string))
            .with_topic_partitions(owned)
    }

    fn owned(&self, text: &str) -> Vec<TopicPartitions> {
        let mut by_topic: BTreeMap<Uuid, Vec<i32>> = BTreeMap::new();
        for (topic, index) in pairs(text).into_iter().filter(|(topic, _)| *topic != "none") {
            let id = self.image.topic(topic).unwrap().id;
            by_topic.entry(id).or_default().push(index.parse().unwrap());
        }
        let topic = |(id, partitions)| TopicPartitions::default().with_topic_id(id).with_partitions(partitions);
        by_topic.into_iter().map(topic).collect()
    }

    pub(super) fn describe_consumer(&mut self, group: &str) -> String {
        let described = self.shard.describe_consumer(&GroupId(string(group)));
        self.names.consumer(&described)
    }
}
