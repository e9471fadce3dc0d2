//! Making topics: what CreateTopics, CreatePartitions, auto-creation and the coordinators share.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use thalweg_protocol::error::ErrorCode;
use uuid::Uuid;

use super::topics;
use crate::controller::{Command, ControllerError, LOG_TOPIC, Rejection};
use crate::metadata::ClusterImage;
use crate::reactor::Core;

/// A topic that may be created.
#[derive(Clone, Debug)]
pub struct NewTopic {
    pub name: String,
    pub internal: bool,
    pub assignments: Vec<Vec<i32>>,
    pub configs: BTreeMap<String, String>,
}

/// Why not, in Kafka's code and words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    pub code: ErrorCode,
    pub message: String,
}

impl Refused {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl From<ControllerError> for Refused {
    fn from(error: ControllerError) -> Self {
        let code = match &error {
            ControllerError::Rejected(Rejection::TopicExists(_)) => ErrorCode::TopicAlreadyExists,
            ControllerError::Rejected(Rejection::UnknownTopic) => ErrorCode::UnknownTopicOrPartition,
            ControllerError::Rejected(Rejection::PartitionsChanged(_)) => ErrorCode::InvalidPartitions,
            ControllerError::NotController => ErrorCode::NotController,
            ControllerError::Unheard => ErrorCode::RequestTimedOut,
            ControllerError::TimedOut(_) => ErrorCode::RequestTimedOut,
            ControllerError::Unwritable(_) => ErrorCode::KafkaStorageError,
            ControllerError::Stopping(_) => ErrorCode::BrokerNotAvailable,
        };
        Self::new(code, error.to_string())
    }
}

/// A name that is legal, free and not confusable with another.
pub fn check_free(image: &ClusterImage, name: &str) -> Result<(), Refused> {
    topics::check_name(name)
        .map_err(|why| Refused::new(ErrorCode::InvalidTopicException, format!("Topic name is invalid: {why}")))?;
    // Its directory stands beside those of the topics.
    if name == LOG_TOPIC {
        let message = format!("Creation of internal topic {name} is prohibited.");
        return Err(Refused::new(ErrorCode::InvalidRequest, message));
    }
    if image.topic(name).is_some() {
        return Err(Refused::new(ErrorCode::TopicAlreadyExists, format!("Topic '{name}' already exists.")));
    }
    if let Some(other) = topics::colliding(image, name) {
        let message = format!("Topic '{name}' collides with existing topic: {other}");
        return Err(Refused::new(ErrorCode::InvalidTopicException, message));
    }
    Ok(())
}

/// Replicas for `count` partitions behind `existing` ones: brokers in turn, `factor` of them each.
pub fn assign(image: &ClusterImage, existing: usize, count: usize, factor: usize) -> Result<Vec<Vec<i32>>, Refused> {
    let brokers: Vec<i32> = image.brokers.keys().copied().collect();
    if factor == 0 || factor > brokers.len() {
        let message = format!(
            "Unable to replicate the partition {factor} time(s): The target replication factor of {factor} cannot be \
             reached because only {} broker(s) are registered.",
            brokers.len()
        );
        return Err(Refused::new(ErrorCode::InvalidReplicationFactor, message));
    }
    let turn =
        |partition: usize| brokers.iter().cycle().skip(partition % brokers.len()).take(factor).copied().collect();
    Ok((existing..existing + count).map(turn).collect())
}

/// A client's own assignment: every partition once, the same number of replicas each, known brokers, none twice.
pub fn check_assignments(image: &ClusterImage, assignments: &[Vec<i32>]) -> Result<(), Refused> {
    let refused = |message: String| Err(Refused::new(ErrorCode::InvalidReplicaAssignment, message));
    let factor = assignments.first().map_or(0, Vec::len);
    for (partition, replicas) in assignments.iter().enumerate() {
        let distinct: BTreeSet<_> = replicas.iter().collect();
        if replicas.is_empty() {
            return refused(format!("The manual partition assignment for partition {partition} has no replicas."));
        }
        if distinct.len() != replicas.len() {
            return refused(format!("The manual partition assignment includes a broker more than once: {replicas:?}"));
        }
        if replicas.len() != factor {
            return refused(format!(
                "Partition {partition} has {} replicas where others have {factor}.",
                replicas.len()
            ));
        }
        if let Some(unknown) = replicas.iter().find(|node| !image.brokers.contains_key(*node)) {
            return refused(format!(
                "The manual partition assignment includes broker {unknown}, but no such broker is registered."
            ));
        }
    }
    Ok(())
}

/// Creates topics together; the results are in the topics' order.
pub async fn create(core: &Rc<Core>, new: Vec<NewTopic>) -> Vec<Result<Uuid, Refused>> {
    let ids: Vec<Uuid> = new.iter().map(|_| Uuid::new_v4()).collect();
    let commands = new.into_iter().zip(&ids).map(|(topic, id)| Command::CreateTopic {
        name: topic.name,
        id: *id,
        internal: topic.internal,
        assignments: topic.assignments,
        configs: topic.configs,
    });
    match core.change_all(commands.collect()).await {
        Ok(outcomes) => {
            // Clients ask for the new topics' leaders next.
            core.await_known_leaders(|topic| ids.contains(&topic.id)).await;
            let outcomes = outcomes.into_iter().zip(&ids);
            outcomes
                .map(|(outcome, id)| outcome.map(|_| *id).map_err(|why| ControllerError::from(why).into()))
                .collect()
        }
        Err(error) => ids.iter().map(|_| Err(error.clone().into())).collect(),
    }
}

/// A topic as the broker makes it of its own accord: its coordinators' with the settings that the broker's own keys give
/// them.
pub fn by_default(core: &Core, image: &ClusterImage, name: &str) -> Result<NewTopic, Refused> {
    let config = &core.shared.config;
    let brokers = image.brokers.len();
    let (partitions, factor, configs) = match name {
        super::groups::OFFSETS_TOPIC => {
            let factor = config.offsets_topic_replication_factor.among(brokers);
            (config.offsets_topic_num_partitions, factor, config.offsets_topic_configs())
        }
        super::transactions::STATE_TOPIC => {
            let settings = &config.transactions;
            (settings.topic_num_partitions, settings.topic_replication_factor.among(brokers), settings.topic_configs())
        }
        super::share::STATE_TOPIC => {
            let settings = &config.share;
            (settings.topic_num_partitions, settings.topic_replication_factor.among(brokers), settings.topic_configs())
        }
        _ => (config.num_partitions, usize::from(config.default_replication_factor), BTreeMap::new()),
    };
    let assignments = assign(image, 0, partitions, factor)?;
    Ok(NewTopic { internal: super::internal(name), name: name.to_owned(), assignments, configs })
}

/// Creates topics that a Metadata request named and that do not exist; what failed, by name.
pub async fn auto_create(core: &Rc<Core>, names: Vec<String>) -> BTreeMap<String, ErrorCode> {
    let mut failed = BTreeMap::new();
    let mut new = Vec::new();
    for name in names.into_iter().collect::<BTreeSet<_>>() {
        let image = core.image();
        match check_free(&image, &name).and_then(|()| by_default(core, &image, &name)) {
            Ok(topic) => new.push(topic),
            Err(refused) => {
                failed.insert(name, refused.code);
            }
        }
    }
    if new.is_empty() {
        return failed;
    }
    let names: Vec<String> = new.iter().map(|topic| topic.name.clone()).collect();
    for (name, result) in names.into_iter().zip(create(core, new).await) {
        match result {
            // Somebody else was faster: it is there.
            Ok(_) | Err(Refused { code: ErrorCode::TopicAlreadyExists, .. }) => {}
            Err(refused) => {
                failed.insert(name, refused.code);
            }
        }
    }
    failed
}
