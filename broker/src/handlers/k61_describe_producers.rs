//! DescribeProducers: v0 (KIP-664)
//!
//! Behaviour: the producers that a partition's leader remembers, with their open transactions: what tools look at to find
//! transactions that hang.

use std::rc::Rc;

use thalweg_protocol::StrBytes;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::describe_producers_response::{PartitionResponse, ProducerState, TopicResponse};
use thalweg_protocol::messages::{DescribeProducersRequest, DescribeProducersResponse, ProducerId};
use thalweg_storage::types::GroupId;

use super::split::{Asked, ask_owners};
use super::topics;
use crate::dispatch::Context;
use crate::reactor::Core;

/// What the wire says where nothing is known.
const NONE: i64 = -1;

pub async fn handle(context: Context, request: DescribeProducersRequest) -> DescribeProducersResponse {
    let partitions = |topic: &thalweg_protocol::messages::describe_producers_request::TopicRequest| {
        let name = topic.name.clone();
        let asks = move |partition: &i32| Asked { topic: name.clone(), partition: *partition, question: () };
        topic.partition_indexes.iter().map(asks).collect::<Vec<_>>()
    };
    let asked: Vec<_> = request.topics.iter().flat_map(partitions).collect();
    let mut answers = ask_owners(&context, &asked, describe).await.into_iter();
    let topics = request.topics.into_iter().map(|topic| {
        let invalid = topics::check_name(&topic.name.0).err();
        let partitions = topic.partition_indexes.iter().zip(answers.by_ref()).map(|(index, answer)| {
            let response = PartitionResponse::default().with_partition_index(*index);
            match (&invalid, answer) {
                (Some(why), _) => response
                    .with_error_code(ErrorCode::InvalidTopicException.code())
                    .with_error_message(Some(StrBytes::from_string(format!("Topic name is invalid: {why}")))),
                (None, Ok(producers)) => response.with_active_producers(producers),
                (None, Err(code)) => response.with_error_code(code.code()),
            }
        });
        let partitions = partitions.collect();
        TopicResponse::default().with_name(topic.name).with_partitions(partitions)
    });
    let topics = topics.collect();
    DescribeProducersResponse::default().with_topics(topics)
}

async fn describe(core: Rc<Core>, group: GroupId, (): ()) -> Result<Vec<ProducerState>, ErrorCode> {
    let partition = core.partition(group).ok_or(ErrorCode::NotLeaderOrFollower)?;
    let partition = partition.borrow();
    if !partition.serves() {
        return Err(ErrorCode::NotLeaderOrFollower);
    }
    let log = partition.log.borrow();
    let producers = log.producers().iter().map(|(id, entry)| {
        ProducerState::default()
            .with_producer_id(ProducerId(id.0))
            .with_producer_epoch(i32::from(entry.epoch.0))
            .with_last_sequence(entry.batches.back().map_or(-1, |batch| batch.last_sequence))
            .with_last_timestamp(entry.last_timestamp.0)
            .with_coordinator_epoch(entry.coordinator_epoch)
            .with_current_txn_start_offset(entry.transaction_first_offset.map_or(NONE, |offset| offset.0))
    });
    Ok(producers.collect())
}
