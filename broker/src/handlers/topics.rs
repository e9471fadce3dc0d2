//! What several handlers need to know of topics and brokers.

use std::sync::Arc;

use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::{BrokerId, TopicName};
use thalweg_protocol::{LeaderEpoch, PartitionIndex, StrBytes};
use uuid::Uuid;

use crate::dispatch::Context;
use crate::limits::TOPIC_NAME_LENGTH_MAX;
use crate::metadata::{ClusterImage, Leader, Topic};

/// A topic by name, or by id where the API's version names it so.
pub fn find(image: &ClusterImage, by_id: bool, name: &TopicName, id: Uuid) -> Result<Arc<Topic>, ErrorCode> {
    if by_id {
        return image.topic_by_id(id).cloned().ok_or(ErrorCode::UnknownTopicId);
    }
    image.topic(name.0.as_str()).cloned().ok_or(ErrorCode::UnknownTopicOrPartition)
}

/// A name as the wire's type.
pub fn wire(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

/// Who leads a partition as far as this node knows: for clients that asked the wrong one (KIP-951).
pub fn leader(context: &Context, topic: &TopicName, id: Uuid, partition: i32) -> Leader {
    let image = context.core.image();
    let topic = if id.is_nil() { image.topic(topic.0.as_str()) } else { image.topic_by_id(id) };
    let info = topic.and_then(|topic| topic.partition(PartitionIndex(partition)));
    info.map_or(Leader { node: None, epoch: LeaderEpoch::NONE }, |info| info.leadership.leader())
}

/// Node ids as the wire's type.
pub fn broker_ids(nodes: &[i32]) -> Vec<BrokerId> {
    nodes.iter().map(|node| BrokerId(*node)).collect()
}

/// Where a broker is reached, in the wire's types.
pub struct BrokerAddress {
    pub node: i32,
    pub host: StrBytes,
    pub port: i32,
    pub rack: Option<StrBytes>,
}

/// Every broker, as seen by the listener that the client came in by.
pub fn endpoints(context: &Context) -> impl Iterator<Item = BrokerAddress> + use<> {
    let listener = context.peer.listener;
    let image = context.core.image();
    let brokers: Vec<_> = image.brokers.values().cloned().collect();
    brokers.into_iter().filter_map(move |broker| {
        let endpoint = broker.endpoints.get(listener).or_else(|| broker.endpoints.first())?;
        Some(BrokerAddress {
            node: broker.node_id,
            host: StrBytes::from_string(endpoint.host.clone()),
            port: i32::from(endpoint.port),
            rack: broker.rack.clone().map(StrBytes::from_string),
        })
    })
}

/// Why a topic may not have this name, in Kafka's terms (`Topic.validate`).
pub fn check_name(name: &str) -> Result<(), String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if name.is_empty() {
        Err("the empty string is not allowed".to_owned())
    } else if name == "." || name == ".." {
        Err(format!("'{name}' is not allowed"))
    } else if name.len() > TOPIC_NAME_LENGTH_MAX {
        Err(format!("the length of '{name}' is longer than the max allowed length {TOPIC_NAME_LENGTH_MAX}"))
    } else if !name.bytes().all(legal) {
        Err(format!("'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"))
    } else {
        Ok(())
    }
}

/// `.` and `_` are the same in metric names, so two topics that differ only there collide (`Topic.hasCollision`).
pub fn colliding<'a>(image: &'a ClusterImage, name: &str) -> Option<&'a str> {
    if !name.contains(['.', '_']) {
        return None;
    }
    let plain = |byte: u8| if byte == b'.' { b'_' } else { byte };
    let same =
        |other: &str| other.len() == name.len() && other.bytes().zip(name.bytes()).all(|(a, b)| plain(a) == plain(b));
    image.topics.keys().map(|other| &**other).find(|other| *other != name && same(other))
}

#[cfg(test)]
mod tests {
    use super::check_name;

    #[test]
    fn names_are_checked_as_kafka_does() {
        for good in ["a", "a.b_c-d", "0", "...", &"x".repeat(249)] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", ".", "..", "a b", "a/b", "ä", "a\0", &"x".repeat(250)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
