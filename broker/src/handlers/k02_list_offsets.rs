//! ListOffsets: v1-11
//!
//! Behaviour: a timestamp finds the first record at or after it; the negative ones have meanings of their own. Without
//! tiered storage the earliest local offset is the log's start, and there is neither a latest tiered offset nor an earliest
//! that waits to be tiered: -1, as Kafka says.
//!
//! Version notes:
//! - v2 isolation level
//! - v4 leader epochs (KIP-320)
//! - v7 max timestamp (KIP-734), v8 earliest local (KIP-405), v9 latest tiered (KIP-1005)
//! - v10 a timeout for remote storage, which there is none of
//! - v11 earliest pending upload (KIP-1023)

use std::collections::HashSet;
use std::rc::Rc;

use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use thalweg_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse, TopicName};
use thalweg_protocol::{KafkaOffset, LeaderEpoch, TimestampMs};
use thalweg_storage::types::GroupId;

use super::split::{Asked, ask_owners};
use crate::dispatch::Context;
use crate::errors;
use crate::partition::EpochCheck;
use crate::reactor::Core;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;

/// What is asked of one partition.
#[derive(Clone, Copy)]
struct Question {
    timestamp: i64,
    epoch: EpochCheck,
    read_committed: bool,
}

/// Timestamps with a meaning of their own, and the version from which on clients may ask for them. Kafka refuses them in
/// older ones: such a client means something else.
const SPECIAL: &[(i64, i16)] = &[
    (LATEST, 1),
    (EARLIEST, 1),
    (MAX_TIMESTAMP, 7),
    (EARLIEST_LOCAL, 8),
    (LATEST_TIERED, 9),
    (EARLIEST_PENDING_UPLOAD, 11),
];

/// What was found; all -1 where nothing was.
#[derive(Clone, Copy)]
struct Found {
    timestamp: i64,
    offset: i64,
    epoch: LeaderEpoch,
}

const NOTHING: Found = Found { timestamp: -1, offset: -1, epoch: LeaderEpoch::NONE };

pub async fn handle(context: Context, request: ListOffsetsRequest) -> ListOffsetsResponse {
    let read_committed = request.isolation_level == 1;
    let mut asked = Vec::new();
    for topic in &request.topics {
        for partition in &topic.partitions {
            let question = Question {
                timestamp: partition.timestamp,
                epoch: EpochCheck(LeaderEpoch(if context.version >= 4 { partition.current_leader_epoch } else { -1 })),
                read_committed,
            };
            asked.push(Asked { topic: topic.name.clone(), partition: partition.partition_index, question });
        }
    }
    let mut answers = ask_owners(&context, &asked, find).await.into_iter();
    let twice = asked_twice(&request);
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().zip(answers.by_ref()).map(|(partition, answer)| {
            let (code, found) = match answer {
                _ if twice.contains(&(topic.name.clone(), partition.partition_index)) => {
                    (ErrorCode::InvalidRequest, NOTHING)
                }
                Ok(_) if !is_served(partition.timestamp, context.version) => (ErrorCode::UnsupportedVersion, NOTHING),
                Ok(found) => (ErrorCode::None, found),
                Err(code) => (code, NOTHING),
            };
            ListOffsetsPartitionResponse::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(code.code())
                .with_timestamp(found.timestamp)
                .with_offset(found.offset)
                .with_leader_epoch(if context.version >= 4 { found.epoch.0 } else { LeaderEpoch::NONE.0 })
        });
        let partitions = partitions.collect();
        ListOffsetsTopicResponse::default().with_name(topic.name).with_partitions(partitions)
    });
    let topics = topics.collect();
    ListOffsetsResponse::default().with_topics(topics)
}

fn is_served(timestamp: i64, version: i16) -> bool {
    timestamp >= 0 || SPECIAL.iter().any(|(special, from)| *special == timestamp && *from <= version)
}

fn asked_twice(request: &ListOffsetsRequest) -> HashSet<(TopicName, i32)> {
    let mut seen = HashSet::new();
    let all = request
        .topics
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|partition| (topic.name.clone(), partition.partition_index)));
    all.filter(|one| !seen.insert(one.clone())).collect()
}

async fn find(core: Rc<Core>, group: GroupId, question: Question) -> Result<Found, ErrorCode> {
    let partition = core.partition(group).ok_or(ErrorCode::NotLeaderOrFollower)?;
    let (log, start, end, epoch) = {
        let partition = partition.borrow();
        partition.check_leader(question.epoch)?;
        let end = if question.read_committed { partition.last_stable_offset() } else { partition.high_watermark() };
        (Rc::clone(&partition.log), partition.log_start_offset(), end, partition.leader_epoch())
    };
    let at = |offset: KafkaOffset, epoch: LeaderEpoch| Found { timestamp: -1, offset: offset.0, epoch };
    match question.timestamp {
        LATEST => Ok(at(end, epoch)),
        EARLIEST | EARLIEST_LOCAL => Ok(at(start, log.borrow().epoch_at(start).unwrap_or(epoch))),
        LATEST_TIERED | EARLIEST_PENDING_UPLOAD => Ok(NOTHING),
        MAX_TIMESTAMP => found(thalweg_storage::log::lookup_max_timestamp(&log).await, end),
        timestamp if timestamp >= 0 => {
            found(thalweg_storage::log::lookup_timestamp(&log, TimestampMs(timestamp)).await, end)
        }
        _ => Err(ErrorCode::UnsupportedVersion),
    }
}

type Lookup = Result<Option<(TimestampMs, KafkaOffset, LeaderEpoch)>, thalweg_storage::StorageError>;

/// A record behind what the reader may see is not found.
fn found(lookup: Lookup, end: KafkaOffset) -> Result<Found, ErrorCode> {
    let record = lookup.map_err(|error| errors::of_storage(&error))?;
    Ok(match record {
        Some((timestamp, offset, epoch)) if offset < end => Found { timestamp: timestamp.0, offset: offset.0, epoch },
        _ => NOTHING,
    })
}
