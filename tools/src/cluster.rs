//! The cluster as its metadata shows it, with a connection to each broker that is needed.

use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant};

use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::metadata_request::MetadataRequestTopic;
use thalweg_protocol::messages::metadata_response::MetadataResponseTopic;
use thalweg_protocol::messages::{MetadataRequest, MetadataResponse, TopicName};
use thalweg_protocol::{StrBytes, uuid_text};

use crate::cli::Global;
use crate::failure::Failure;
use crate::near::{either, near};
use crate::wire::{Call, Connection};

/// Kafka's port, where an address names none.
const PORT_DEFAULT: &str = "9092";
/// How often to look whether a change has arrived.
const METADATA_POLL: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(crate) struct Cluster {
    first: Connection,
    nodes: HashMap<i32, Connection>,
    timeout: Duration,
}

#[derive(Debug, Clone)]
pub(crate) struct Topic {
    pub(crate) name: String,
    /// In Kafka's spelling; `None` from brokers that have no topic ids.
    pub(crate) id: Option<String>,
    pub(crate) internal: bool,
    pub(crate) partitions: Vec<Partition>,
}

#[derive(Debug, Clone)]
pub(crate) struct Partition {
    pub(crate) index: i32,
    pub(crate) leader: Option<i32>,
    pub(crate) leader_epoch: Option<i32>,
    pub(crate) replicas: Vec<i32>,
    pub(crate) in_sync: Vec<i32>,
    pub(crate) offline: Vec<i32>,
}

impl Cluster {
    /// Connects to the first of the bootstrap addresses that answers.
    pub(crate) fn connect(global: &Global) -> Result<Self, Failure> {
        let timeout = global.timeout();
        let mut failed = Failure::usage("the bootstrap address is empty").hint("-b HOST:PORT");
        for address in addresses(&global.bootstrap) {
            match Connection::open(&address, timeout) {
                Ok(first) => return Ok(Self { first, nodes: HashMap::new(), timeout }),
                Err(failure) => failed = failure,
            }
        }
        Err(failed)
    }

    /// The broker that answered first; it answers whatever any broker can.
    pub(crate) fn any(&mut self) -> &mut Connection {
        &mut self.first
    }

    /// The broker with this id, at the address it advertises.
    pub(crate) fn node(&mut self, id: i32) -> Result<&mut Connection, Failure> {
        if !self.nodes.contains_key(&id) {
            let metadata = self.metadata(Some(&[]))?;
            let broker = metadata.brokers.iter().find(|broker| broker.node_id.0 == id).ok_or_else(|| {
                let known: Vec<_> = metadata.brokers.iter().map(|broker| broker.node_id.0.to_string()).collect();
                Failure::new(format!("no broker has the id {id}")).hint(format!("the cluster has {}", known.join(", ")))
            })?;
            let connection = Connection::open(&join(&broker.host, broker.port), self.timeout)?;
            self.nodes.insert(id, connection);
        }
        self.nodes.get_mut(&id).ok_or_else(|| Failure::new(format!("no connection to broker {id}")))
    }

    /// Sends to the controller what only it can do. KRaft brokers forward such requests, others name the controller.
    pub(crate) fn call_controller<C: Call>(&mut self, request: &C) -> Result<C::Response, Failure> {
        let controller = self.metadata(Some(&[]))?.controller_id.0;
        if controller < 0 {
            return Err(Failure::new("the cluster has no controller now").hint("try again in a moment"));
        }
        self.node(controller)?.call(request)
    }

    /// Raw metadata; `None` asks for every topic.
    pub(crate) fn metadata(&mut self, topics: Option<&[&str]>) -> Result<MetadataResponse, Failure> {
        let topics = topics.map(|names| {
            names.iter().map(|name| MetadataRequestTopic::default().with_name(Some(topic_name(name)))).collect()
        });
        self.first.call(&MetadataRequest::default().with_topics(topics).with_allow_auto_topic_creation(false))
    }

    /// Every topic, by name.
    pub(crate) fn topics(&mut self) -> Result<Vec<Topic>, Failure> {
        let mut topics: Vec<Topic> = self.metadata(None)?.topics.iter().map(Topic::from_metadata).collect();
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(topics)
    }

    /// One topic, or an error that names those with a similar name.
    pub(crate) fn topic(&mut self, name: &str) -> Result<Topic, Failure> {
        let metadata = self.metadata(Some(&[name]))?;
        let Some(found) = metadata.topics.first() else { return Err(self.unknown_topic(name)) };
        match ErrorCode::from_code(found.error_code) {
            // A topic whose leaders are being elected can still be described.
            Some(ErrorCode::None | ErrorCode::LeaderNotAvailable) => Ok(Topic::from_metadata(found)),
            Some(ErrorCode::UnknownTopicOrPartition) => Err(self.unknown_topic(name)),
            _ => Err(Failure::refused(format!("cannot look up topic `{name}`"), found.error_code, None)),
        }
    }

    /// Waits until metadata shows a change that the controller has made: brokers learn of it a moment later. Gives up
    /// quietly after the timeout, since the change itself is done.
    pub(crate) fn await_topic(
        &mut self,
        name: &str,
        changed: impl Fn(&MetadataResponseTopic) -> bool,
    ) -> Result<(), Failure> {
        let deadline = Instant::now() + self.timeout;
        while !self.metadata(Some(&[name]))?.topics.first().is_some_and(&changed) && Instant::now() < deadline {
            thread::sleep(METADATA_POLL);
        }
        Ok(())
    }

    /// There is no such topic; which ones are spelt nearly so?
    pub(crate) fn unknown_topic(&mut self, name: &str) -> Failure {
        let topics = self.topics().unwrap_or_default();
        let similar = near(name, topics.iter().map(|topic| topic.name.as_str()));
        let hint = if similar.is_empty() {
            format!("`thalweg topic list` shows all; create it with: thalweg topic create {name}")
        } else {
            format!("did you mean {}? Create it with: thalweg topic create {name}", either(&similar))
        };
        Failure::new(format!("there is no topic `{name}`")).with_code(ErrorCode::UnknownTopicOrPartition).hint(hint)
    }
}

impl Topic {
    fn from_metadata(topic: &MetadataResponseTopic) -> Self {
        let mut partitions: Vec<Partition> = topic
            .partitions
            .iter()
            .map(|partition| Partition {
                index: partition.partition_index,
                leader: known(partition.leader_id.0),
                leader_epoch: known(partition.leader_epoch),
                replicas: partition.replica_nodes.iter().map(|node| node.0).collect(),
                in_sync: partition.isr_nodes.iter().map(|node| node.0).collect(),
                offline: partition.offline_replicas.iter().map(|node| node.0).collect(),
            })
            .collect();
        partitions.sort_by_key(|partition| partition.index);
        Self {
            name: topic.name.as_ref().map(|name| name.0.to_string()).unwrap_or_default(),
            id: (!topic.topic_id.is_nil()).then(|| uuid_text(topic.topic_id.as_bytes())),
            internal: topic.is_internal,
            partitions,
        }
    }

    pub(crate) fn replication_factor(&self) -> usize {
        self.partitions.first().map_or(0, |partition| partition.replicas.len())
    }
}

/// Whether a topic has this many partitions, each with a leader: it can be written to.
pub(crate) fn is_ready(topic: &MetadataResponseTopic, partitions: usize) -> bool {
    topic.error_code == 0
        && topic.partitions.len() >= partitions
        && topic.partitions.iter().all(|partition| partition.leader_id.0 >= 0)
}

/// Kafka writes -1 for "there is none".
pub(crate) fn known<T: PartialOrd + Default>(number: T) -> Option<T> {
    (number >= T::default()).then_some(number)
}

pub(crate) fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

pub(crate) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// `host:port`, with brackets around an IPv6 address.
pub(crate) fn join(host: &str, port: i32) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// The addresses of a bootstrap list, each with a port.
fn addresses(list: &str) -> Vec<String> {
    list.split(',')
        .map(str::trim)
        .filter(|address| !address.is_empty())
        .map(|address| {
            let port = address.rsplit_once(':').is_some_and(|(host, _)| !host.contains(':') || host.ends_with(']'));
            if port {
                address.to_owned()
            } else if address.contains(':') && !address.starts_with('[') {
                format!("[{address}]:{PORT_DEFAULT}")
            } else {
                format!("{address}:{PORT_DEFAULT}")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{addresses, join};

    #[test]
    fn a_bootstrap_list_gets_ports_where_it_has_none() {
        assert_eq!(addresses("a, b:1,,[::1]:2,::1,[::1]"), ["a:9092", "b:1", "[::1]:2", "[::1]:9092", "[::1]:9092"]);
        assert_eq!(join("::1", 9092), "[::1]:9092");
    }
}
