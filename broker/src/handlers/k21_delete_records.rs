//! DeleteRecords: v0-2
//!
//! Behaviour: moves the log's start up to an offset (-1: the high watermark). Answered once that is durable; the space is
//! freed when whole segments lie below it.

use std::rc::Rc;

use thalweg_protocol::KafkaOffset;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use thalweg_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};
use thalweg_storage::types::GroupId;

use super::split::{Asked, ask_owners};
use crate::dispatch::Context;
use crate::errors;
use crate::reactor::Core;

/// "Up to the high watermark."
const ALL: i64 = -1;

pub async fn handle(context: Context, request: DeleteRecordsRequest) -> DeleteRecordsResponse {
    let mut asked = Vec::new();
    for topic in &request.topics {
        for partition in &topic.partitions {
            asked.push(Asked {
                topic: topic.name.clone(),
                partition: partition.partition_index,
                question: partition.offset,
            });
        }
    }
    let mut answers = ask_owners(&context, &asked, delete).await.into_iter();
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().zip(answers.by_ref()).map(|(partition, answer)| {
            let result = DeleteRecordsPartitionResult::default().with_partition_index(partition.partition_index);
            match answer {
                Ok(low) => result.with_low_watermark(low.0),
                Err(code) => result.with_low_watermark(-1).with_error_code(code.code()),
            }
        });
        let partitions = partitions.collect();
        DeleteRecordsTopicResult::default().with_name(topic.name).with_partitions(partitions)
    });
    let topics = topics.collect();
    DeleteRecordsResponse::default().with_topics(topics)
}

async fn delete(core: Rc<Core>, group: GroupId, offset: i64) -> Result<KafkaOffset, ErrorCode> {
    let partition = core.partition(group).ok_or(ErrorCode::NotLeaderOrFollower)?;
    let (log, target) = {
        let partition = partition.borrow();
        if !partition.serves() {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        // Kafka's rule: a compacted topic's records go by key, unless it also deletes.
        if !partition.config.deleted {
            return Err(ErrorCode::PolicyViolation);
        }
        let target = if offset == ALL { partition.high_watermark() } else { KafkaOffset(offset) };
        if target < KafkaOffset::ZERO || target > partition.high_watermark() {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        if target <= partition.log_start_offset() {
            return Ok(partition.log_start_offset());
        }
        (Rc::clone(&partition.log), target)
    };
    let moved = core.store.persist_log_start(group, target).map_err(|_| ErrorCode::OffsetOutOfRange)?;
    let start = log.borrow().log_start_offset();
    if let Some(sequence) = moved {
        core.store.wal().flush();
        let durable = core.store.wal().wait_durable(sequence.previous()).await;
        durable.map_err(|error| errors::of_storage(&error))?;
    }
    Ok(start)
}
