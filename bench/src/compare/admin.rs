//! What is asked of a broker beside a load: topics gone, a setting changed, one record written.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail, ensure};
use thalweg_protocol::messages::delete_topics_request::DeleteTopicState;
use thalweg_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use thalweg_protocol::messages::{
    DeleteTopicsRequest, IncrementalAlterConfigsRequest, ProduceRequest, incremental_alter_configs_request as alter,
};
use thalweg_protocol::records::BatchBuilder;
use thalweg_protocol::{StrBytes, TimestampMs};

use super::interrupt::Interrupt;
use crate::client::cluster::{PRODUCE_VERSION, check, topic_name};
use crate::client::fetch::{FetchedTopic, Moment, list_offsets};
use crate::client::wire::Connection;

const LIMIT: Duration = Duration::from_secs(60);
/// Kafka's number for a topic among the resources that have settings.
const TOPIC: i8 = 2;
const DELETE_TOPICS_VERSION: i16 = 6;
const ALTER_CONFIGS_VERSION: i16 = 1;
/// Between two attempts to have a record acknowledged.
const RETRY: Duration = Duration::from_millis(2);

pub(super) fn delete_topics(bootstrap: &str, topics: &[String]) -> Result<()> {
    let states = topics.iter().map(|topic| DeleteTopicState::default().with_name(Some(topic_name(topic))));
    let request = DeleteTopicsRequest::default().with_topics(states.collect()).with_timeout_ms(60_000);
    let answer = Connection::open(bootstrap, LIMIT)?.call(&request, DELETE_TOPICS_VERSION)?;
    answer.responses.iter().try_for_each(|topic| check("deleting a topic", topic.error_code))
}

pub(super) fn set_topic_config(bootstrap: &str, topic: &str, key: &str, value: &str) -> Result<()> {
    let text = |text: &str| StrBytes::from_string(text.to_owned());
    let config = alter::AlterableConfig::default().with_name(text(key)).with_value(Some(text(value)));
    let resource = alter::AlterConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(text(topic))
        .with_configs(vec![config]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    let answer = Connection::open(bootstrap, LIMIT)?.call(&request, ALTER_CONFIGS_VERSION)?;
    let answer = answer.responses.first().context("the broker's answer names no resource")?;
    check(&format!("{key} of topic {topic}"), answer.error_code)
}

/// The records ever written to a topic's partitions; none while one of them is not led by this broker yet: Kafka says in
/// its metadata that it leads a partition before it does.
pub(super) fn records(bootstrap: &str, topic: &str, partitions: u64) -> Result<Option<i64>> {
    let topics = [FetchedTopic { name: topic_name(topic), id: uuid::Uuid::nil() }];
    let asked: Vec<(usize, i32)> = (0..i32::try_from(partitions)?).map(|partition| (0, partition)).collect();
    let mut connection = Connection::open(bootstrap, LIMIT)?;
    let ends = list_offsets(&mut connection, &topics, &asked, Moment::Latest { read_committed: false })?;
    if ends.len() != asked.len() {
        return Ok(None);
    }
    Ok(ends.into_iter().map(|(_, end)| end.ok()).sum())
}

/// Waits until this broker leads every partition of a topic.
pub(super) fn await_led(
    bootstrap: &str,
    topic: &str,
    partitions: u64,
    limit: Duration,
    interrupt: &Interrupt,
) -> Result<()> {
    let deadline = Instant::now() + limit;
    while records(bootstrap, topic, partitions)?.is_none() {
        interrupt.check()?;
        ensure!(Instant::now() < deadline, "topic {topic}: not every partition is led after {} s", limit.as_secs());
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Tries until partition 0 of the topic has taken a record.
pub(super) fn await_acknowledged(bootstrap: &str, topic: &str, limit: Duration, interrupt: &Interrupt) -> Result<()> {
    let deadline = Instant::now() + limit;
    loop {
        interrupt.check()?;
        match write_one(bootstrap, topic) {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() > deadline => {
                return Err(error.context(format!("no record was acknowledged within {} s", limit.as_secs())));
            }
            Err(_) => std::thread::sleep(RETRY),
        }
    }
}

fn write_one(bootstrap: &str, topic: &str) -> Result<()> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let mut batch = BatchBuilder::new();
    batch.push(TimestampMs(i64::try_from(now.as_millis())?), None, Some(&[7; 100]), &[])?;
    let partition = PartitionProduceData::default().with_index(0).with_records(Some(batch.build()?.freeze()));
    let data = TopicProduceData::default().with_name(topic_name(topic)).with_partition_data(vec![partition]);
    let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(30_000).with_topic_data(vec![data]);
    let answer = Connection::open(bootstrap, LIMIT)?.call(&request, PRODUCE_VERSION)?;
    let partition = answer.responses.first().and_then(|topic| topic.partition_responses.first());
    match partition {
        Some(partition) => check("a record", partition.error_code),
        None => bail!("the broker's answer names no partition"),
    }
}
