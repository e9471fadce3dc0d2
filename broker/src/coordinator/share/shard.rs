//! [`ShareStateShard`]: all share-partitions of one partition of `__share_group_state`.

use std::collections::BTreeMap;

use thalweg_protocol::records::BatchBuilder;
use thalweg_protocol::{ProducerEpoch, ProducerId, TimestampMs};

use super::codec::{self, Record, Update};
use super::{AppendToken, Effect, ErrorCode, ReplyToken, Response, StateKey};
use crate::coordinator::Phase;
use crate::coordinator::{append_error, batch};
use crate::share::partition::{KeptState, StateChange};

/// Share-partitions of one shard: beyond them nobody begins a new one.
const STATES_MAX: usize = 1_000_000;

/// Tombstones that go into one batch.
const TOMBSTONES_PER_BATCH_MAX: usize = 1_000;

/// Kafka's settings of the share coordinator, with its defaults.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShareStateConfig {
    /// `share.coordinator.snapshot.update.records.per.snapshot`
    pub updates_per_snapshot: u32,
    /// `max.message.bytes` of `__share_group_state`
    pub batch_size_max_bytes: usize,
}

impl Default for ShareStateConfig {
    fn default() -> Self {
        Self { updates_per_snapshot: 500, batch_size_max_bytes: 1_048_588 }
    }
}

/// What is kept of a share-partition.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct State {
    pub kept: KeptState,
    pub snapshot_epoch: i32,
    /// Of the topic partition, when it last wrote.
    pub leader_epoch: i32,
    /// How many updates there are since the snapshot.
    pub updates: u32,
    pub created_at: TimestampMs,
    pub written_at: TimestampMs,
}

/// A write under way, and who waits for it.
#[derive(Debug)]
struct Pending {
    records: Vec<Record>,
    /// Nobody waits for any but the last batch of several.
    replies: Vec<ReplyToken>,
    /// Who wants to know what is kept once this is decided.
    reads: Vec<(ReplyToken, StateKey)>,
}

/// See the [module](super). Owned by the core that owns the partition.
#[derive(Debug)]
pub struct ShareStateShard {
    pub(super) phase: Phase,
    pub(super) config: ShareStateConfig,
    /// What a restart would find.
    pub(super) durable: BTreeMap<StateKey, State>,
    /// With what is being written.
    pub(super) current: BTreeMap<StateKey, State>,
    token_next: u64,
    pending: BTreeMap<AppendToken, Pending>,
    effects: Vec<Effect>,
}

impl ShareStateShard {
    /// An empty shard that is loading.
    #[must_use]
    pub fn new(config: ShareStateConfig) -> Self {
        Self {
            phase: Phase::Loading,
            config,
            durable: BTreeMap::new(),
            current: BTreeMap::new(),
            token_next: 0,
            pending: BTreeMap::new(),
            effects: Vec::new(),
        }
    }

    /// What is kept of a share-partition. Answered once nothing of it is being written.
    pub fn read(&mut self, key: &StateKey, token: ReplyToken) -> Vec<Effect> {
        if let Err(error) = self.check_serving() {
            self.reply(token, Response::Read(Err(error)));
        } else if let Some(pending) = self.pending.values_mut().rfind(|pending| pending.concerns(key)) {
            pending.reads.push((token, key.clone()));
        } else {
            let kept = self.durable.get(key).cloned();
            self.reply(token, Response::Read(Ok(kept)));
        }
        self.finish()
    }

    /// Begins a share-partition, or begins it anew: nothing is done with from `start_offset` on. Each time the state's epoch
    /// grows, and those who know an older one are refused.
    pub fn initialize(
        &mut self,
        key: &StateKey,
        start_offset: i64,
        leader_epoch: i32,
        token: ReplyToken,
        now: TimestampMs,
    ) -> Vec<Effect> {
        let old = self.current.get(key);
        let (state_epoch, snapshot_epoch) =
            old.map_or((0, 0), |old| (old.kept.state_epoch.saturating_add(1), old.snapshot_epoch.saturating_add(1)));
        let result = match self.check_serving() {
            Ok(()) if old.is_none() && self.current.len() >= STATES_MAX => Err(ErrorCode::CoordinatorNotAvailable),
            other => other,
        };
        let kept = KeptState { state_epoch, start_offset, ..KeptState::default() };
        let state = State { kept, snapshot_epoch, leader_epoch, updates: 0, created_at: now, written_at: now };
        match result {
            Ok(()) => self.append(vec![Record::Snapshot(key.clone(), Some(state))], Some(token), now),
            Err(error) => self.reply(token, Response::Written(Err(error))),
        }
        self.finish()
    }

    /// Writes down what changed of a share-partition.
    pub fn write(
        &mut self,
        key: &StateKey,
        state_epoch: i32,
        leader_epoch: i32,
        change: &StateChange,
        token: ReplyToken,
        now: TimestampMs,
    ) -> Vec<Effect> {
        match self.record_of(key, state_epoch, leader_epoch, change, now) {
            Ok(record) => self.append(vec![record], Some(token), now),
            Err(error) => self.reply(token, Response::Written(Err(error))),
        }
        self.finish()
    }

    fn record_of(
        &self,
        key: &StateKey,
        state_epoch: i32,
        leader_epoch: i32,
        change: &StateChange,
        now: TimestampMs,
    ) -> Result<Record, ErrorCode> {
        self.check_serving()?;
        let state = self.current.get(key).ok_or(ErrorCode::InvalidRequest)?;
        if state_epoch < state.kept.state_epoch {
            return Err(ErrorCode::FencedStateEpoch);
        }
        if leader_epoch < state.leader_epoch {
            return Err(ErrorCode::FencedLeaderEpoch);
        }
        if state.updates < self.config.updates_per_snapshot {
            let update = Update { snapshot_epoch: state.snapshot_epoch, leader_epoch, change: change.clone() };
            return Ok(Record::Update(key.clone(), update));
        }
        let snapshot = State {
            kept: state.kept.merged(change),
            snapshot_epoch: state.snapshot_epoch.saturating_add(1),
            leader_epoch,
            updates: 0,
            created_at: state.created_at,
            written_at: now,
        };
        Ok(Record::Snapshot(key.clone(), Some(snapshot)))
    }

    /// Forgets share-partitions; answered, where somebody waits, once that is durable.
    pub fn delete(
        &mut self,
        wanted: impl Fn(&StateKey) -> bool,
        token: Option<ReplyToken>,
        now: TimestampMs,
    ) -> Vec<Effect> {
        if let Err(error) = self.check_serving() {
            self.reply_written(token, Err(error));
            return self.finish();
        }
        let gone: Vec<StateKey> = self.current.keys().filter(|key| wanted(key)).cloned().collect();
        if gone.is_empty() {
            // They may only just be going.
            match self.pending.last_entry() {
                Some(mut newest) => newest.get_mut().replies.extend(token),
                None => self.reply_written(token, Ok(())),
            }
        }
        let count = gone.len().div_ceil(TOMBSTONES_PER_BATCH_MAX);
        for (index, chunk) in gone.chunks(TOMBSTONES_PER_BATCH_MAX).enumerate() {
            let records = chunk.iter().map(|key| Record::Snapshot(key.clone(), None)).collect();
            self.append(records, if index + 1 == count { token } else { None }, now);
        }
        self.finish()
    }

    /// What is kept of a group.
    pub fn of_group<'a>(&'a self, group: &'a str) -> impl Iterator<Item = (&'a StateKey, &'a State)> {
        self.durable.iter().filter(move |(key, _)| &*key.group == group)
    }

    /// Whether requests are answered with more than an error.
    pub fn check_serving(&self) -> Result<(), ErrorCode> {
        self.phase.check_serving()
    }

    fn append(&mut self, records: Vec<Record>, reply: Option<ReplyToken>, now: TimestampMs) {
        // As Kafka's: a base sequence of 0, though there is no producer id.
        let builder = BatchBuilder::new().with_producer(ProducerId::NONE, ProducerEpoch(-1), 0);
        let encoded = records.iter().map(codec::encode);
        match batch::build(builder, encoded, self.config.batch_size_max_bytes, now) {
            Ok(batch) => {
                let token = AppendToken(self.token_next);
                self.token_next += 1;
                records.iter().for_each(|record| replay(&mut self.current, record));
                let replies = reply.into_iter().collect();
                self.pending.insert(token, Pending { records, replies, reads: Vec::new() });
                self.effects.push(Effect::Append { token, batch });
            }
            Err(error) => self.reply_written(reply, Err(append_error(error))),
        }
    }

    /// Reports the fate of an append. A token that is not known (of before an unload) is ignored.
    pub fn appended(&mut self, token: AppendToken, result: Result<(), ErrorCode>) -> Vec<Effect> {
        if let Some(pending) = self.pending.remove(&token) {
            self.complete(pending, result.map_err(append_error));
        }
        self.finish()
    }

    fn complete(&mut self, pending: Pending, result: Result<(), ErrorCode>) {
        for record in &pending.records {
            match result {
                Ok(()) => replay(&mut self.durable, record),
                Err(_) => self.rebuild(record),
            }
        }
        self.reply_written(pending.replies, result);
        for (token, key) in pending.reads {
            let kept = self.durable.get(&key).cloned();
            self.reply(token, Response::Read(Ok(kept)));
        }
    }

    /// A write failed: the share-partition is what is durable, and what is still under way.
    fn rebuild(&mut self, failed: &Record) {
        let Some(key) = failed.key() else { return };
        match self.durable.get(key) {
            Some(state) => drop(self.current.insert(key.clone(), state.clone())),
            None => drop(self.current.remove(key)),
        }
        let records = self.pending.values().flat_map(|pending| pending.records.iter());
        for record in records.filter(|record| record.key() == Some(key)) {
            replay(&mut self.current, record);
        }
    }

    /// The partition is led elsewhere: everybody who waits is told, and all is forgotten.
    pub fn unload(&mut self) -> Vec<Effect> {
        self.phase = Phase::Unloaded;
        for (_, pending) in std::mem::take(&mut self.pending) {
            self.reply_written(pending.replies, Err(ErrorCode::NotCoordinator));
            for (token, _) in pending.reads {
                self.reply(token, Response::Read(Err(ErrorCode::NotCoordinator)));
            }
        }
        self.durable.clear();
        self.current.clear();
        self.finish()
    }

    fn reply_written(&mut self, tokens: impl IntoIterator<Item = ReplyToken>, result: Result<(), ErrorCode>) {
        tokens.into_iter().for_each(|token| self.reply(token, Response::Written(result)));
    }

    fn reply(&mut self, token: ReplyToken, response: Response) {
        self.effects.push(Effect::Reply { token, response: Box::new(response) });
    }

    pub(super) fn finish(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }
}

impl Pending {
    fn concerns(&self, key: &StateKey) -> bool {
        self.records.iter().any(|record| record.key() == Some(key))
    }
}

impl Record {
    fn key(&self) -> Option<&StateKey> {
        match self {
            Self::Snapshot(key, _) | Self::Update(key, _) => Some(key),
            Self::Other(_) => None,
        }
    }
}

/// What the record says is so from now on.
pub(super) fn replay(states: &mut BTreeMap<StateKey, State>, record: &Record) {
    match record {
        Record::Snapshot(key, Some(state)) => drop(states.insert(key.clone(), state.clone())),
        Record::Snapshot(key, None) => drop(states.remove(key)),
        Record::Update(key, update) => {
            // Without a snapshot nothing is known of when it began.
            let Some(state) = states.get_mut(key) else { return };
            state.kept = state.kept.merged(&update.change);
            state.leader_epoch = state.leader_epoch.max(update.leader_epoch);
            state.updates = state.updates.saturating_add(1);
        }
        Record::Other(_) => {}
    }
}
