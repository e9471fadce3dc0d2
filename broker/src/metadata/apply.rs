//! What each command of the controller's log makes of the image.

use std::collections::BTreeMap;
use std::sync::Arc;

use thalweg_protocol::PartitionIndex;
use thalweg_storage::types::GroupId;
use uuid::Uuid;

use super::{Broker, ClusterImage, Leadership, PartitionInfo, Topic};
use crate::controller::{Command, Outcome, Rejection};

impl ClusterImage {
    /// Applies one command. The same commands in the same order give the same image on every node.
    pub fn apply(&mut self, command: Command) -> Result<Outcome, Rejection> {
        self.version += 1;
        match command {
            Command::RegisterBroker { node_id, endpoints, rack, rpc, directory_id } => {
                self.brokers.insert(node_id, Arc::new(Broker { node_id, endpoints, rack, rpc, directory_id }));
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
        if let Some(there) = self.topics.get(name.as_str()) {
            // The same command again: its proposer did not hear of the first.
            return if there.id == id { Ok(Outcome::Done) } else { Err(Rejection::TopicExists(name)) };
        }
        let name: Arc<str> = name.into();
        let indexed = assignments.into_iter().zip(0..);
        let partitions = indexed.map(|(replicas, index)| self.place(&name, PartitionIndex(index), replicas)).collect();
        self.names.insert(id, Arc::clone(&name));
        self.topics_version = self.version;
        self.topics.insert(Arc::clone(&name), Arc::new(Topic { id, name, internal, partitions, configs }));
        Ok(Outcome::Done)
    }

    /// Gives a partition its group. Numbers are never used twice; 0 is the controller's.
    fn place(&mut self, topic: &Arc<str>, index: PartitionIndex, replicas: Vec<i32>) -> PartitionInfo {
        self.next_group += 1;
        let group = GroupId(self.next_group);
        self.groups.insert(group, (Arc::clone(topic), index));
        let home = |node: &i32| self.brokers.get(node).map(|broker| broker.directory_id).unwrap_or_default();
        let homes = replicas.iter().map(home).collect();
        PartitionInfo { group, replicas, homes, leadership: Arc::new(Leadership::default()) }
    }

    fn delete_topic(&mut self, id: Uuid) -> Result<Outcome, Rejection> {
        let name = self.names.remove(&id).ok_or(Rejection::UnknownTopic)?;
        for info in self.topics.remove(&name).iter().flat_map(|topic| &topic.partitions) {
            self.groups.remove(&info.group);
        }
        self.topics_version = self.version;
        Ok(Outcome::Done)
    }

    fn add_partitions(&mut self, id: Uuid, existing: usize, assignments: Vec<Vec<i32>>) -> Result<Outcome, Rejection> {
        let topic = self.topic_by_id(id).ok_or(Rejection::UnknownTopic)?;
        let (name, count) = (Arc::clone(&topic.name), topic.partitions.len());
        if count != existing {
            return Err(Rejection::PartitionsChanged(count));
        }
        let indexed = assignments.into_iter().zip(existing..);
        let added: Vec<_> = indexed
            .map(|(replicas, index)| {
                let index = PartitionIndex(i32::try_from(index).unwrap_or(i32::MAX));
                self.place(&name, index, replicas)
            })
            .collect();
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
