//! DeleteTopics: v1-6
//!
//! Behaviour: answered when every core has let go of the topic; its files are removed in the background.
//!
//! Version notes:
//! - v5 adds messages
//! - v6 takes names or ids (KIP-516)

use std::collections::HashMap;

use thalweg_protocol::StrBytes;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::delete_topics_response::DeletableTopicResult;
use thalweg_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse, TopicName};
use uuid::Uuid;

use super::creation::Refused;
use super::topics;
use crate::controller::{Command, ControllerError};
use crate::dispatch::Context;

pub async fn handle(context: Context, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
    let wanted: Vec<(Option<TopicName>, Uuid)> = if context.version >= 6 {
        request.topics.into_iter().map(|topic| (topic.name, topic.topic_id)).collect()
    } else {
        request.topic_names.into_iter().map(|name| (Some(name), Uuid::nil())).collect()
    };
    let mut results = Vec::with_capacity(wanted.len());
    let mut doomed = Vec::new();
    // What is named twice is a mistake, and nothing of it is deleted: which of the two was meant?
    let mut found: Vec<Found> = Vec::with_capacity(wanted.len());
    let mut times: HashMap<(Option<TopicName>, Uuid), usize> = HashMap::new();
    for (name, id) in wanted {
        let one = find(&context, name.as_ref(), id).map_err(|refused| (name, id, refused));
        *times.entry(one.subject()).or_default() += 1;
        found.push(one);
    }
    for one in found {
        match (times.remove(&one.subject()), one) {
            // Answered already, where it was named first.
            (None, _) => {}
            (Some(1), Ok((name, id))) => {
                doomed.push((results.len(), id));
                results.push(DeletableTopicResult::default().with_name(Some(name)).with_topic_id(id));
            }
            (Some(1), Err((name, id, refused))) => results.push(failure(name, id, refused)),
            (Some(_), one) => {
                let (name, id) = one.subject();
                results.push(failure(name, id, Refused::new(ErrorCode::InvalidRequest, "Duplicate topic.")));
            }
        }
    }
    delete(&context, &doomed, &mut results).await;
    DeleteTopicsResponse::default().with_responses(results)
}

/// A topic that is there, or what was asked for and why it cannot be deleted.
type Found = Result<(TopicName, Uuid), (Option<TopicName>, Uuid, Refused)>;

trait Subject {
    fn subject(&self) -> (Option<TopicName>, Uuid);
}

impl Subject for Found {
    fn subject(&self) -> (Option<TopicName>, Uuid) {
        match self {
            Ok((name, id)) => (Some(name.clone()), *id),
            Err((name, id, _)) => (name.clone(), *id),
        }
    }
}

async fn delete(context: &Context, doomed: &[(usize, Uuid)], results: &mut [DeletableTopicResult]) {
    if doomed.is_empty() {
        return;
    }
    let commands = doomed.iter().map(|(_, id)| Command::DeleteTopic { id: *id }).collect();
    let outcomes = match context.core.change_all(commands).await {
        Ok(outcomes) => outcomes.into_iter().map(|outcome| outcome.map_err(ControllerError::from)).collect(),
        Err(error) => vec![Err(error); doomed.len()],
    };
    for ((slot, id), outcome) in doomed.iter().zip(outcomes) {
        if let (Err(error), Some(result)) = (outcome, results.get_mut(*slot)) {
            *result = failure(result.name.clone(), *id, error.into());
        }
    }
}

fn find(context: &Context, name: Option<&TopicName>, id: Uuid) -> Result<(TopicName, Uuid), Refused> {
    if !context.core.shared.config.delete_topic_enable {
        return Err(Refused::new(ErrorCode::TopicDeletionDisabled, "Topic deletion is disabled."));
    }
    let image = context.core.image();
    let found = match name {
        Some(_) if !id.is_nil() => {
            return Err(Refused::new(ErrorCode::InvalidRequest, "You may not specify both topic name and topic id."));
        }
        Some(name) => image.topic(name.0.as_str()).ok_or(ErrorCode::UnknownTopicOrPartition),
        None if id.is_nil() => {
            return Err(Refused::new(ErrorCode::InvalidRequest, "Neither topic name nor id were specified."));
        }
        None => image.topic_by_id(id).ok_or(ErrorCode::UnknownTopicId),
    };
    let topic = found.map_err(|code| Refused::new(code, "This server does not host this topic."))?;
    Ok((topics::wire(&topic.name), topic.id))
}

fn failure(name: Option<TopicName>, id: Uuid, refused: Refused) -> DeletableTopicResult {
    DeletableTopicResult::default()
        .with_name(name)
        .with_topic_id(id)
        .with_error_code(refused.code.code())
        .with_error_message(Some(StrBytes::from_string(refused.message)))
}
