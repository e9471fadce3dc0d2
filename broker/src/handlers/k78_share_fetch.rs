//! ShareFetch: v1 (KIP-932)
//!
//! Behaviour:
//! - What the request says of records that the member has is carried out first, and answered once it is durable.
//! - Owners are asked one after the other, until there are records enough; if none has any, all wait, until the first has some.
//! - A member must be in a session ([`super::share_session`]), which begins only for groups that there are.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _, future};
use indexmap::IndexMap;
use thalweg_protocol::StrBytes;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::share_fetch_response::{AcquiredRecords, PartitionData, ShareFetchableTopicResponse};
use thalweg_protocol::messages::{ShareFetchRequest, ShareFetchResponse};

use super::share::Acknowledged;
use super::share_fetch::{Got, Item, Order, acquire, wait};
use super::share_session::{FINAL_EPOCH, INITIAL_EPOCH, Member, TopicIndex};
use super::{coordinators, fetch_memory, share};
use crate::coordinator::share::StateKey;
use crate::dispatch::{Answer, Context, decode, encode};
use crate::limits::SHARE_FETCH_RECORDS_MAX;
use crate::reactor::{CoreId, yield_now};
use crate::share::partition::Acknowledgement;

pub fn start(context: Context, mut body: Bytes) -> LocalBoxFuture<'static, Answer> {
    match decode::<ShareFetchRequest>(&context, &mut body) {
        Ok(request) => answer(context, request).boxed_local(),
        Err(close) => future::ready(close).boxed_local(),
    }
}

async fn answer(context: Context, request: ShareFetchRequest) -> Answer {
    let (version, correlation_id) = (context.version, context.correlation_id);
    let (response, bytes) = match fetch(&context, request).await {
        Ok(response) => response,
        Err(code) => (ShareFetchResponse::default().with_error_code(code.code()), 0),
    };
    let held = context.core.fetch_memory.hold_bytes(bytes);
    fetch_memory::until_sent(encode(correlation_id, version, &response), held)
}

async fn fetch(context: &Context, request: ShareFetchRequest) -> Result<(ShareFetchResponse, usize), ErrorCode> {
    share::check_enabled(&context.core)?;
    let deadline = Instant::now() + Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let member = share::member(request.group_id.clone(), request.member_id.clone())?;
    coordinators::ensure_topic(context, share::STATE_TOPIC).await?;
    let epoch = request.share_session_epoch;
    let asked = Asked::of(&request);
    let wanted = open(context, &member, epoch, &asked).await?;
    let acknowledged = share::acknowledge(context, &member, asked.acknowledged).await;
    let mut answers: Answers = IndexMap::new();
    let mut bytes = 0;
    if epoch == FINAL_EPOCH {
        share::release(context, &member, wanted).await;
    } else {
        let memory = context.core.fetch_memory.wait(deadline).await;
        let size_max_bytes = usize::try_from(request.max_bytes).unwrap_or(0).min(memory);
        let records_max = i64::from(request.max_records).min(SHARE_FETCH_RECORDS_MAX);
        for (partition, got) in gather(context, &member, &wanted, records_max, size_max_bytes, deadline).await {
            bytes += got.size_bytes();
            if got.is_news() || epoch == INITIAL_EPOCH {
                answers.insert(partition, told(partition, got));
            }
        }
    }
    for (partition, code) in acknowledged {
        let answer = answers.entry(partition).or_insert_with(|| told(partition, Got::default()));
        answer.acknowledge_error_code = code.code();
    }
    let lock_ms = context.core.share_settings(&member.group).limits.lock_duration_ms;
    let response =
        ShareFetchResponse::default().with_acquisition_lock_timeout_ms(lock_ms).with_responses(by_topic(answers));
    Ok((response, bytes))
}

type Answers = IndexMap<TopicIndex, PartitionData>;

/// What a request says of partitions.
struct Asked {
    named: Vec<TopicIndex>,
    forgotten: Vec<TopicIndex>,
    acknowledged: Vec<Acknowledged>,
}

impl Asked {
    fn of(request: &ShareFetchRequest) -> Self {
        let mut asked = Self { named: Vec::new(), forgotten: Vec::new(), acknowledged: Vec::new() };
        for topic in &request.topics {
            for partition in &topic.partitions {
                let of = (topic.topic_id, partition.partition_index);
                asked.named.push(of);
                if !partition.acknowledgement_batches.is_empty() {
                    let batches = partition.acknowledgement_batches.iter().map(|batch| Acknowledgement {
                        first: batch.first_offset,
                        last: batch.last_offset,
                        types: batch.acknowledge_types.clone(),
                    });
                    asked.acknowledged.push(Acknowledged { partition: of, batches: batches.collect() });
                }
            }
        }
        for topic in &request.forgotten_topics_data {
            asked.forgotten.extend(topic.partitions.iter().map(|index| (topic.topic_id, *index)));
        }
        asked
    }
}

/// Finds or makes the session that the request speaks of; the partitions to read, or to release.
async fn open(context: &Context, member: &Member, epoch: i32, asked: &Asked) -> Result<Vec<TopicIndex>, ErrorCode> {
    if epoch == INITIAL_EPOCH {
        if !asked.acknowledged.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        share::has_members(context, &member.group).await?;
    }
    let home = member.home(context.core.shared.cores);
    let (member, named, forgotten) = (member.clone(), asked.named.clone(), asked.forgotten.clone());
    let opened = context.core.on(home, move |core| async move {
        let mut sessions = core.share_sessions.borrow_mut();
        match epoch {
            INITIAL_EPOCH => sessions.open(&member, &named, Instant::now()).map(|()| named),
            FINAL_EPOCH => sessions.close(&member),
            epoch => sessions.advance(&member, epoch, &named, &forgotten, Instant::now()),
        }
    });
    opened.await.unwrap_or(Err(ErrorCode::NotLeaderOrFollower))
}

/// Reads until somebody has something, or it is time.
async fn gather(
    context: &Context,
    member: &Member,
    wanted: &[TopicIndex],
    records_max: i64,
    size_max_bytes: usize,
    deadline: Instant,
) -> Vec<(TopicIndex, Got)> {
    let (by_owner, mut refused) = plan(context, member, wanted);
    loop {
        let mut found = Vec::new();
        let (mut records_left, mut bytes_left) = (records_max, size_max_bytes);
        for (owner, items) in &by_owner {
            if records_left <= 0 || bytes_left == 0 {
                break;
            }
            let order = Order {
                items: items.clone(),
                member: member.id.clone(),
                records_max: records_left,
                size_max_bytes: bytes_left,
            };
            let got = context.core.on(*owner, move |core| acquire(core, order)).await.unwrap_or_default();
            records_left -= got.iter().map(Got::record_count).sum::<i64>();
            bytes_left = bytes_left.saturating_sub(got.iter().map(Got::size_bytes).sum());
            found.extend(got);
        }
        let settled = !refused.is_empty() || found.iter().any(Got::is_news);
        // Without room for an answer there is nothing to wait for.
        let none_asked = by_owner.is_empty() || records_max <= 0 || size_max_bytes == 0;
        if settled || none_asked || Instant::now() >= deadline || context.core.shared.is_stopping() {
            found.append(&mut refused);
            let named = found.into_iter().filter_map(|got| Some((*wanted.get(got.slot)?, got)));
            return named.collect();
        }
        wait_for_any(context, &by_owner, deadline).await;
        // Somebody else may have been quicker; others on this core get a turn in any case.
        yield_now().await;
    }
}

type ByOwner = BTreeMap<CoreId, Vec<Item>>;

fn plan(context: &Context, member: &Member, wanted: &[TopicIndex]) -> (ByOwner, Vec<Got>) {
    let image = context.core.image();
    let (mut by_owner, mut refused) = (ByOwner::new(), Vec::new());
    for (slot, partition) in wanted.iter().enumerate() {
        match share::locate(&image, *partition) {
            Ok(group) => {
                let key = StateKey { group: member.group.clone(), topic: partition.0, partition: partition.1 };
                by_owner.entry(context.core.owner(group)).or_default().push(Item { slot, group, key });
            }
            Err(code) => refused.push(Got { slot, error: Some(code), ..Got::default() }),
        }
    }
    (by_owner, refused)
}

/// The first owner that may have something ends the wait of all.
async fn wait_for_any(context: &Context, by_owner: &ByOwner, deadline: Instant) {
    let mut names = Vec::with_capacity(by_owner.len());
    let mut waiting = FuturesUnordered::new();
    for (owner, items) in by_owner {
        let (name, items) = (context.core.next_watch(), items.clone());
        names.push((*owner, name));
        waiting.push(context.core.on(*owner, move |core| wait(core, items, deadline, name)));
    }
    waiting.next().await;
    for (owner, name) in names {
        context.core.tell(owner, move |core| core.call_off(name));
    }
    // They end now; what they watched is let go before this returns.
    while waiting.next().await.is_some() {}
}

fn told((_, index): TopicIndex, got: Got) -> PartitionData {
    let acquired = got.acquired.iter().map(|acquired| {
        AcquiredRecords::default()
            .with_first_offset(acquired.first)
            .with_last_offset(acquired.last)
            .with_delivery_count(acquired.delivery_count)
    });
    let acquired = acquired.collect();
    let mut records = BytesMut::with_capacity(got.size_bytes());
    got.records.iter().for_each(|chunk| records.extend_from_slice(chunk));
    PartitionData::default()
        .with_partition_index(index)
        .with_error_code(got.error.unwrap_or(ErrorCode::None).code())
        .with_error_message(got.error.map(|code| StrBytes::from_static_str(code.name())))
        .with_records(Some(records.freeze()))
        .with_acquired_records(acquired)
}

fn by_topic(answers: Answers) -> Vec<ShareFetchableTopicResponse> {
    let mut topics: IndexMap<uuid::Uuid, Vec<PartitionData>> = IndexMap::new();
    for ((topic, _), data) in answers {
        topics.entry(topic).or_default().push(data);
    }
    let topic = |(id, partitions)| ShareFetchableTopicResponse::default().with_topic_id(id).with_partitions(partitions);
    topics.into_iter().map(topic).collect()
}
