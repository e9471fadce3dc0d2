//! TxnOffsetCommit: v0-5
//!
//! Behaviour: offsets committed within a transaction; answered once they are durable, and seen once the transaction was
//! committed. The transaction's coordinator says first that it knows of them, as it does for Produce.
//!
//! Version notes:
//! - v2 leader epochs; v3 member, instance and generation are checked (KIP-447)
//! - v4 TRANSACTION_ABORTABLE; v5 the group is added to the transaction in passing (KIP-890)

use std::collections::HashSet;
use std::rc::Rc;

use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use thalweg_protocol::messages::{TopicName, TxnOffsetCommitRequest, TxnOffsetCommitResponse};
use thalweg_protocol::{ProducerEpoch, ProducerId};

use super::vouching::{self, Abilities, Named, Patience};
use super::{coordinators, groups, topics};
use crate::coordinator::group::{Response, wire};
use crate::dispatch::Context;
use crate::partition::{Beginning, Guard};
use crate::reactor::Core;

/// From this version on the client knows TRANSACTION_ABORTABLE.
const KNOWS_ABORTABLE_FROM: i16 = 4;
/// From this version on the group is added to the transaction in passing.
const ADDS_GROUP_FROM: i16 = 5;
/// Before this version clients do not know COORDINATOR_LOAD_IN_PROGRESS (KAFKA-7296).
const KNOWS_LOADING_FROM: i16 = 2;
/// The group coordinator's records have no sequence numbers of their producer.
const NO_SEQUENCE: i32 = -1;

pub async fn handle(context: Context, mut request: TxnOffsetCommitRequest) -> TxnOffsetCommitResponse {
    let asked = request.clone();
    let unknown = take_unknown(&context, &mut request);
    let stored = if request.topics.is_empty() {
        TxnOffsetCommitResponse::default()
    } else {
        let failed = |code| wire::txn_commit_error(&request, code);
        store(&context, request.clone()).await.unwrap_or_else(failed)
    };
    let mut response = merge(&asked, stored, &unknown);
    if context.version < KNOWS_LOADING_FROM {
        hide_loading(&mut response);
    }
    response
}

/// Takes out what names no partition that exists.
fn take_unknown(context: &Context, request: &mut TxnOffsetCommitRequest) -> HashSet<(TopicName, i32)> {
    let image = context.core.image();
    let mut unknown = HashSet::new();
    for topic in &mut request.topics {
        let count = image.topic(topic.name.0.as_str()).map_or(0, |found| found.partitions.len());
        topic.partitions.retain(|partition| {
            let exists = usize::try_from(partition.partition_index).is_ok_and(|index| index < count);
            if !exists {
                unknown.insert((topic.name.clone(), partition.partition_index));
            }
            exists
        });
    }
    request.topics.retain(|topic| !topic.partitions.is_empty());
    unknown
}

async fn store(context: &Context, request: TxnOffsetCommitRequest) -> Result<TxnOffsetCommitResponse, ErrorCode> {
    if request.group_id.is_empty() {
        return Err(ErrorCode::InvalidGroupId);
    }
    let guard = vouch(context, &request).await?;
    let group = request.group_id.0.clone();
    let asked = groups::ask(context, &group, move |shard, caller, now| {
        shard.commit_in_transaction(&request, guard, caller, now)
    });
    match asked.await? {
        Response::TxnOffsetCommit(response) => Ok(response),
        _ => unreachable!("a commit is answered as a commit"),
    }
}

/// The guard under which the coordinator vouches for the commit, if it has to.
async fn vouch(context: &Context, request: &TxnOffsetCommitRequest) -> Result<Option<Guard>, ErrorCode> {
    let found = coordinators::partition_of(&context.core, groups::OFFSETS_TOPIC, &request.group_id);
    let (index, shard) = found.ok_or(ErrorCode::CoordinatorNotAvailable)?;
    let abilities = Abilities {
        knows_abortable: context.version >= KNOWS_ABORTABLE_FROM,
        adds: context.version >= ADDS_GROUP_FROM,
    };
    if !vouching::is_asked(context, abilities) {
        return Ok(None);
    }
    let (producer, epoch) = (ProducerId(request.producer_id.0), ProducerEpoch(request.producer_epoch));
    let beginning = Beginning { producer, epoch, sequence: NO_SEQUENCE, epoch_per_transaction: abilities.adds };
    let begin = move |core: Rc<Core>| {
        let begun = core.with_partition(shard, |partition| partition.begin_transaction(beginning));
        std::future::ready(begun.unwrap_or(Err(ErrorCode::NotLeaderOrFollower)))
    };
    let named = Named { id: request.transactional_id.clone(), producer, epoch };
    let partition = [(topics::wire(groups::OFFSETS_TOPIC), index)];
    let patience = Patience::new(context);
    loop {
        let begun = context.core.on(context.core.owner(shard), begin).await;
        let begun = begun.unwrap_or(Err(ErrorCode::NotLeaderOrFollower)).map_err(|_| ErrorCode::NotCoordinator)?;
        let Some(guard) = begun else { return Ok(None) };
        let answers = vouching::ask(context, &named, &partition, abilities).await;
        if patience.again(context, &answers, abilities).await {
            continue;
        }
        return match answers.first().copied().unwrap_or(ErrorCode::CoordinatorNotAvailable) {
            ErrorCode::None => Ok(Some(guard)),
            // What the client asks again for.
            ErrorCode::NetworkException => Err(ErrorCode::CoordinatorLoadInProgress),
            code => Err(code),
        };
    }
}

fn hide_loading(response: &mut TxnOffsetCommitResponse) {
    let partitions = response.topics.iter_mut().flat_map(|topic| topic.partitions.iter_mut());
    for partition in partitions.filter(|partition| partition.error_code == ErrorCode::CoordinatorLoadInProgress.code())
    {
        partition.error_code = ErrorCode::CoordinatorNotAvailable.code();
    }
}

/// The shard's results and the refusals, in the request's order.
fn merge(
    asked: &TxnOffsetCommitRequest,
    stored: TxnOffsetCommitResponse,
    unknown: &HashSet<(TopicName, i32)>,
) -> TxnOffsetCommitResponse {
    let mut results = stored.topics.into_iter().flat_map(|topic| topic.partitions);
    let topics = asked.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let index = partition.partition_index;
            if unknown.contains(&(topic.name.clone(), index)) {
                let refused = ErrorCode::UnknownTopicOrPartition.code();
                return TxnOffsetCommitResponsePartition::default()
                    .with_partition_index(index)
                    .with_error_code(refused);
            }
            results.next().unwrap_or_default()
        });
        let partitions = partitions.collect();
        TxnOffsetCommitResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions)
    });
    let topics = topics.collect();
    TxnOffsetCommitResponse::default().with_topics(topics)
}
