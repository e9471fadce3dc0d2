//! The topics of a run: created where they are missing, and who leads their partitions.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use thalweg_protocol::ErrorCode;
use thalweg_protocol::messages::metadata_request::MetadataRequestTopic;
use thalweg_protocol::messages::metadata_response::MetadataResponseTopic;
use thalweg_protocol::messages::{ApiKey, MetadataRequest, MetadataResponse};

use super::scenario::Scenario;
use crate::client::cluster::{address, check, topic_name};
use crate::client::creation::NewTopics;
use crate::client::versions::Versions;
use crate::client::wire::Connection;

const TIMEOUT: Duration = Duration::from_secs(30);
/// Ten thousand new partitions take a while to find their leaders.
const CREATED_WITHIN: Duration = Duration::from_secs(120);

/// The topics as the brokers describe them.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Cluster {
    pub(crate) topics: Vec<Topic>,
    /// `host:port` of each leader, by its id.
    pub(crate) brokers: BTreeMap<i32, String>,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Topic {
    pub(crate) name: String,
    /// Nil where the broker is too old to say.
    pub(crate) id: uuid::Uuid,
    /// The leader of each partition, from 0 on.
    pub(crate) leaders: Vec<i32>,
}

impl Cluster {
    /// Asks one broker for the scenario's topics as they are now.
    pub(crate) fn find(scenario: &Scenario, bootstrap: &str) -> Result<Self> {
        let names = scenario.topics.names();
        describe(&Asking::open(bootstrap)?.metadata(&names)?, &names)
    }

    /// Finds the scenario's topics; creates those that are missing, if it says so.
    pub(crate) fn prepare(scenario: &Scenario) -> Result<Self> {
        let mut asking = Asking::open(&scenario.bootstrap)?;
        let names = scenario.topics.names();
        let answer = asking.metadata(&names)?;
        let missing: Vec<&str> = answer.topics.iter().filter(|topic| is_missing(topic)).filter_map(name_of).collect();
        if missing.is_empty() {
            return describe(&answer, &names);
        }
        if !scenario.topics.create {
            bail!("topic {} does not exist, and topics.create is false", missing.join(", "));
        }
        let topics = &scenario.topics;
        let new = NewTopics {
            partitions: topics.partitions,
            replication: topics.replication,
            config: topics.config.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
            patience: TIMEOUT,
        };
        new.create(&mut asking.connection, &missing, true)?;
        let began = Instant::now();
        loop {
            match describe(&asking.metadata(&names)?, &names) {
                Ok(cluster) => return Ok(cluster),
                Err(error) if began.elapsed() > CREATED_WITHIN => {
                    return Err(error.context("after creating the topics"));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

/// A connection for what is asked seldom.
struct Asking {
    connection: Connection,
    versions: Versions,
}

impl Asking {
    fn open(bootstrap: &str) -> Result<Self> {
        let mut connection = Connection::open(bootstrap, TIMEOUT)?;
        let versions = Versions::ask(&mut connection)?;
        Ok(Self { connection, versions })
    }

    fn metadata(&mut self, names: &[String]) -> Result<MetadataResponse> {
        let topics = names.iter().map(|name| MetadataRequestTopic::default().with_name(Some(topic_name(name))));
        let request =
            MetadataRequest::default().with_topics(Some(topics.collect())).with_allow_auto_topic_creation(false);
        self.connection.call(&request, self.versions.pick(ApiKey::Metadata, 4..=13)?)
    }
}

fn is_missing(topic: &MetadataResponseTopic) -> bool {
    topic.error_code == ErrorCode::UnknownTopicOrPartition.code()
}

fn name_of(topic: &MetadataResponseTopic) -> Option<&str> {
    topic.name.as_ref().map(|name| name.as_str())
}

fn describe(answer: &MetadataResponse, names: &[String]) -> Result<Cluster> {
    let described: BTreeMap<&str, &MetadataResponseTopic> =
        answer.topics.iter().filter_map(|topic| Some((name_of(topic)?, topic))).collect();
    let mut topics = Vec::new();
    for name in names {
        let topic =
            described.get(name.as_str()).with_context(|| format!("the broker says nothing about topic {name}"))?;
        check(&format!("topic {name}"), topic.error_code)?;
        let mut partitions: Vec<_> = topic.partitions.iter().collect();
        partitions.sort_by_key(|partition| partition.partition_index);
        let mut leaders = Vec::with_capacity(partitions.len());
        for (index, partition) in partitions.into_iter().enumerate() {
            if usize::try_from(partition.partition_index).ok() != Some(index) {
                bail!("topic {name}: the broker leaves out partition {index}");
            }
            if partition.leader_id.0 < 0 {
                bail!("topic {name}: partition {index} has no leader");
            }
            leaders.push(partition.leader_id.0);
        }
        if leaders.is_empty() {
            bail!("topic {name} has no partitions");
        }
        topics.push(Topic { name: name.clone(), id: topic.topic_id, leaders });
    }
    let mut brokers = BTreeMap::new();
    let leaders: BTreeSet<i32> = topics.iter().flat_map(|topic| topic.leaders.iter().copied()).collect();
    for leader in leaders {
        let broker = answer.brokers.iter().find(|broker| broker.node_id.0 == leader);
        let broker = broker.with_context(|| format!("the broker does not say where leader {leader} is"))?;
        brokers.insert(leader, address(broker));
    }
    Ok(Cluster { topics, brokers })
}
