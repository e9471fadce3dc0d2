//! Driving the group shards of a core: loading them from their partitions, proposing what they append, keeping time.

use std::rc::Rc;

use bytes::BytesMut;
use futures::StreamExt as _;
use futures::channel::mpsc;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::{StrBytes, TimestampMs};
use thalweg_storage::types::GroupId;

use super::core::Core;
use crate::coordinator::group::{Effect, GroupConfig, GroupShard, ReplyToken, Response};
use crate::coordinator::{Hosted, PendingAppend};

impl Core {
    /// Has the shard of a partition handle an event, and gives the answer once there is one.
    pub async fn ask_shard(
        self: Rc<Self>,
        group: GroupId,
        handle: impl FnOnce(&mut GroupShard, ReplyToken, TimestampMs) -> Vec<Effect>,
    ) -> Result<Response, ErrorCode> {
        let hosted = self.shard(group).await?;
        let (token, answer) = hosted.expect();
        let effects = handle(&mut hosted.shard.borrow_mut(), token, self.now());
        self.act_on(&hosted, effects);
        // What needs no waiting (a rebalance delay of 0, for one) does not wait for housekeeping either.
        self.tick_shard(&hosted);
        answer.await.map_err(|_| ErrorCode::NotCoordinator)
    }

    /// The shard of a partition, loaded.
    pub async fn shard(self: &Rc<Self>, group: GroupId) -> Result<Rc<Hosted>, ErrorCode> {
        let hosted = match self.coordinators.get(group) {
            Some(hosted) => hosted,
            None => self.host_shard(group)?,
        };
        let mut seen = 0;
        while !hosted.loaded.get() {
            seen = hosted.ready.wait(seen).await;
        }
        Ok(hosted)
    }

    fn host_shard(self: &Rc<Self>, group: GroupId) -> Result<Rc<Hosted>, ErrorCode> {
        let serves = self.with_partition(group, |partition| partition.serves());
        if serves != Some(true) {
            return Err(ErrorCode::NotCoordinator);
        }
        let shard = GroupShard::new(self.group_config(group), uuid::Uuid::new_v4().as_u64_pair().1);
        let (hosted, queue) = self.coordinators.host(group, shard);
        thalweg_reactor::spawn(Rc::clone(self).load_shard(Rc::clone(&hosted), queue)).detach();
        Ok(hosted)
    }

    async fn load_shard(self: Rc<Self>, hosted: Rc<Hosted>, queue: mpsc::UnboundedReceiver<PendingAppend>) {
        let replayed = self.replay(hosted.group, |batch| hosted.shard.borrow_mut().load(batch.bytes)).await;
        if let Err(error) = replayed {
            tracing::error!(%error, "a partition of __consumer_offsets is not served: its groups cannot be loaded");
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
    async fn report_appends(&self, hosted: &Rc<Hosted>, mut queue: mpsc::UnboundedReceiver<PendingAppend>) {
        while let Some((token, fate)) = queue.next().await {
            let result = fate.await.unwrap_or(Err(ErrorCode::NotLeaderOrFollower));
            let effects = hosted.shard.borrow_mut().appended(token, result, self.now());
            self.act_on(hosted, effects);
        }
    }

    fn act_on(&self, hosted: &Hosted, effects: Vec<Effect>) {
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
            }
        }
    }

    /// Lets the shards do what has become due.
    pub(super) fn tick_groups(&self) {
        for hosted in self.coordinators.all() {
            self.tick_shard(&hosted);
        }
    }

    fn tick_shard(&self, hosted: &Hosted) {
        let now = self.now();
        let due = hosted.shard.borrow().next_deadline().is_some_and(|deadline| deadline <= now);
        if due && hosted.loaded.get() {
            let effects = hosted.shard.borrow_mut().tick(now);
            self.act_on(hosted, effects);
        }
    }

    /// A topic is gone: so are the offsets that groups committed for it.
    pub(super) fn forget_offsets(&self, topic: &str) {
        let topics = [StrBytes::from_string(topic.to_owned())];
        for hosted in self.coordinators.all().into_iter().filter(|hosted| hosted.loaded.get()) {
            let effects = hosted.shard.borrow_mut().topics_deleted(&topics, self.now());
            self.act_on(&hosted, effects);
        }
    }

    /// The partition leaves this core: everybody who waits for its groups is told.
    pub(super) fn drop_shard(&self, group: GroupId) {
        if let Some(hosted) = self.coordinators.remove(group) {
            let effects = hosted.shard.borrow_mut().unload();
            self.act_on(&hosted, effects);
            hosted.appends.close_channel();
        }
    }

    /// The settings of the partition's topic may be others now.
    pub(super) fn reconfigure_shard(&self, group: GroupId) {
        if let Some(hosted) = self.coordinators.get(group) {
            hosted.shard.borrow_mut().set_batch_size_max(self.batch_size_max_bytes(group));
        }
    }

    /// What the topic takes: `max.message.bytes` of `__consumer_offsets`.
    fn batch_size_max_bytes(&self, group: GroupId) -> usize {
        let of_topic = self.with_partition(group, |partition| partition.config.max_message_bytes);
        of_topic.unwrap_or(GroupConfig::default().batch_size_max_bytes)
    }

    fn group_config(&self, group: GroupId) -> GroupConfig {
        let config = &self.shared.config;
        GroupConfig {
            session_timeout_ms_min: config.group_min_session_timeout_ms,
            session_timeout_ms_max: config.group_max_session_timeout_ms,
            initial_rebalance_delay_ms: config.group_initial_rebalance_delay_ms,
            group_size_max: config.group_max_size,
            offset_metadata_size_max_bytes: config.offset_metadata_max_bytes,
            offsets_retention_ms: i64::from(config.offsets_retention_minutes) * 60_000,
            offsets_retention_check_interval_ms: config.offsets_retention_check_interval_ms,
            batch_size_max_bytes: self.batch_size_max_bytes(group),
            ..GroupConfig::default()
        }
    }
}
