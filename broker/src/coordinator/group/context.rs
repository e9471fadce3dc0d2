//! What every flow of a group shares with the others of its shard: settings, timers, and the effects so far.

use thalweg_protocol::TimestampMs;
use thalweg_storage::log::producers::EndRequest;

use super::append::{Appends, Completion};
use super::caller::ReplyToken;
use super::consumer::{Cluster, ConsumerConfig};
use super::effect::{Effect, Response};
use super::limits::{GROUP_MEMBERS_MAX, STRING_LENGTH_MAX};
use super::member_id::MemberIds;
use super::share::ShareConfig;
use super::timers::Timers;

/// Kafka's settings of the group coordinator, with its defaults.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupConfig {
    /// `group.min.session.timeout.ms`
    pub session_timeout_ms_min: i32,
    /// `group.max.session.timeout.ms`
    pub session_timeout_ms_max: i32,
    /// `group.initial.rebalance.delay.ms`
    pub initial_rebalance_delay_ms: i32,
    /// `group.max.size`
    pub group_size_max: usize,
    /// `offset.metadata.max.bytes`
    pub offset_metadata_size_max_bytes: usize,
    /// `offsets.retention.minutes`, in milliseconds
    pub offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`
    pub offsets_retention_check_interval_ms: i64,
    /// `max.message.bytes` of `__consumer_offsets`
    pub batch_size_max_bytes: usize,
    /// How long a new member may wait in JoinGroup: its session cannot be watched, as it has no member id yet.
    /// Kafka's `CLASSIC_GROUP_NEW_MEMBER_JOIN_TIMEOUT_MS`.
    pub new_member_join_timeout_ms: i32,
    /// `group.consumer.*`
    pub consumer: ConsumerConfig,
    /// `group.share.*`
    pub share: ShareConfig,
}

impl Default for GroupConfig {
    fn default() -> Self {
        Self {
            session_timeout_ms_min: 6_000,
            session_timeout_ms_max: 1_800_000,
            initial_rebalance_delay_ms: 3_000,
            group_size_max: i32::MAX as usize,
            offset_metadata_size_max_bytes: 4_096,
            offsets_retention_ms: 7 * 24 * 60 * 60 * 1000,
            offsets_retention_check_interval_ms: 600_000,
            batch_size_max_bytes: 1_048_588,
            new_member_join_timeout_ms: 5 * 60 * 1000,
            consumer: ConsumerConfig::default(),
            share: ShareConfig::default(),
        }
    }
}

impl GroupConfig {
    pub(super) fn members_max(&self) -> usize {
        self.group_size_max.min(GROUP_MEMBERS_MAX)
    }

    /// Kafka compares the number of UTF-16 units; the record format has its own limit in bytes.
    pub(super) fn metadata_too_large(&self, metadata: &str) -> bool {
        metadata.len() > STRING_LENGTH_MAX
            || (metadata.len() > self.offset_metadata_size_max_bytes
                && metadata.encode_utf16().count() > self.offset_metadata_size_max_bytes)
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) config: GroupConfig,
    /// The time of the event that is being handled.
    pub(super) now: TimestampMs,
    pub(super) timers: Timers,
    pub(super) appends: Appends,
    pub(super) member_ids: MemberIds,
    /// The topics, as the core knows them.
    pub(super) cluster: Cluster,
    effects: Vec<Effect>,
}

impl Context {
    pub(super) fn new(config: GroupConfig, seed: u64) -> Self {
        Self {
            config,
            now: TimestampMs(0),
            timers: Timers::default(),
            appends: Appends::default(),
            member_ids: MemberIds::new(seed),
            cluster: Cluster::default(),
            effects: Vec::new(),
        }
    }

    pub(super) fn reply(&mut self, token: ReplyToken, response: Response) {
        self.effects.push(Effect::Reply { token, response: Box::new(response) });
    }

    /// The same once everything that is being written now is durable; if that fails, so does the answer.
    pub(super) fn reply_behind_appends(&mut self, token: ReplyToken, response: Response) {
        if let Some((token, response)) = self.appends.park_reply(token, response) {
            self.reply(token, response);
        }
    }

    /// Writes `change`; see [`Appends::open`].
    /// Whether it was taken: what is too large is refused at once.
    pub(super) fn append(&mut self, changes: Vec<super::append::Change>, completion: Completion) -> bool {
        let effect = self.appends.open(changes, completion, &self.config, self.now);
        let taken = effect.is_some();
        self.effects.extend(effect);
        taken
    }

    /// The same within a transaction.
    pub(super) fn append_in_transaction(
        &mut self,
        changes: Vec<super::append::Change>,
        transaction: super::append::Transaction,
        completion: Completion,
    ) {
        let opened = self.appends.open_for(Some(transaction), changes, completion, &self.config, self.now);
        self.effects.extend(opened);
    }

    /// Writes the marker of a transaction.
    pub(super) fn append_end(&mut self, end: EndRequest, commit: bool, completion: Completion) {
        let effect = self.appends.open_end(end, commit, completion);
        self.effects.push(effect);
    }

    pub(super) fn after(&self, delay_ms: i32) -> TimestampMs {
        TimestampMs(self.now.0.saturating_add(i64::from(delay_ms.max(0))))
    }

    pub(super) fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }
}
