//! [`GroupShard`]: all groups of one partition of `__consumer_offsets`.

use std::sync::Arc;

use indexmap::IndexMap;
use thalweg_protocol::{StrBytes, TimestampMs};

use super::ErrorCode;
use super::caller::own;
use super::classic::Group;
use super::consumer::Cluster;
use super::context::{Context, GroupConfig};
use super::effect::Effect;
use super::limits::STRING_LENGTH_MAX;
use super::pending::{GroupsOfTransactions, LogOrder};
use super::state::GroupState;
use super::timers::{GroupTimer, TimerKey};
use crate::coordinator::Phase;
use crate::metadata::ClusterImage;

/// See the [module](super). Owned by the core that owns the partition.
#[derive(Debug)]
pub struct GroupShard {
    pub(super) phase: Phase,
    pub(super) groups: IndexMap<StrBytes, Group>,
    pub(super) cx: Context,
    /// Groups for which open transactions have committed offsets.
    pub(super) transactions: GroupsOfTransactions,
    /// Of the last change that became durable.
    order: LogOrder,
    /// When expired offsets are looked for next.
    pub(super) expiry_at: Option<TimestampMs>,
    /// How many groups of this round are still to be looked at, once it has begun.
    pub(super) expiry_left: Option<usize>,
}

impl GroupShard {
    /// The largest batch that its log takes from now on.
    pub fn set_batch_size_max(&mut self, bytes: usize) {
        self.cx.config.batch_size_max_bytes = bytes;
    }

    /// An empty shard that is loading. `seed` makes its member ids: it must come from a good random source, and be
    /// another one each time.
    #[must_use]
    pub fn new(config: GroupConfig, seed: u64) -> Self {
        Self {
            phase: Phase::Loading,
            groups: IndexMap::new(),
            cx: Context::new(config, seed),
            transactions: GroupsOfTransactions::default(),
            order: LogOrder::default(),
            expiry_at: None,
            expiry_left: None,
        }
    }

    /// Takes new settings, from the next event on.
    pub fn set_config(&mut self, config: GroupConfig) {
        self.cx.config = config;
    }

    /// Takes a newer image of the cluster.
    pub fn set_image(&mut self, image: Arc<ClusterImage>) {
        self.cx.cluster = Cluster::new(image);
    }

    /// Whether requests are answered with more than an error.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.phase == Phase::Serving
    }

    /// How many groups there are.
    #[must_use]
    pub fn groups_count(&self) -> usize {
        self.groups.len()
    }

    /// When [`Self::tick`] is to be called next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<TimestampMs> {
        self.cx.timers.next().into_iter().chain(self.expiry_at).min()
    }

    /// Does what has become due. Early calls do nothing.
    pub fn tick(&mut self, now: TimestampMs) -> Vec<Effect> {
        self.begin(now);
        while let Some(TimerKey { group: id, timer }) = self.cx.timers.pop_due(now) {
            let (group, cx) = self.group_and_context(&id);
            let Some(group) = group else { continue };
            match timer {
                GroupTimer::Session(member) if group.modern.current().is_some() => self.fence_consumer(&id, &member),
                GroupTimer::MemberJoin(member) | GroupTimer::MemberSync(member) => self.fence_consumer(&id, &member),
                GroupTimer::Revocation(member) => self.on_revocation_timeout(&id, &member),
                GroupTimer::Join => group.on_join_timeout(cx),
                GroupTimer::Sync => group.on_sync_timeout(cx),
                GroupTimer::Session(member) => group.on_session_timeout(&member, cx),
            }
            self.remove_if_vacant(&id);
        }
        if self.expiry_at.is_some_and(|at| at <= now) {
            self.expire();
        }
        self.finish()
    }

    pub(super) fn begin(&mut self, now: TimestampMs) {
        self.cx.now = now;
    }

    /// Ends the handling of an event.
    pub(super) fn finish(&mut self) -> Vec<Effect> {
        self.complete_refused();
        self.cx.take_effects()
    }

    /// What Kafka checks before anything else of a request that is about members.
    pub(super) fn check_group_id(&self, id: &str) -> Result<(), ErrorCode> {
        if id.is_empty() || id.len() > STRING_LENGTH_MAX { Err(ErrorCode::InvalidGroupId) } else { Ok(()) }
    }

    pub(super) fn check_serving(&self) -> Result<(), ErrorCode> {
        self.phase.check_serving()
    }

    pub(super) fn group(&self, id: &str) -> Option<&Group> {
        self.groups.get(id.as_bytes())
    }

    pub(super) fn group_and_context(&mut self, id: &str) -> (Option<&mut Group>, &mut Context) {
        (self.groups.get_mut(id.as_bytes()), &mut self.cx)
    }

    pub(super) fn create_group(&mut self, id: &str) -> &mut Group {
        let now = self.cx.now;
        self.groups.entry(own(id)).or_insert_with_key(|id| Group::new(id.clone(), now))
    }

    /// Drops a group that a request has made, or that was never written, and that holds nothing.
    pub(super) fn remove_if_vacant(&mut self, id: &str) {
        if self.group(id).is_some_and(Group::is_vacant) {
            self.forget_group(id);
        }
    }

    pub(super) fn forget_group(&mut self, id: &str) {
        let Some(group) = self.groups.swap_remove(id.as_bytes()) else { return };
        for member in &group.pending_joins {
            group.cancel_session(member, &mut self.cx);
        }
    }

    /// The group's tombstone is durable. Offsets have tombstones of their own: those that have none live on in a group
    /// without members.
    pub(super) fn group_gone(&mut self, id: &str) {
        let Some(group) = self.group(id) else { return };
        let id = group.id.clone();
        let Some(group) = self.groups.get_mut(&id) else { return };
        let (offsets, in_flight) = (std::mem::take(&mut group.offsets), std::mem::take(&mut group.offsets_in_flight));
        let (pending, modern) = (std::mem::take(&mut group.pending), std::mem::take(&mut group.modern));
        self.forget_group(&id);
        if !offsets.is_empty() || !in_flight.is_empty() || !pending.is_empty() || !modern.is_none() {
            let group = self.create_group(&id);
            (group.offsets, group.offsets_in_flight, group.pending) = (offsets, in_flight, pending);
            group.modern = modern;
        }
    }

    /// The place of a change that is reported now, behind all that were before.
    pub(super) fn next_order(&mut self) -> LogOrder {
        self.order = LogOrder(self.order.0 + 1);
        self.order
    }

    /// The record at this place was replayed.
    pub(super) fn note_order(&mut self, order: LogOrder) {
        self.order = self.order.max(order);
    }

    /// Its removal could not be written.
    pub(super) fn revive_group(&mut self, id: &str) {
        if let Some(group) = self.groups.get_mut(id.as_bytes()).filter(|group| group.is(GroupState::Dead)) {
            let since = group.state_since;
            group.restore_state(GroupState::Empty, since);
        }
    }
}
