//! Driving the shards of a core, whatever they coordinate: loading them from their partitions, proposing what they append,
//! keeping time.

use std::rc::Rc;

use bytes::BytesMut;
use futures::StreamExt as _;
use futures::channel::mpsc;
use thalweg_protocol::TimestampMs;
use thalweg_protocol::error::ErrorCode;
use thalweg_storage::types::GroupId;

use super::core::Core;
use crate::coordinator::group::GroupShard;
use crate::coordinator::share::ShareStateShard;
use crate::coordinator::transaction::TransactionShard;
use crate::coordinator::{Coordinators, Effect, Effects, Hosted, PendingAppend, ReplyToken, Shard};

/// A kind of shard that a core hosts.
pub trait Kind: Shard {
    /// The topic whose partitions these shards live in.
    const TOPIC: &'static str;

    /// Those of a core.
    fn of(core: &Core) -> &Coordinators<Self>;

    /// A shard to be loaded from a partition that this core leads.
    fn open(core: &Core, group: GroupId) -> Self;

    /// Carries out what the shard asks for besides answers and writes.
    fn run(core: &Rc<Core>, hosted: &Rc<Hosted<Self>>, errand: Self::Errand);
}

impl Core {
    /// Has the shard of a partition handle an event, and gives the answer once there is one.
    pub async fn ask_shard<S: Kind>(
        self: Rc<Self>,
        group: GroupId,
        handle: impl FnOnce(&mut S, ReplyToken, TimestampMs) -> Effects<S>,
    ) -> Result<S::Response, ErrorCode> {
        let hosted = self.shard::<S>(group).await?;
        let (token, answer) = hosted.expect();
        let effects = handle(&mut hosted.shard.borrow_mut(), token, self.now());
        self.act_on(&hosted, effects);
        // What needs no waiting (a rebalance delay of 0, for one) does not wait for housekeeping either.
        self.tick_shard(&hosted);
        answer.await.map_err(|_| ErrorCode::NotCoordinator)
    }

    /// The shard of a partition, loaded.
    pub async fn shard<S: Kind>(self: &Rc<Self>, group: GroupId) -> Result<Rc<Hosted<S>>, ErrorCode> {
        let hosted = self.host_shard::<S>(group)?;
        let mut seen = 0;
        while !hosted.loaded.get() {
            seen = hosted.ready.wait(seen).await;
        }
        Ok(hosted)
    }

    /// The shard of a partition; begins to load it if it is not here yet.
    pub(super) fn host_shard<S: Kind>(self: &Rc<Self>, group: GroupId) -> Result<Rc<Hosted<S>>, ErrorCode> {
        if let Some(hosted) = S::of(self).get(group) {
            return Ok(hosted);
        }
        let serves = self.with_partition(group, |partition| partition.serves());
        if serves != Some(true) {
            return Err(ErrorCode::NotCoordinator);
        }
        let (hosted, queue) = S::of(self).host(group, S::open(self, group));
        thalweg_reactor::spawn(Rc::clone(self).load_shard(Rc::clone(&hosted), queue)).detach();
        Ok(hosted)
    }

    async fn load_shard<S: Kind>(self: Rc<Self>, hosted: Rc<Hosted<S>>, queue: mpsc::UnboundedReceiver<PendingAppend>) {
        let replayed = self.replay(hosted.group, |batch| hosted.shard.borrow_mut().load(batch.bytes)).await;
        if let Err(error) = replayed {
            tracing::error!(%error, "a partition of {} is not served: what it coordinates cannot be loaded", S::TOPIC);
            let effects = hosted.shard.borrow_mut().unload();
            self.act_on(&hosted, effects);
        } else {
            let effects = hosted.shard.borrow_mut().loaded(self.now());
            self.act_on(&hosted, effects);
        }
        hosted.loaded.set(true);
        hosted.ready.raise();
        self.report_appends(&hosted, queue).await;
    }

    /// Tells the shard what became of its writes, in their order.
    async fn report_appends<S: Kind>(
        self: &Rc<Self>,
        hosted: &Rc<Hosted<S>>,
        mut queue: mpsc::UnboundedReceiver<PendingAppend>,
    ) {
        while let Some((token, fate)) = queue.next().await {
            let result = fate.await.unwrap_or(Err(ErrorCode::NotLeaderOrFollower));
            let effects = hosted.shard.borrow_mut().appended(token, result, self.now());
            self.act_on(hosted, effects);
        }
    }

    pub(super) fn act_on<S: Kind>(self: &Rc<Self>, hosted: &Rc<Hosted<S>>, effects: Effects<S>) {
        for effect in effects {
            match effect {
                Effect::Reply { token, response } => hosted.answer(token, *response),
                Effect::Append { token, batch } => {
                    let appended = self.with_partition(hosted.group, |partition| {
                        partition.lead_append(self, BytesMut::from(batch)).map(|_| partition.await_all())
                    });
                    let fate = match appended {
                        Some(Ok(fate)) => fate,
                        _ => futures::channel::oneshot::channel().1,
                    };
                    // The queue ends with the shard itself.
                    let _ = hosted.appends.unbounded_send((token, fate));
                }
                Effect::Errand(errand) => S::run(self, hosted, errand),
            }
        }
    }

    /// Lets the shards do what has become due.
    pub(super) fn tick_shards(self: &Rc<Self>) {
        self.tick_all::<GroupShard>();
        self.stock_producer_ids();
        self.tick_all::<TransactionShard>();
        self.tick_shares();
    }

    fn tick_all<S: Kind>(self: &Rc<Self>) {
        for hosted in S::of(self).all() {
            self.tick_shard(&hosted);
        }
    }

    pub(super) fn tick_shard<S: Kind>(self: &Rc<Self>, hosted: &Rc<Hosted<S>>) {
        let now = self.now();
        let due = hosted.shard.borrow().next_deadline().is_some_and(|deadline| deadline <= now);
        if due && hosted.loaded.get() {
            let effects = hosted.shard.borrow_mut().tick(now);
            self.act_on(hosted, effects);
        }
    }

    /// The partition leaves this core: everybody who waits for what it coordinates is told.
    pub(super) fn drop_shards(self: &Rc<Self>, group: GroupId) {
        self.drop_shard::<GroupShard>(group);
        self.drop_shard::<TransactionShard>(group);
        self.drop_shard::<ShareStateShard>(group);
        self.drop_shares(group);
    }

    fn drop_shard<S: Kind>(self: &Rc<Self>, group: GroupId) {
        if let Some(hosted) = S::of(self).remove(group) {
            let effects = hosted.shard.borrow_mut().unload();
            self.act_on(&hosted, effects);
            hosted.appends.close_channel();
        }
    }

    /// The settings of the partition's topic may be others now.
    pub(super) fn reconfigure_shards(&self, group: GroupId) {
        self.reconfigure_shard::<GroupShard>(group);
        self.reconfigure_shard::<TransactionShard>(group);
        self.reconfigure_shard::<ShareStateShard>(group);
    }

    fn reconfigure_shard<S: Kind>(&self, group: GroupId) {
        if let Some(hosted) = S::of(self).get(group) {
            hosted.shard.borrow_mut().set_batch_size_max(self.batch_size_max_bytes(group));
        }
    }

    /// What the partition's topic takes: its `max.message.bytes`.
    pub(super) fn batch_size_max_bytes(&self, group: GroupId) -> usize {
        let of_topic = self.with_partition(group, |partition| partition.config.max_message_bytes);
        of_topic.unwrap_or_else(|| self.config().topic_config_default().max_message_bytes)
    }
}
