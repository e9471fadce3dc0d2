//! CreateTopics: v2-7
//!
//! Behaviour: all topics of a request share one way to the disk; the answer comes when every core has them, so that a
//! client may produce at once. Errors are per topic.
//!
//! Version notes:
//! - v4 takes -1 for the broker's default number of partitions and replication factor (KIP-464)
//! - v5 answers with the topic's configuration (KIP-525)
//! - v7 answers with the topic id (KIP-516)

use std::collections::{BTreeMap, HashMap};

use thalweg_protocol::StrBytes;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::create_topics_request::CreatableTopic;
use thalweg_protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use thalweg_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse, TopicName};
use uuid::Uuid;

use super::creation::{self, NewTopic, Refused};
use crate::config::alter;
use crate::config::describe::{self, Wanted};
use crate::dispatch::Context;
use crate::limits::PARTITIONS_PER_REQUEST_MAX;

pub async fn handle(context: Context, request: CreateTopicsRequest) -> CreateTopicsResponse {
    let mut seen: HashMap<TopicName, usize> = HashMap::new();
    for topic in &request.topics {
        *seen.entry(topic.name.clone()).or_default() += 1;
    }
    let mut room = PARTITIONS_PER_REQUEST_MAX;
    let mut results: Vec<CreatableTopicResult> = Vec::with_capacity(request.topics.len());
    let mut accepted: Vec<(usize, NewTopic)> = Vec::new();
    for topic in &request.topics {
        // A name given twice is refused once.
        match seen.get_mut(&topic.name) {
            Some(0) => continue,
            Some(count) if *count > 1 => {
                *count = 0;
                let refused = Refused::new(ErrorCode::InvalidRequest, "Duplicate topic name.");
                results.push(failure(&topic.name, refused));
                continue;
            }
            _ => {}
        }
        match check(&context, topic, &mut room) {
            Ok(new) => {
                results.push(success(&context, topic, &new));
                accepted.push((results.len() - 1, new));
            }
            Err(refused) => results.push(failure(&topic.name, refused)),
        }
    }
    if !request.validate_only && !accepted.is_empty() {
        create(&context, accepted, &mut results).await;
    }
    CreateTopicsResponse::default().with_topics(results)
}

async fn create(context: &Context, accepted: Vec<(usize, NewTopic)>, results: &mut [CreatableTopicResult]) {
    let (slots, new): (Vec<usize>, Vec<NewTopic>) = accepted.into_iter().unzip();
    for (slot, outcome) in slots.into_iter().zip(creation::create(&context.core, new).await) {
        let Some(result) = results.get_mut(slot) else { continue };
        match outcome {
            Ok(id) => result.topic_id = id,
            Err(refused) => *result = failure(&result.name.clone(), refused),
        }
    }
}

fn check(context: &Context, topic: &CreatableTopic, room: &mut usize) -> Result<NewTopic, Refused> {
    let image = context.core.image();
    let config = &context.core.shared.config;
    creation::check_free(&image, &topic.name.0)?;
    let assignments = if topic.assignments.is_empty() {
        let count = match topic.num_partitions {
            -1 => config.num_partitions,
            count => usize::try_from(count).ok().filter(|count| *count > 0).ok_or_else(|| {
                Refused::new(
                    ErrorCode::InvalidPartitions,
                    "Number of partitions was set to an invalid non-positive value.",
                )
            })?,
        };
        let factor = match topic.replication_factor {
            -1 => usize::from(config.default_replication_factor),
            factor => usize::try_from(factor).ok().filter(|factor| *factor > 0).ok_or_else(|| {
                Refused::new(
                    ErrorCode::InvalidReplicationFactor,
                    "Replication factor must be larger than 0, or -1 to use the default value.",
                )
            })?,
        };
        within(room, count)?;
        creation::assign(&image, 0, count, factor)?
    } else {
        manual(topic, room)?
    };
    creation::check_assignments(&image, &assignments)?;
    let configs = configs(context, topic)?;
    Ok(NewTopic { name: topic.name.0.to_string(), internal: super::internal(&topic.name.0), assignments, configs })
}

fn within(room: &mut usize, count: usize) -> Result<(), Refused> {
    *room = room.checked_sub(count).ok_or_else(|| {
        let message = format!("The request asks for more than {PARTITIONS_PER_REQUEST_MAX} partitions in all.");
        Refused::new(ErrorCode::PolicyViolation, message)
    })?;
    Ok(())
}

/// The client's own assignment, whose partitions must be 0, 1, 2, …
fn manual(topic: &CreatableTopic, room: &mut usize) -> Result<Vec<Vec<i32>>, Refused> {
    if topic.num_partitions != -1 || topic.replication_factor != -1 {
        let message = "A manual partition assignment was specified, but numPartitions or replicationFactor was not -1.";
        return Err(Refused::new(ErrorCode::InvalidRequest, message));
    }
    within(room, topic.assignments.len())?;
    let by_index: BTreeMap<i32, Vec<i32>> = topic
        .assignments
        .iter()
        .map(|assignment| (assignment.partition_index, assignment.broker_ids.iter().map(|id| id.0).collect()))
        .collect();
    let consecutive = by_index.keys().enumerate().all(|(index, key)| usize::try_from(*key) == Ok(index));
    if !consecutive || by_index.len() != topic.assignments.len() {
        let message = "Partitions should be a consecutive 0-based integer sequence.";
        return Err(Refused::new(ErrorCode::InvalidReplicaAssignment, message));
    }
    Ok(by_index.into_values().collect())
}

fn configs(context: &Context, topic: &CreatableTopic) -> Result<BTreeMap<String, String>, Refused> {
    let entries =
        topic.configs.iter().map(|entry| (entry.name.to_string(), entry.value.as_ref().map(StrBytes::to_string)));
    Ok(alter::new_topic(&entries.collect::<Vec<_>>(), &context.core.config().layers)?)
}

fn success(context: &Context, topic: &CreatableTopic, new: &NewTopic) -> CreatableTopicResult {
    let described = describe::topic(&new.configs, &context.core.config().layers, Wanted::default());
    let configs = described.into_iter().map(|entry| {
        CreatableTopicConfigs::default()
            .with_name(StrBytes::from_string(entry.name))
            .with_value(entry.value.map(StrBytes::from_string))
            .with_read_only(entry.read_only)
            .with_config_source(entry.source as i8)
            .with_is_sensitive(entry.sensitive)
    });
    CreatableTopicResult::default()
        .with_name(topic.name.clone())
        .with_topic_id(Uuid::nil())
        .with_num_partitions(i32::try_from(new.assignments.len()).unwrap_or(i32::MAX))
        .with_replication_factor(
            new.assignments.first().map_or(-1, |replicas| i16::try_from(replicas.len()).unwrap_or(-1)),
        )
        .with_configs(Some(configs.collect()))
}

fn failure(name: &TopicName, refused: Refused) -> CreatableTopicResult {
    CreatableTopicResult::default()
        .with_name(name.clone())
        .with_error_code(refused.code.code())
        .with_error_message(Some(StrBytes::from_string(refused.message)))
        .with_num_partitions(-1)
        .with_replication_factor(-1)
        .with_configs(Some(Vec::new()))
}
