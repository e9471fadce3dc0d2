//! What each command of the controller's log makes of the image.

use std::collections::BTreeMap;
use std::sync::Arc;

use thalweg_storage::types::GroupId;
use uuid::Uuid;

use super::{Broker, ClusterImage, Leadership, PartitionInfo, Topic};
use crate::controller::{Command, Outcome, Rejection};

impl ClusterImage {
    /// Applies one command. The same commands in the same order give the same image on every node.
    pub fn apply(&mut self, command: Command) -> Result<Outcome, Rejection> {
        self.version += 1;
        match command {
            Command::RegisterBroker { node_id, endpoints, rack } => {
                self.brokers.insert(node_id, Arc::new(Broker { node_id, endpoints, rack }));
                Ok(Outcome::Done)
            }
            Command::CreateTopic { name, id, internal, assignments, configs } => {
                self.create_topic(name, id, internal, assignments, configs)
            }
            Command::DeleteTopic { id } => self.delete_topic(id),
            Command::AddPartitions { id, existing, assignments } => self.add_partitions(id, existing, assignments),
            Command::SetTopicConfigs { id, set, unset } => {
                self.change_topic(id, |topic| change_configs(&mut topic.configs, set, &unset))
            }
            Command::SetBrokerConfigs { node_id, set, unset } => {
                let mut configs = self.broker_configs.get(&node_id).map(|old| (**old).clone()).unwrap_or_default();
                change_configs(&mut configs, set, &unset);
                self.broker_configs.insert(node_id, Arc::new(configs));
                Ok(Outcome::Done)
            }
            Command::SetFeatures { levels } => {
                self.features.extend(levels);
                Ok(Outcome::Done)
            }
            Command::SetClientMetrics { name, set, unset } => {
                let mut settings =
                    self.client_metrics.get(name.as_str()).map(|old| (**old).clone()).unwrap_or_default();
                change_configs(&mut settings, set, &unset);
                if settings.is_empty() {
                    self.client_metrics.remove(name.as_str());
                } else {
                    self.client_metrics.insert(name.into(), Arc::new(settings));
                }
                Ok(Outcome::Done)
            }
            Command::SetGroupConfigs { group, set, unset } => {
                let group: Arc<str> = group.into();
                let mut configs = self.group_configs.get(&group).map(|old| (**old).clone()).unwrap_or_default();
                change_configs(&mut configs, set, &unset);
                if configs.is_empty() {
                    self.group_configs.remove(&group);
                } else {
                    self.group_configs.insert(group, Arc::new(configs));
                }
                Ok(Outcome::Done)
            }
            Command::AllocateProducerIds { count, .. } => {
                let first = self.next_producer_id;
                self.next_producer_id = first.saturating_add(count);
                Ok(Outcome::ProducerIds(first))
            }
        }
    }

    fn create_topic(
        &mut self,
        name: String,
        id: Uuid,
        internal: bool,
        assignments: Vec<Vec<i32>>,
        configs: BTreeMap<String, String>,
    ) -> Result<Outcome, Rejection> {
        if self.topics.contains_key(name.as_str()) {
            return Err(Rejection::TopicExists(name));
        }
        let name: Arc<str> = name.into();
        let partitions = assignments.into_iter().map(|replicas| self.place(replicas)).collect();
        self.names.insert(id, Arc::clone(&name));
        self.topics_version = self.version;
        self.topics.insert(Arc::clone(&name), Arc::new(Topic { id, name, internal, partitions, configs }));
        Ok(Outcome::Done)
    }

    /// Gives a partition its group. Numbers are never used twice; 0 is the controller's.
    fn place(&mut self, replicas: Vec<i32>) -> PartitionInfo {
        self.next_group += 1;
        PartitionInfo { group: GroupId(self.next_group), replicas, leadership: Arc::new(Leadership::default()) }
    }

    fn delete_topic(&mut self, id: Uuid) -> Result<Outcome, Rejection> {
        let name = self.names.remove(&id).ok_or(Rejection::UnknownTopic)?;
        self.topics.remove(&name);
        self.topics_version = self.version;
        Ok(Outcome::Done)
    }

    fn add_partitions(&mut self, id: Uuid, existing: usize, assignments: Vec<Vec<i32>>) -> Result<Outcome, Rejection> {
        let count = self.topic_by_id(id).ok_or(Rejection::UnknownTopic)?.partitions.len();
        if count != existing {
            return Err(Rejection::PartitionsChanged(count));
        }
        let added: Vec<_> = assignments.into_iter().map(|replicas| self.place(replicas)).collect();
        self.topics_version = self.version;
        self.change_topic(id, |topic| topic.partitions.extend(added))
    }

    fn change_topic(&mut self, id: Uuid, change: impl FnOnce(&mut Topic)) -> Result<Outcome, Rejection> {
        let mut topic = Topic::clone(self.topic_by_id(id).ok_or(Rejection::UnknownTopic)?);
        change(&mut topic);
        self.topics.insert(Arc::clone(&topic.name), Arc::new(topic));
        Ok(Outcome::Done)
    }
}

fn change_configs(configs: &mut BTreeMap<String, String>, set: BTreeMap<String, String>, unset: &[String]) {
    configs.extend(set);
    for key in unset {
        configs.remove(key);
    }
}
