//! What a core does for share groups: the shards that keep their state, and the share-partitions of the partitions it owns.

use std::convert::Infallible;
use std::rc::Rc;

use futures::channel::oneshot;
use thalweg_protocol::error::ErrorCode;
use thalweg_protocol::{StrBytes, TimestampMs};
use thalweg_storage::types::GroupId;
use uuid::Uuid;

use super::core::Core;
use super::shards::Kind;
use crate::coordinator::share::{Effect, Response, ShareStateConfig, ShareStateShard, StateKey};
use crate::coordinator::{Coordinators, Hosted as HostedShard, ReplyToken};
use crate::errors;
use crate::handlers::{coordinators, share::STATE_TOPIC};
use crate::limits::SHARE_PARTITIONS_PER_CORE_MAX;
use crate::partition::EpochCheck;
use crate::share::hosted::{Hosted, joined};
use crate::share::partition::{KeptState, ShareLimits, StateChange};
use crate::share::reset::ShareReset;
use thalweg_protocol::LeaderEpoch;

impl Kind for ShareStateShard {
    const TOPIC: &'static str = STATE_TOPIC;

    fn of(core: &Core) -> &Coordinators<Self> {
        &core.share_states
    }

    fn open(core: &Core, group: GroupId) -> Self {
        Self::new(ShareStateConfig {
            updates_per_snapshot: core.shared.config.share.updates_per_snapshot,
            batch_size_max_bytes: core.batch_size_max_bytes(group),
        })
    }

    fn run(_: &Rc<Core>, _: &Rc<HostedShard<Self>>, errand: Infallible) {
        match errand {}
    }
}

/// What a group set for itself, or the broker for all.
#[derive(Clone, Copy, Debug)]
pub struct ShareGroupSettings {
    pub limits: ShareLimits,
    pub reset: ShareReset,
    pub read_committed: bool,
}

impl Core {
    pub fn share_settings(&self, group: &str) -> ShareGroupSettings {
        let image = self.image();
        let own = image.group_configs.get(group);
        let text = |key: &str| own.and_then(|own| own.get(key)).map(|text| text.trim());
        let number = |key: &str, default: i32| text(key).and_then(|text| text.parse().ok()).unwrap_or(default);
        let broker = &self.shared.config.share;
        let count = number("share.delivery.count.limit", broker.delivery_count_limit);
        ShareGroupSettings {
            limits: ShareLimits {
                lock_duration_ms: number("share.record.lock.duration.ms", broker.record_lock_duration_ms),
                delivery_count_max: i16::try_from(count).unwrap_or(i16::MAX),
                records_in_flight_max: i64::from(number("share.partition.max.record.locks", broker.max_record_locks)),
            },
            reset: text("share.auto.offset.reset").and_then(ShareReset::parse).unwrap_or_default(),
            read_committed: text("share.isolation.level") == Some("read_committed"),
        }
    }

    /// A share-partition of this core, loaded.
    pub async fn share_partition(self: &Rc<Self>, group: GroupId, key: &StateKey) -> Result<Rc<Hosted>, ErrorCode> {
        let serves = self.with_partition(group, |partition| partition.check_leader(EpochCheck(LeaderEpoch::NONE)));
        serves.unwrap_or(Err(ErrorCode::NotLeaderOrFollower))?;
        let hosted = match self.shares.get(group, &key.group) {
            Some(hosted) => hosted,
            None => {
                self.make_room_for_share()?;
                let hosted = self.shares.host(group, key.clone());
                let (core, loading) = (Rc::clone(self), Rc::clone(&hosted));
                thalweg_reactor::spawn(async move { core.load_share(&loading).await }).detach();
                hosted
            }
        };
        let mut seen = 0;
        while hosted.is_loading() {
            seen = hosted.ready.wait(seen).await;
        }
        hosted.with(|_| ())?;
        Ok(hosted)
    }

    /// Those that nobody works on make room for others.
    fn make_room_for_share(&self) -> Result<(), ErrorCode> {
        if self.shares.count() >= SHARE_PARTITIONS_PER_CORE_MAX {
            self.shares.remove(ErrorCode::NotLeaderOrFollower, Hosted::is_idle);
        }
        let full = self.shares.count() >= SHARE_PARTITIONS_PER_CORE_MAX;
        if full { Err(ErrorCode::CoordinatorNotAvailable) } else { Ok(()) }
    }

    async fn load_share(self: Rc<Self>, hosted: &Rc<Hosted>) {
        let settings = self.share_settings(&hosted.key.group);
        match self.read_share(hosted, settings.reset).await {
            Ok(kept) => hosted.begin(&kept, settings.limits),
            Err(code) => {
                let StateKey { group, topic, partition } = &hosted.key;
                tracing::warn!(group = &**group, %topic, partition, %code, "the state of a share-partition cannot be read");
                self.forget_share(hosted, code);
            }
        }
    }

    /// What is kept of it. Where nothing is, it begins, and that is kept first: another start must find the same beginning.
    async fn read_share(self: &Rc<Self>, hosted: &Rc<Hosted>, reset: ShareReset) -> Result<KeptState, ErrorCode> {
        let key = hosted.key.clone();
        if let Some(kept) = self.read_share_state(&key).await? {
            return Ok(kept);
        }
        let start_offset = self.share_start(hosted.group, reset).await?;
        let leader_epoch = self.leader_epoch(hosted.group);
        let asked = self.ask_share_state(&hosted.key, move |shard, token, now| {
            shard.initialize(&key, start_offset, leader_epoch, token, now)
        });
        written(asked.await)?;
        self.read_share_state(&hosted.key).await?.ok_or(ErrorCode::CoordinatorNotAvailable)
    }

    async fn read_share_state(self: &Rc<Self>, key: &StateKey) -> Result<Option<KeptState>, ErrorCode> {
        let of = key.clone();
        match self.ask_share_state(key, move |shard, token, _| shard.read(&of, token)).await? {
            // It was begun, but nobody has said where.
            Response::Read(result) => Ok(result?.map(|state| state.kept).filter(|kept| kept.start_offset >= 0)),
            Response::Written(_) => Err(ErrorCode::UnknownServerError),
        }
    }

    async fn share_start(&self, group: GroupId, reset: ShareReset) -> Result<i64, ErrorCode> {
        let partition = self.partition(group).ok_or(ErrorCode::NotLeaderOrFollower)?;
        let (log, start, end) = {
            let partition = partition.borrow();
            (Rc::clone(&partition.log), partition.log_start_offset(), partition.high_watermark())
        };
        match reset {
            ShareReset::Earliest => Ok(start.0),
            ShareReset::Latest => Ok(end.0),
            ShareReset::ByDurationMs(ago) => {
                let since = TimestampMs(self.now().0.saturating_sub(ago).max(0));
                let found = thalweg_storage::log::lookup_timestamp(&log, since).await;
                let found = found.map_err(|error| errors::of_storage(&error))?;
                Ok(found.map_or(end, |(_, offset, _)| offset.min(end)).0)
            }
        }
    }

    pub fn leader_epoch(&self, group: GroupId) -> i32 {
        self.with_partition(group, |partition| partition.leader_epoch()).unwrap_or(LeaderEpoch::NONE).0
    }

    /// Has the shard that keeps a share-partition's state handle an event.
    pub async fn ask_share_state<F>(self: &Rc<Self>, key: &StateKey, handle: F) -> Result<Response, ErrorCode>
    where
        F: FnOnce(&mut ShareStateShard, ReplyToken, TimestampMs) -> Vec<Effect> + Send + 'static,
    {
        let found = coordinators::partition_of(self, STATE_TOPIC, &key.coordinator_key());
        let (_, group) = found.ok_or(ErrorCode::CoordinatorNotAvailable)?;
        let asked = self.on(self.owner(group), move |core: Rc<Self>| core.ask_shard::<ShareStateShard>(group, handle));
        asked.await.unwrap_or(Err(ErrorCode::NotCoordinator))
    }

    /// Writes down what changed; resolves once it is durable. Where it cannot be, the share-partition is forgotten here, and
    /// read again from what is durable.
    pub fn keep_share(
        self: &Rc<Self>,
        hosted: &Rc<Hosted>,
        change: StateChange,
    ) -> oneshot::Receiver<Result<(), ErrorCode>> {
        let (written, begin) = hosted.enqueue(change);
        if begin {
            let (core, hosted) = (Rc::clone(self), Rc::clone(hosted));
            thalweg_reactor::spawn(async move { core.write_shares(&hosted).await }).detach();
        }
        written
    }

    async fn write_shares(self: Rc<Self>, hosted: &Rc<Hosted>) {
        while let Some(changes) = hosted.next_changes() {
            let (key, change) = (hosted.key.clone(), joined(&changes));
            let (state_epoch, leader_epoch) = (hosted.state_epoch.get(), self.leader_epoch(hosted.group));
            let asked = self.ask_share_state(&hosted.key, move |shard, token, now| {
                shard.write(&key, state_epoch, leader_epoch, &change, token, now)
            });
            let result = written(asked.await);
            if let Err(code) = result {
                tracing::warn!(group = &*hosted.key.group, %code, "what a share group has done was not written");
                self.forget_share(hosted, ErrorCode::NotLeaderOrFollower);
            }
            for (_, waits) in changes {
                let _ = waits.send(result);
            }
        }
    }

    fn forget_share(&self, hosted: &Rc<Hosted>, code: ErrorCode) {
        self.shares.remove(code, |other| std::ptr::eq(other, &raw const **hosted));
    }

    /// Ends holds whose time is over.
    pub(super) fn tick_shares(self: &Rc<Self>) {
        let now = self.now();
        for hosted in self.shares.all() {
            let expired = hosted.with(|share| {
                let due = share.next_deadline().is_some_and(|deadline| deadline <= now);
                if due { share.expire(now) } else { None }
            });
            if let Ok(Some(change)) = expired {
                // Nobody waits for it.
                drop(self.keep_share(&hosted, change));
                hosted.wake();
            }
        }
    }

    /// The partition leaves this core.
    pub(super) fn drop_shares(&self, group: GroupId) {
        self.shares.remove(ErrorCode::NotLeaderOrFollower, |hosted| hosted.group == group);
    }

    /// What is kept of these share-partitions is another thing now: they are read again when somebody asks.
    pub fn reload_shares(&self, share_group: &StrBytes, topic: Option<Uuid>) {
        let wanted =
            |hosted: &Hosted| hosted.key.group == *share_group && topic.is_none_or(|id| hosted.key.topic == id);
        self.shares.remove(ErrorCode::NotLeaderOrFollower, wanted);
    }

    /// A topic is gone: so is what share groups have done with it.
    pub(super) fn forget_share_state(self: &Rc<Self>, topic: Uuid) {
        for hosted in self.share_states.all().into_iter().filter(|hosted| hosted.loaded.get()) {
            let effects = hosted.shard.borrow_mut().delete(|key| key.topic == topic, None, self.now());
            self.act_on(&hosted, effects);
        }
    }
}

fn written(asked: Result<Response, ErrorCode>) -> Result<(), ErrorCode> {
    match asked? {
        Response::Written(result) => result,
        Response::Read(_) => Err(ErrorCode::UnknownServerError),
    }
}
