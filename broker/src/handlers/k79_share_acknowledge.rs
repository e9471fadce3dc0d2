//! ShareAcknowledge: v1 (KIP-932)
//!
//! Behaviour: as the acknowledgements of a ShareFetch, without reading; answered once they are durable.

use std::time::Instant;

use indexmap::IndexMap;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::share_acknowledge_response::{PartitionData, ShareAcknowledgeTopicResponse};
use thalweg_protocol::messages::{ShareAcknowledgeRequest, ShareAcknowledgeResponse};

use super::share::{self, Acknowledged};
use super::share_session::{FINAL_EPOCH, INITIAL_EPOCH, Member, TopicIndex};
use crate::dispatch::Context;
use crate::share::partition::Acknowledgement;

pub async fn handle(context: Context, request: ShareAcknowledgeRequest) -> ShareAcknowledgeResponse {
    match acknowledge(&context, request).await {
        Ok(response) => response,
        Err(code) => ShareAcknowledgeResponse::default().with_error_code(code.code()),
    }
}

async fn acknowledge(
    context: &Context,
    request: ShareAcknowledgeRequest,
) -> Result<ShareAcknowledgeResponse, ErrorCode> {
    share::check_enabled(&context.core)?;
    let member = share::member(request.group_id.clone(), request.member_id.clone())?;
    let epoch = request.share_session_epoch;
    let session = use_session(context, &member, epoch).await?;
    let results = share::acknowledge(context, &member, asked(&request)).await;
    if epoch == FINAL_EPOCH {
        share::release(context, &member, session).await;
    }
    let mut topics: IndexMap<uuid::Uuid, Vec<PartitionData>> = IndexMap::new();
    for ((topic, index), code) in results {
        let data = PartitionData::default().with_partition_index(index).with_error_code(code.code());
        topics.entry(topic).or_default().push(data);
    }
    let topic =
        |(id, partitions)| ShareAcknowledgeTopicResponse::default().with_topic_id(id).with_partitions(partitions);
    Ok(ShareAcknowledgeResponse::default().with_responses(topics.into_iter().map(topic).collect()))
}

fn asked(request: &ShareAcknowledgeRequest) -> Vec<Acknowledged> {
    let partitions = request.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|partition| {
            let batches = partition.acknowledgement_batches.iter().map(|batch| Acknowledgement {
                first: batch.first_offset,
                last: batch.last_offset,
                types: batch.acknowledge_types.clone(),
            });
            Acknowledged { partition: (topic.topic_id, partition.partition_index), batches: batches.collect() }
        })
    });
    partitions.collect()
}

/// The session goes on, or ends. None begins with this API.
async fn use_session(context: &Context, member: &Member, epoch: i32) -> Result<Vec<TopicIndex>, ErrorCode> {
    if epoch == INITIAL_EPOCH {
        return Err(ErrorCode::InvalidShareSessionEpoch);
    }
    let (home, member) = (member.home(context.core.shared.cores), member.clone());
    let used = context.core.on(home, move |core| async move {
        let mut sessions = core.share_sessions.borrow_mut();
        match epoch {
            FINAL_EPOCH => sessions.close(&member),
            epoch => sessions.advance(&member, epoch, &[], &[], Instant::now()),
        }
    });
    used.await.unwrap_or(Err(ErrorCode::NotLeaderOrFollower))
}
