//! Where the topic's partitions are led, asked again whenever that may have changed.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use thalweg_protocol::ErrorCode;
use thalweg_protocol::messages::MetadataResponse;

use crate::client::Target;
use crate::client::cluster::{address, check, metadata};
use crate::client::creation::NewTopics;
use crate::client::wire::Connection;

/// For what is asked on the side: an answer that takes longer is asked for again, from another broker if there is one.
const TIMEOUT: Duration = Duration::from_secs(10);
const CREATED_WITHIN: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub(crate) struct Places {
    topic: String,
    /// As it was given, `host:port` and more of them between commas, and then every broker that was told of.
    brokers: Vec<String>,
    /// Of each partition, where one is known.
    leaders: Vec<Option<String>>,
}

impl Places {
    /// Finds the topic, or creates it, and waits until each partition has a leader.
    pub(crate) fn prepare(target: &Target, partitions: Option<u16>, replication: i16) -> Result<Self> {
        let brokers = target.bootstrap.split(',').map(|broker| broker.trim().to_owned()).collect();
        let mut places = Self { topic: target.topic.clone(), brokers, leaders: Vec::new() };
        let answer = places.ask()?;
        if answer.topics.first().is_some_and(|topic| topic.error_code == ErrorCode::UnknownTopicOrPartition.code()) {
            places.create(partitions.unwrap_or(1), replication)?;
        }
        let began = Instant::now();
        while let Err(error) = places.refresh() {
            if began.elapsed() > CREATED_WITHIN {
                return Err(error);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        if let Some(wanted) = partitions.filter(|wanted| usize::from(*wanted) != places.leaders.len()) {
            bail!(
                "topic {} has {} partitions, not {wanted}: leave --partitions out",
                places.topic,
                places.leaders.len()
            );
        }
        Ok(places)
    }

    /// Of how many partitions the topic is.
    pub(crate) fn partitions(&self) -> usize {
        self.leaders.len()
    }

    pub(crate) fn topic(&self) -> &str {
        &self.topic
    }

    /// `host:port` of a partition's leader.
    pub(crate) fn leader(&self, partition: usize) -> Option<&str> {
        self.leaders.get(partition).and_then(Option::as_deref)
    }

    /// A connection to any broker.
    pub(crate) fn any(&self) -> Result<Connection> {
        let mut last = anyhow!("--bootstrap names no broker");
        for broker in &self.brokers {
            match Connection::open(broker, TIMEOUT) {
                Ok(connection) => return Ok(connection),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Asks where the leaders are; fails where one of them is not known.
    pub(crate) fn refresh(&mut self) -> Result<()> {
        let answer = self.ask()?;
        let topic = answer.topics.first().context("the broker says nothing about the topic")?;
        check(&format!("topic {}", self.topic), topic.error_code)?;
        if topic.partitions.is_empty() || (topic.partitions.len() < self.leaders.len()) {
            bail!("topic {} has {} partitions of {}", self.topic, topic.partitions.len(), self.leaders.len());
        }
        let led_at = |leader| answer.brokers.iter().find(|broker| broker.node_id == leader).map(address);
        let mut leaders = vec![None; self.leaders.len().max(topic.partitions.len())];
        for partition in &topic.partitions {
            let index = usize::try_from(partition.partition_index).context("a partition with a negative index")?;
            let place = leaders.get_mut(index).context("the broker leaves out a partition")?;
            *place = led_at(partition.leader_id);
        }
        self.leaders = leaders;
        let without = self.leaders.iter().position(Option::is_none);
        without.map_or(Ok(()), |partition| bail!("partition {partition} has no leader"))
    }

    fn ask(&mut self) -> Result<MetadataResponse> {
        let answer = metadata(&mut self.any()?, Some(&self.topic))?;
        for broker in &answer.brokers {
            let address = address(broker);
            if !self.brokers.contains(&address) {
                self.brokers.push(address);
            }
        }
        Ok(answer)
    }

    fn create(&self, partitions: u16, replication: i16) -> Result<()> {
        let new = NewTopics {
            partitions: i32::from(partitions),
            replication,
            config: Vec::new(),
            patience: Duration::from_secs(30),
        };
        new.create(&mut self.any()?, &[self.topic.as_str()], false)
    }
}
