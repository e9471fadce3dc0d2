//! What a cluster says about itself: brokers, leaders, and its errors in words.

use anyhow::{Context, Result, bail};
use thalweg_protocol::messages::metadata_request::MetadataRequestTopic;
use thalweg_protocol::messages::metadata_response::MetadataResponseBroker;
use thalweg_protocol::messages::{MetadataRequest, MetadataResponse, TopicName};
use thalweg_protocol::{ErrorCode, StrBytes};

use crate::client::wire::Connection;

/// Served by every Kafka from 2.8 on.
const METADATA_VERSION: i16 = 9;

/// The oldest flexible version; every Kafka from 2.4 to 4 serves it.
pub(crate) const PRODUCE_VERSION: i16 = 9;

pub(crate) fn topic_name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

/// Brokers, and the topic if one is named.
pub(crate) fn metadata(connection: &mut Connection, topic: Option<&str>) -> Result<MetadataResponse> {
    let topics = topic.map(|topic| MetadataRequestTopic::default().with_name(Some(topic_name(topic))));
    let request = MetadataRequest::default()
        .with_topics(Some(topics.into_iter().collect()))
        .with_allow_auto_topic_creation(false);
    connection.call(&request, METADATA_VERSION)
}

/// How many partitions the topic has, all of them led by the one broker whose `host:port` is given too.
pub(crate) fn single_leader(answer: &MetadataResponse) -> Result<(i32, String)> {
    let topic = answer.topics.first().context("the broker says nothing about the topic")?;
    check("the topic", topic.error_code)?;
    let leader = topic.partitions.first().context("the topic has no partitions")?.leader_id;
    if topic.partitions.iter().any(|partition| partition.leader_id != leader || partition.error_code != 0) {
        bail!("not every partition is led by one and the same broker: this measures a single connection");
    }
    let broker = answer.brokers.iter().find(|broker| broker.node_id == leader).context("the leader is not known")?;
    Ok((i32::try_from(topic.partitions.len())?, address(broker)))
}

/// `host:port`, as the broker wants to be called.
pub(crate) fn address(broker: &MetadataResponseBroker) -> String {
    format!("{}:{}", broker.host.as_str(), broker.port)
}

pub(crate) fn check(what: &str, code: i16) -> Result<()> {
    error_name(code).map_or(Ok(()), |error| bail!("{what}: the broker answered {error}"))
}

/// The broker's error in words; `None` for none.
pub(crate) fn error_name(code: i16) -> Option<String> {
    match ErrorCode::from_code(code) {
        Some(error) if !error.is_error() => None,
        Some(error) => Some(error.name().to_owned()),
        None => Some(format!("error {code}")),
    }
}
