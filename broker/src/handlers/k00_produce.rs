//! Produce: v3-13
//!
//! Behaviour:
//! - `plan` decides the order: batches go to their owners before the connection's next request is started, so that one
//!   connection pipelines and each partition still sees its batches in order. The answer comes when all are committed.
//! - What belongs to a transaction is first vouched for by its coordinator (`produce_transactional`); the connection's next
//!   request starts when that is done and the batches are with their owners.
//! - The broker's own topics are refused: what stands in them is the coordinators' (`ReplicaManager.appendRecords`).
//! - acks=0 has no answer; acks=1 and acks=all are answered when the batch is committed, which on one node is the same.
//!
//! Version notes:
//! - v8 adds record errors and messages (KIP-467)
//! - v9 is flexible
//! - v10 adds the current leader to errors (KIP-951)
//! - v11 TRANSACTION_ABORTABLE; v12 partitions are added to the transaction in passing (KIP-890)
//! - v13 names topics by id (KIP-516)

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt as _, future};
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, PartitionProduceResponse, TopicProduceResponse,
};
use thalweg_protocol::messages::{BrokerId, ProduceRequest, ProduceResponse};
use thalweg_protocol::records::{ProduceRejection, check_produce_version};
use thalweg_protocol::{PartitionIndex, StrBytes};
use thalweg_storage::types::GroupId;

use super::{produce_transactional, topics};
use crate::dispatch::{Answer, Context, Pending, Starting, decode, encode};
use crate::partition::{Appended, Beginning, Guard, Produced, Sent};
use crate::reactor::{Core, CoreId, Stopping, within};

/// One partition's records, on their way to the owner.
pub struct Item {
    /// Where in the response the result goes: topic, partition within it.
    pub(super) slot: (usize, usize),
    pub(super) group: GroupId,
    records: Bytes,
    /// The producer and its transaction, if the batch is of one.
    pub(super) transactional: Option<Beginning>,
    /// Under which the coordinator vouched for it.
    pub(super) guard: Option<Guard>,
}

/// Items by the core that owns their partitions.
pub type Items = BTreeMap<CoreId, Vec<Item>>;

/// What the owner says of an item.
struct Outcome {
    slot: (usize, usize),
    result: Result<Appended, ProduceRejection>,
}

/// Splits the request by owner and hands each part over before returning.
pub fn start(context: Context, mut body: Bytes) -> Starting {
    let request: ProduceRequest = match decode(&context, &mut body) {
        Ok(request) => request,
        Err(close) => return Starting::Ordered(future::ready(close).boxed_local()),
    };
    let acks = request.acks;
    let timeout = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or_default());
    let transactional_id = request.transactional_id.clone();
    let (mut response, mut items) = plan(&context, request);
    let refused = if (-1..=1).contains(&acks) {
        produce_transactional::check(transactional_id.as_ref(), &items).err()
    } else {
        Some(ErrorCode::InvalidRequiredAcks)
    };
    if let Some(code) = refused {
        refuse_all(&mut response, code);
        let none: Vec<future::Ready<Result<Vec<Outcome>, Stopping>>> = Vec::new();
        return Starting::Ordered(finish(context, acks, response, none).boxed_local());
    }
    context.peer.asks(items.keys().copied());
    let Some(transaction) = produce_transactional::Transaction::of(transactional_id, &items) else {
        return Starting::Ordered(append(context, acks, timeout, response, items));
    };
    // The answer is not waited for here: only until the batches are with their owners.
    let vouched = async move {
        transaction.vouch(&context, &mut response, &mut items).await;
        (context, response, items)
    };
    let ordering = vouched.map(move |(context, response, items)| append(context, acks, timeout, response, items));
    Starting::Ordering(ordering.boxed_local())
}

/// Hands each owner its part before returning.
fn append(context: Context, acks: i16, timeout: Duration, response: ProduceResponse, items: Items) -> Pending {
    let parts: Vec<_> = items
        .into_iter()
        .map(|(owner, items)| context.core.on(owner, move |core| execute(&core, items, acks, timeout)))
        .collect();
    finish(context, acks, response, parts).boxed_local()
}

/// The response with what can be said already, and the items by owner.
fn plan(context: &Context, request: ProduceRequest) -> (ProduceResponse, Items) {
    let image = context.core.image();
    let mut items = Items::new();
    let mut responses = Vec::with_capacity(request.topic_data.len());
    for (topic_slot, data) in request.topic_data.into_iter().enumerate() {
        let topic = topics::find(&image, context.version >= 13, &data.name, data.topic_id)
            .and_then(|topic| if topic.internal { Err(ErrorCode::InvalidTopicException) } else { Ok(topic) });
        let mut partitions = Vec::with_capacity(data.partition_data.len());
        for (slot, partition) in data.partition_data.into_iter().enumerate() {
            let mut result = PartitionProduceResponse::default().with_index(partition.index).with_base_offset(-1);
            let info = topic.as_ref().map_err(|code| *code).and_then(|topic| {
                topic.partition(PartitionIndex(partition.index)).ok_or(ErrorCode::UnknownTopicOrPartition)
            });
            match (info, partition.records) {
                (Ok(_), Some(records)) if refuse_codec(context.version, &records, &mut result) => {}
                (Ok(info), Some(records)) => items.entry(context.core.owner(info.group)).or_default().push(Item {
                    slot: (topic_slot, slot),
                    group: info.group,
                    transactional: produce_transactional::beginning(context.version, &records),
                    records,
                    guard: None,
                }),
                (Ok(_), None) => result.error_code = ErrorCode::InvalidRecord.code(),
                (Err(code), _) => result.error_code = code.code(),
            }
            partitions.push(result);
        }
        responses.push(
            TopicProduceResponse::default()
                .with_name(data.name)
                .with_topic_id(data.topic_id)
                .with_partition_responses(partitions),
        );
    }
    (ProduceResponse::default().with_responses(responses), items)
}

/// Refuses zstd from clients whose version of Produce cannot know it; says whether it did.
fn refuse_codec(version: i16, records: &Bytes, result: &mut PartitionProduceResponse) -> bool {
    let refused = check_produce_version(version, records).err();
    if let Some(rejection) = &refused {
        result.error_code = rejection.code.code();
        result.error_message = Some(StrBytes::from_string(rejection.message.clone()));
    }
    refused.is_some()
}

/// On the owning core: appends now, answers when all is committed.
fn execute(
    core: &Rc<Core>,
    items: Vec<Item>,
    acks: i16,
    timeout: Duration,
) -> impl Future<Output = Vec<Outcome>> + use<> {
    let now = core.now();
    let mut pending = Vec::with_capacity(items.len());
    for Item { slot, group, records, guard, .. } in items {
        let produced = core.with_partition(group, |partition| {
            let sent = Sent { records: &records, acks, guard };
            partition.produce(core, sent, now)
        });
        pending.push((slot, produced));
    }
    async move {
        let mut outcomes = Vec::with_capacity(pending.len());
        let deadline = std::time::Instant::now() + timeout;
        for (slot, produced) in pending {
            let result = match produced {
                None => Err(rejection(ErrorCode::NotLeaderOrFollower)),
                Some(Produced::Rejected(rejection)) => Err(rejection),
                Some(Produced::Pending(appended, commit)) => {
                    committed(commit, deadline).await.map(|()| appended).map_err(rejection)
                }
            };
            outcomes.push(Outcome { slot, result });
        }
        outcomes
    }
}

/// Waits for a commit, as long as the client said it would.
async fn committed(
    mut commit: futures::channel::oneshot::Receiver<Result<(), ErrorCode>>,
    deadline: std::time::Instant,
) -> Result<(), ErrorCode> {
    let left = deadline.saturating_duration_since(std::time::Instant::now());
    if left.is_zero() {
        return match commit.try_recv() {
            Ok(Some(result)) => result,
            _ => Err(ErrorCode::RequestTimedOut),
        };
    }
    match within(left, commit).await {
        Some(Ok(result)) => result,
        Some(Err(_)) => Err(ErrorCode::NotLeaderOrFollower),
        None => Err(ErrorCode::RequestTimedOut),
    }
}

/// Puts the owners' outcomes into the response, on the connection's core.
async fn finish(
    context: Context,
    acks: i16,
    mut response: ProduceResponse,
    parts: Vec<impl Future<Output = Result<Vec<Outcome>, Stopping>>>,
) -> Answer {
    let done = future::join_all(parts).await;
    if acks == 0 {
        return finish_unacknowledged(&response, &done);
    }
    for outcome in done.into_iter().flatten().flatten() {
        let (topic, partition) = outcome.slot;
        let slot = response.responses.get_mut(topic).and_then(|topic| topic.partition_responses.get_mut(partition));
        if let Some(slot) = slot {
            fill(slot, outcome.result);
        }
    }
    name_leader(&context, &mut response);
    encode(context.correlation_id, context.version, &response)
}

/// With acks=0 an error cannot be told; as Kafka does, closing the connection makes the client look at its metadata.
fn finish_unacknowledged(response: &ProduceResponse, done: &[Result<Vec<Outcome>, Stopping>]) -> Answer {
    let planned = response.responses.iter().flat_map(|topic| &topic.partition_responses).map(|slot| slot.error_code);
    let refused = planned.into_iter().find(|code| *code != 0);
    let failed = done.iter().flatten().flatten().find_map(|outcome| outcome.result.as_ref().err());
    match (refused, failed) {
        (Some(code), _) => Answer::Close(format!("an unacknowledged produce request failed with error {code}")),
        (None, Some(error)) => {
            Answer::Close(format!("an unacknowledged produce request failed: {:?} {}", error.code, error.message))
        }
        (None, None) => Answer::Nothing,
    }
}

fn fill(slot: &mut PartitionProduceResponse, result: Result<Appended, ProduceRejection>) {
    match result {
        Ok(appended) => {
            slot.base_offset = appended.base_offset.0;
            slot.log_append_time_ms = appended.log_append_time.0;
            slot.log_start_offset = appended.log_start_offset.0;
        }
        Err(rejection) => {
            slot.error_code = rejection.code.code();
            slot.log_append_time_ms = -1;
            slot.log_start_offset = -1;
            slot.error_message = Some(StrBytes::from_string(rejection.message));
            slot.record_errors = rejection
                .record_errors
                .into_iter()
                .map(|(index, message)| {
                    BatchIndexAndErrorMessage::default()
                        .with_batch_index(index)
                        .with_batch_index_error_message(Some(StrBytes::from_string(message)))
                })
                .collect();
        }
    }
}

/// Where a partition answered that it does not lead, who does and the brokers' addresses travel along (KIP-951).
fn name_leader(context: &Context, response: &mut ProduceResponse) {
    if context.version < 10 {
        return;
    }
    let mut moved = false;
    for topic in &mut response.responses {
        let (name, id) = (&topic.name, topic.topic_id);
        let elsewhere = |slot: &&mut PartitionProduceResponse| slot.error_code == ErrorCode::NotLeaderOrFollower.code();
        for slot in topic.partition_responses.iter_mut().filter(elsewhere) {
            let leader = topics::leader(context, name, id, slot.index);
            slot.current_leader = LeaderIdAndEpoch::default()
                .with_leader_id(BrokerId(leader.node.map_or(-1, |node| node.0)))
                .with_leader_epoch(leader.epoch.0);
            moved = true;
        }
    }
    if moved {
        response.node_endpoints = topics::endpoints(context).map(Into::into).collect();
    }
}

fn refuse_all(response: &mut ProduceResponse, code: ErrorCode) {
    for slot in response.responses.iter_mut().flat_map(|topic| &mut topic.partition_responses) {
        slot.error_code = code.code();
    }
}

fn rejection(code: ErrorCode) -> ProduceRejection {
    ProduceRejection { code, message: code.to_string(), record_errors: Vec::new() }
}
