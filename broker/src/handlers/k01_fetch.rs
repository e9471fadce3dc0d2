//! Fetch: v4-18
//!
//! Behaviour:
//! - Each owner reads its partitions; where one core owns them all, it also does the waiting. Where several do, they are
//!   asked what they have, and only if that is too little do all wait, until the first has something.
//! - The client's limit is shared evenly between the owners; the first partition with data gives at least one batch.
//! - Sessions (KIP-227) are in `fetch_session`.
//!
//! Version notes:
//! - v7 sessions; v9 leader epochs (KIP-320); v11 rack; v12 flexible, divergence (KIP-595)
//! - v13 topics by id (KIP-516); v15 replica state; v16 leader endpoints (KIP-951); v17 and v18 are for followers

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _, future};
use thalweg_protocol::PartitionIndex;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::messages::{FetchRequest, TopicName};
use uuid::Uuid;

use super::fetch_read::{Item, Order, Read, execute, refused};
use super::fetch_session::{FINAL_EPOCH, INITIAL_EPOCH, Key, Mode, Wanted};
use super::{fetch_answer, fetch_memory, topics};
use crate::dispatch::{Answer, Context, decode};
use crate::reactor::CoreId;

pub fn start(context: Context, mut body: Bytes) -> LocalBoxFuture<'static, Answer> {
    match decode::<FetchRequest>(&context, &mut body) {
        Ok(request) => fetch(context, request).boxed_local(),
        Err(close) => future::ready(close).boxed_local(),
    }
}

async fn fetch(context: Context, request: FetchRequest) -> Answer {
    let deadline = Instant::now() + Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let limits = Limits {
        size_min_bytes: usize::try_from(request.min_bytes).unwrap_or(0),
        size_max_bytes: usize::try_from(request.max_bytes.min(context.core.shared.config.fetch_max_bytes)).unwrap_or(0),
        read_committed: request.isolation_level == 1,
        deadline,
    };
    let (mode, wanted) = match open_session(&context, request) {
        Ok(opened) => opened,
        Err(code) => return fetch_answer::refuse(&context, code),
    };
    let (mut reads, by_owner) = plan(&context, &wanted);
    let owners = by_owner.keys().copied();
    let mode = match mode {
        Mode::Created(id) if context.peer.moves_to_fetch_from(owners.clone()) => {
            context.core.fetch_sessions.borrow_mut().close(id);
            Mode::Full
        }
        mode => mode,
    };
    if mode == Mode::Full {
        context.peer.asks(owners);
    }
    let memory = &context.core.fetch_memory;
    let size_max_bytes = memory.wait(deadline).await.min(limits.size_max_bytes);
    gather(&context, &Limits { size_max_bytes, ..limits }, by_owner, &mut reads).await;
    let held = memory.hold(&mut reads);
    fetch_memory::until_sent(fetch_answer::lay_out(&context, mode, &wanted, reads, limits.read_committed), held)
}

/// What holds for a whole request.
#[derive(Clone, Copy)]
struct Limits {
    size_min_bytes: usize,
    size_max_bytes: usize,
    read_committed: bool,
    deadline: Instant,
}

/// Finds or makes the session that the request speaks of, and the partitions to serve.
fn open_session(context: &Context, request: FetchRequest) -> Result<(Mode, Vec<(Key, Wanted)>), ErrorCode> {
    let by_id = context.version >= 13;
    let (id, epoch) = if context.version >= 7 { (request.session_id, request.session_epoch) } else { (0, FINAL_EPOCH) };
    let named: Vec<(Key, Wanted)> = request
        .topics
        .into_iter()
        .flat_map(|topic| {
            let (name, topic_id) = (topic.topic, topic.topic_id);
            topic.partitions.into_iter().map(move |partition| {
                let key = Key { topic: name.clone(), topic_id, partition: partition.partition };
                let wanted = Wanted {
                    fetch_offset: partition.fetch_offset,
                    max_bytes: partition.partition_max_bytes,
                    current_leader_epoch: partition.current_leader_epoch,
                    last_fetched_epoch: partition.last_fetched_epoch,
                };
                (key, wanted)
            })
        })
        .collect();
    let mut sessions = context.core.fetch_sessions.borrow_mut();
    let now = Instant::now();
    if epoch == FINAL_EPOCH || epoch == INITIAL_EPOCH {
        sessions.close(id);
        let created = (epoch == INITIAL_EPOCH).then(|| sessions.create(by_id, &named, now)).flatten();
        return Ok((created.map_or(Mode::Full, Mode::Created), named));
    }
    let forgotten: Vec<Key> = request
        .forgotten_topics_data
        .into_iter()
        .flat_map(|topic| {
            let (name, topic_id) = (topic.topic, topic.topic_id);
            topic.partitions.into_iter().map(move |partition| Key { topic: name.clone(), topic_id, partition })
        })
        .collect();
    let all = sessions.update(id, epoch, by_id, named, &forgotten, now)?;
    if all.is_empty() {
        // A session of nothing is none, as Kafka's is none (`IncrementalFetchContext`).
        sessions.close(id);
        return Ok((Mode::Full, all));
    }
    Ok((Mode::Incremental(id), all))
}

/// Slots that are answered already, and the items by owner.
fn plan(context: &Context, wanted: &[(Key, Wanted)]) -> (Vec<Option<Read>>, BTreeMap<CoreId, Vec<Item>>) {
    let image = context.core.image();
    let mut reads = Vec::with_capacity(wanted.len());
    let mut by_owner: BTreeMap<CoreId, Vec<Item>> = BTreeMap::new();
    for (slot, (key, wanted)) in wanted.iter().enumerate() {
        let info = topics::find(&image, context.version >= 13, &key.topic, key.topic_id).and_then(|topic| {
            let info = topic.partition(PartitionIndex(key.partition));
            info.map(|info| info.group).ok_or(ErrorCode::UnknownTopicOrPartition)
        });
        reads.push(match info {
            Ok(group) => {
                by_owner.entry(context.core.owner(group)).or_default().push(Item { slot, group, wanted: *wanted });
                None
            }
            Err(code) => Some(refused(slot, code)),
        });
    }
    (reads, by_owner)
}

/// Asks the owners, and waits with them if the client would rather have more.
async fn gather(context: &Context, limits: &Limits, by_owner: BTreeMap<CoreId, Vec<Item>>, reads: &mut [Option<Read>]) {
    let failed = reads.iter().flatten().next().is_some();
    let share = limits.size_max_bytes / by_owner.len().max(1);
    let single = by_owner.len() == 1;
    let mut orders: Vec<(CoreId, Order)> = Vec::with_capacity(by_owner.len());
    for (owner, items) in by_owner {
        // Several owners, or an error to tell: first only what is there.
        let deadline = if single && !failed { limits.deadline } else { Instant::now() };
        let order = Order {
            items,
            size_min_bytes: limits.size_min_bytes,
            size_max_bytes: share,
            read_committed: limits.read_committed,
            deadline,
            watch: context.core.next_watch(),
        };
        orders.push((owner, order));
    }
    loop {
        let running: FuturesUnordered<_> =
            orders.iter().map(|(owner, order)| ask(context, *owner, order.clone())).collect();
        collect(context, &orders, running, reads).await;
        let enough = reads.iter().flatten().map(|read| read.bytes).sum::<usize>() >= limits.size_min_bytes;
        let settled = reads.iter().flatten().any(|read| read.error != ErrorCode::None || read.divergence.is_some());
        if single || orders.is_empty() || enough || settled || Instant::now() >= limits.deadline {
            return;
        }
        for (_, order) in &mut orders {
            order.deadline = limits.deadline;
            order.size_min_bytes = 1;
            order.watch = context.core.next_watch();
        }
    }
}

fn ask(context: &Context, owner: CoreId, order: Order) -> impl Future<Output = Vec<Read>> + use<> {
    let slots: Vec<usize> = order.items.iter().map(|item| item.slot).collect();
    let asked = context.core.on(owner, move |core| execute(core, order));
    async move {
        let stopping = |_| slots.into_iter().map(|slot| refused(slot, ErrorCode::NotLeaderOrFollower)).collect();
        asked.await.unwrap_or_else(stopping)
    }
}

/// Takes the owners' answers. The first that has something ends the others' waits.
async fn collect(
    context: &Context,
    orders: &[(CoreId, Order)],
    mut running: FuturesUnordered<impl Future<Output = Vec<Read>>>,
    reads: &mut [Option<Read>],
) {
    // Who was asked only for what is there does not wait.
    let mut called_off = orders.iter().all(|(_, order)| order.deadline <= Instant::now());
    while let Some(answers) = running.next().await {
        if !called_off && !running.is_empty() {
            called_off = true;
            call_off(context, orders);
        }
        for read in answers {
            if let Some(place) = reads.get_mut(read.slot) {
                *place = Some(read);
            }
        }
    }
}

fn call_off(context: &Context, orders: &[(CoreId, Order)]) {
    for (owner, order) in orders {
        let watch = order.watch;
        context.core.tell(*owner, move |core| core.call_off(watch));
    }
}

/// One topic of an answer, named by the first of its keys, with its partitions.
pub(super) type TopicReads = (Key, Vec<(Key, Read)>);

/// The partitions of an answer that go together under one topic.
pub(super) fn by_topic(wanted: &[(Key, Wanted)], reads: Vec<Option<Read>>) -> Vec<TopicReads> {
    let mut topics: indexmap::IndexMap<(TopicName, Uuid), TopicReads> = indexmap::IndexMap::new();
    for (read, (key, _)) in reads.into_iter().zip(wanted) {
        let read = read.unwrap_or_else(|| refused(0, ErrorCode::NotLeaderOrFollower));
        let topic = topics.entry((key.topic.clone(), key.topic_id)).or_insert_with(|| (key.clone(), Vec::new()));
        topic.1.push((key.clone(), read));
    }
    topics.into_values().collect()
}
