//! OffsetForLeaderEpoch: v2-4
//!
//! Behaviour: the newest epoch not larger than the one asked for, and the offset at which it ended (KIP-320).

use std::rc::Rc;

use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use thalweg_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};
use thalweg_protocol::{KafkaOffset, LeaderEpoch};
use thalweg_storage::types::GroupId;

use super::split::{Asked, ask_owners};
use crate::dispatch::Context;
use crate::partition::EpochCheck;
use crate::reactor::Core;

pub async fn handle(context: Context, request: OffsetForLeaderEpochRequest) -> OffsetForLeaderEpochResponse {
    let mut asked = Vec::new();
    for topic in &request.topics {
        for partition in &topic.partitions {
            let question =
                (EpochCheck(LeaderEpoch(partition.current_leader_epoch)), LeaderEpoch(partition.leader_epoch));
            asked.push(Asked { topic: topic.topic.clone(), partition: partition.partition, question });
        }
    }
    let mut answers = ask_owners(&context, &asked, find).await.into_iter();
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().zip(answers.by_ref()).map(|(partition, answer)| {
            let result = EpochEndOffset::default().with_partition(partition.partition);
            match answer {
                Ok((epoch, end)) => result.with_leader_epoch(epoch.0).with_end_offset(end.0),
                Err(code) => result.with_error_code(code.code()).with_leader_epoch(-1).with_end_offset(-1),
            }
        });
        let partitions = partitions.collect();
        OffsetForLeaderTopicResult::default().with_topic(topic.topic).with_partitions(partitions)
    });
    let topics = topics.collect();
    OffsetForLeaderEpochResponse::default().with_topics(topics)
}

async fn find(
    core: Rc<Core>,
    group: GroupId,
    (believed, epoch): (EpochCheck, LeaderEpoch),
) -> Result<(LeaderEpoch, KafkaOffset), ErrorCode> {
    core.with_partition(group, |partition| {
        partition.check_leader(believed)?;
        if epoch == partition.leader_epoch() {
            return Ok((epoch, partition.high_watermark()));
        }
        Ok(partition.log.borrow().end_offset_for_epoch(epoch))
    })
    .ok_or(ErrorCode::NotLeaderOrFollower)?
}
