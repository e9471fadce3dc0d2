//! CreatePartitions: v0-3
//!
//! Behaviour: the count is the new total; partitions are only ever added. Answered when every core has them.

use std::collections::HashSet;

use thalweg_protocol::StrBytes;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use thalweg_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use thalweg_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};

use super::creation::{self, Refused};
use crate::controller::Command;
use crate::dispatch::Context;
use crate::limits::PARTITIONS_PER_REQUEST_MAX;

pub async fn handle(context: Context, request: CreatePartitionsRequest) -> CreatePartitionsResponse {
    let mut names = HashSet::new();
    let duplicates: HashSet<_> =
        request.topics.iter().filter(|topic| !names.insert(&topic.name)).map(|topic| topic.name.clone()).collect();
    let mut results = Vec::with_capacity(request.topics.len());
    let mut answered = HashSet::new();
    for topic in request.topics.iter().filter(|topic| answered.insert(&topic.name)) {
        let done = if duplicates.contains(&topic.name) {
            Err(Refused::new(ErrorCode::InvalidRequest, "Duplicate topic name."))
        } else {
            add(&context, topic, request.validate_only).await
        };
        let mut result = CreatePartitionsTopicResult::default().with_name(topic.name.clone());
        if let Err(refused) = done {
            result.error_code = refused.code.code();
            result.error_message = Some(StrBytes::from_string(refused.message));
        }
        results.push(result);
    }
    CreatePartitionsResponse::default().with_results(results)
}

async fn add(context: &Context, wanted: &CreatePartitionsTopic, validate_only: bool) -> Result<(), Refused> {
    let image = context.core.image();
    let topic = image.topic(wanted.name.0.as_str()).ok_or_else(|| {
        Refused::new(ErrorCode::UnknownTopicOrPartition, "This server does not host this topic-partition.")
    })?;
    let existing = topic.partitions.len();
    let count = usize::try_from(wanted.count).unwrap_or(0);
    if count <= existing {
        let message = format!(
            "The topic {} currently has {existing} partition(s); {} would not be an increase.",
            topic.name, wanted.count
        );
        return Err(Refused::new(ErrorCode::InvalidPartitions, message));
    }
    let added = count - existing;
    if added > PARTITIONS_PER_REQUEST_MAX {
        let message = format!("More than {PARTITIONS_PER_REQUEST_MAX} partitions cannot be added at a time.");
        return Err(Refused::new(ErrorCode::PolicyViolation, message));
    }
    let factor = topic.partitions.first().map_or(1, |info| info.replicas.len());
    let assignments = match &wanted.assignments {
        None => creation::assign(&image, existing, added, factor)?,
        Some(given) if given.len() != added => {
            let message = format!(
                "Attempted to add {added} additional partition(s), but only {} assignment(s) were specified.",
                given.len()
            );
            return Err(Refused::new(ErrorCode::InvalidReplicaAssignment, message));
        }
        Some(given) => given.iter().map(|one| one.broker_ids.iter().map(|id| id.0).collect()).collect(),
    };
    creation::check_assignments(&image, &assignments)?;
    if !validate_only {
        context.core.change(Command::AddPartitions { id: topic.id, existing, assignments }).await?;
    }
    Ok(())
}
