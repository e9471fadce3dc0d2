//! DeleteShareGroupOffsets: v0 (KIP-932)
//!
//! Behaviour: a group without members forgets topics: it begins anew if it reads them again.

use thalweg_protocol::StrBytes;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::delete_share_group_offsets_response::DeleteShareGroupOffsetsResponseTopic;
use thalweg_protocol::messages::{DeleteShareGroupOffsetsRequest, DeleteShareGroupOffsetsResponse};

use super::k91_alter_share_group_offsets::check;
use super::share;
use crate::dispatch::Context;

pub async fn handle(context: Context, request: DeleteShareGroupOffsetsRequest) -> DeleteShareGroupOffsetsResponse {
    let response = DeleteShareGroupOffsetsResponse::default();
    if let Err(code) = check(&context, &request.group_id.0).await {
        let message = StrBytes::from_static_str(code.name());
        return response.with_error_code(code.code()).with_error_message(Some(message));
    }
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let found = context.core.image().topic(topic.topic_name.0.as_str()).map(|topic| topic.id);
        let result = match found {
            Some(id) => share::forget(&context, &request.group_id.0, Some(id)).await,
            None => Err(ErrorCode::UnknownTopicOrPartition),
        };
        let code = result.err().unwrap_or(ErrorCode::None);
        let message = result.err().map(|code| StrBytes::from_static_str(words(code)));
        let answer = DeleteShareGroupOffsetsResponseTopic::default()
            .with_topic_name(topic.topic_name.clone())
            .with_topic_id(found.unwrap_or_default());
        topics.push(answer.with_error_code(code.code()).with_error_message(message));
    }
    response.with_responses(topics)
}

fn words(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::UnknownTopicOrPartition => "This server does not host this topic-partition.",
        other => other.name(),
    }
}
