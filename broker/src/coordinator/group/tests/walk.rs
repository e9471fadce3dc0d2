//! Random walks: whatever clients, the clock and the log do, every request is answered once, and what is shown is what a
//! restart shows.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::{Bytes, BytesMut};
use thalweg_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use thalweg_protocol::messages::leave_group_request::MemberIdentity;
use thalweg_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use thalweg_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use thalweg_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use thalweg_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use thalweg_protocol::messages::{
    GroupId, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, OffsetCommitRequest, SyncGroupRequest, TopicName,
    TxnOffsetCommitRequest,
};
use thalweg_protocol::records::{BatchHeader, Marker, control, stamp};
use thalweg_protocol::{KafkaOffset, LeaderEpoch, ProducerEpoch, ProducerId, StrBytes, TimestampMs};
use thalweg_storage::log::producers::EndRequest;

use super::bench::subscription;
use crate::coordinator::group::classic::Group;
use crate::coordinator::group::state::GroupState;
use crate::coordinator::group::{
    AppendToken, Caller, Effect, Errand, ErrorCode, GroupConfig, GroupShard, ReplyToken, Response,
};

const WALKS: u64 = 150;
const STEPS: usize = 400;

struct Walk {
    random: u64,
    shard: GroupShard,
    now: TimestampMs,
    asked: u64,
    waiting: BTreeSet<ReplyToken>,
    appends: VecDeque<(AppendToken, Bytes)>,
    log: Vec<Bytes>,
    log_end: KafkaOffset,
    /// Members as clients know them: of which group, since which generation.
    members: Vec<(GroupId, StrBytes, i32, Option<StrBytes>)>,
    /// The states and errors that were come across.
    seen: BTreeSet<String>,
}

fn config() -> GroupConfig {
    GroupConfig {
        group_size_max: 4,
        offsets_retention_ms: 60_000,
        offsets_retention_check_interval_ms: 7_000,
        ..GroupConfig::default()
    }
}

impl Walk {
    fn new(seed: u64) -> Self {
        let mut shard = GroupShard::new(config(), seed);
        shard.loaded(TimestampMs(0));
        Self {
            random: seed,
            shard,
            now: TimestampMs(0),
            asked: 0,
            waiting: BTreeSet::new(),
            appends: VecDeque::new(),
            log: Vec::new(),
            log_end: KafkaOffset::ZERO,
            members: Vec::new(),
            seen: BTreeSet::new(),
        }
    }

    /// A number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % end
    }

    fn caller(&mut self) -> Caller {
        self.asked += 1;
        let token = ReplyToken(self.asked);
        self.waiting.insert(token);
        let version = i16::try_from(self.below(10)).unwrap();
        Caller {
            token,
            version,
            client_id: StrBytes::from_static_str("c"),
            client_host: StrBytes::from_static_str("/::1"),
        }
    }

    fn group(&mut self) -> GroupId {
        GroupId(StrBytes::from_string(format!("g{}", self.below(3))))
    }

    /// Somebody known, or nobody.
    fn member(&mut self) -> (GroupId, StrBytes, i32, Option<StrBytes>) {
        let known = u64::try_from(self.members.len()).unwrap();
        let choice = self.below(known + 1);
        match self.members.get(usize::try_from(choice).unwrap()) {
            Some(member) => member.clone(),
            None => (self.group(), StrBytes::default(), -1, None),
        }
    }

    fn step(&mut self) {
        let effects = match self.below(22) {
            0..=4 => self.join(),
            5..=8 => self.sync(),
            9 => self.heartbeat(),
            10 => self.leave(),
            11 | 12 => self.commit(),
            13 => self.fetch(),
            14 => self.delete(),
            15 => self.tick(),
            16 => self.commit_in_transaction(),
            17 => self.end_transaction(),
            _ => self.report(),
        };
        self.act(effects);
    }

    fn join(&mut self) -> Vec<Effect> {
        let (group, member, _, instance) = if self.below(2) == 0 {
            let instance =
                ["i", "j"].get(usize::try_from(self.below(6)).unwrap()).map(|name| StrBytes::from_static_str(name));
            (self.group(), StrBytes::default(), -1, instance)
        } else {
            self.member()
        };
        let topics = if self.below(8) == 0 { "t+u" } else { "t" };
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(StrBytes::from_static_str("range"))
            .with_metadata(subscription(topics));
        let request = JoinGroupRequest::default()
            .with_group_id(group)
            .with_member_id(member)
            .with_group_instance_id(instance)
            .with_session_timeout_ms(6_000 + i32::try_from(self.below(10_000)).unwrap())
            .with_rebalance_timeout_ms(i32::try_from(self.below(20_000)).unwrap())
            .with_protocol_type(StrBytes::from_static_str("consumer"))
            .with_protocols(vec![protocol]);
        let caller = self.caller();
        self.shard.join(&request, &caller, self.now)
    }

    fn sync(&mut self) -> Vec<Effect> {
        let (group, member, generation, instance) = self.member();
        let assignment = SyncGroupRequestAssignment::default()
            .with_member_id(member.clone())
            .with_assignment(Bytes::from_static(b"all"));
        let request = SyncGroupRequest::default()
            .with_group_id(group)
            .with_member_id(member)
            .with_generation_id(generation)
            .with_protocol_type(Some(StrBytes::from_static_str("consumer")))
            .with_protocol_name(Some(StrBytes::from_static_str("range")))
            .with_group_instance_id(instance)
            .with_assignments(vec![assignment]);
        let caller = self.caller();
        self.shard.sync(&request, &caller, self.now)
    }

    fn heartbeat(&mut self) -> Vec<Effect> {
        let (group, member, generation, instance) = self.member();
        let request = HeartbeatRequest::default()
            .with_group_id(group)
            .with_member_id(member)
            .with_generation_id(generation)
            .with_group_instance_id(instance);
        let caller = self.caller();
        self.shard.heartbeat(&request, &caller, self.now)
    }

    fn leave(&mut self) -> Vec<Effect> {
        let (group, member, _, instance) = self.member();
        let leaving = MemberIdentity::default().with_member_id(member.clone()).with_group_instance_id(instance);
        let request =
            LeaveGroupRequest::default().with_group_id(group).with_member_id(member).with_members(vec![leaving]);
        let caller = self.caller();
        self.shard.leave(&request, &caller, self.now)
    }

    fn commit(&mut self) -> Vec<Effect> {
        let (group, member, generation, instance) = self.member();
        let offset = i64::try_from(self.asked).unwrap();
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(i32::try_from(self.below(3)).unwrap())
            .with_committed_offset(offset);
        let topic = OffsetCommitRequestTopic::default()
            .with_name(TopicName(StrBytes::from_static_str(if self.below(2) == 0 { "t" } else { "v" })))
            .with_partitions(vec![partition]);
        let request = OffsetCommitRequest::default()
            .with_group_id(group)
            .with_member_id(member)
            .with_generation_id_or_member_epoch(generation)
            .with_group_instance_id(instance)
            .with_topics(vec![topic]);
        let caller = self.caller();
        self.shard.commit(&request, &caller, self.now)
    }

    fn commit_in_transaction(&mut self) -> Vec<Effect> {
        let partition = TxnOffsetCommitRequestPartition::default()
            .with_partition_index(i32::try_from(self.below(3)).unwrap())
            .with_committed_offset(i64::try_from(self.asked).unwrap());
        let topic = TxnOffsetCommitRequestTopic::default()
            .with_name(TopicName(StrBytes::from_static_str(if self.below(2) == 0 { "t" } else { "v" })))
            .with_partitions(vec![partition]);
        let request = TxnOffsetCommitRequest::default()
            .with_group_id(self.group())
            .with_producer_id(thalweg_protocol::messages::ProducerId(i64::try_from(self.below(3)).unwrap()))
            .with_topics(vec![topic]);
        let caller = self.caller();
        self.shard.commit_in_transaction(&request, None, &caller, self.now)
    }

    fn end_transaction(&mut self) -> Vec<Effect> {
        let end = EndRequest {
            producer: ProducerId(i64::try_from(self.below(3)).unwrap()),
            epoch: ProducerEpoch(0),
            coordinator_epoch: 0,
            transaction_version: 0,
        };
        let (commit, token) = (self.below(2) == 0, self.caller().token);
        self.shard.end_transaction(end, commit, token, self.now)
    }

    fn fetch(&mut self) -> Vec<Effect> {
        let request = OffsetFetchRequestGroup::default().with_group_id(self.group()).with_topics(None);
        let (stable, caller) = (self.below(2) == 0, self.caller());
        self.shard.fetch(&request, stable, &caller, self.now)
    }

    fn delete(&mut self) -> Vec<Effect> {
        if self.below(3) == 0 {
            return self.shard.topics_deleted(&[StrBytes::from_static_str("v")], self.now);
        }
        let (group, caller) = (self.group(), self.caller());
        self.shard.delete_groups(&[group], &caller, self.now)
    }

    fn tick(&mut self) -> Vec<Effect> {
        self.now = TimestampMs(self.now.0 + i64::try_from(self.below(9_000)).unwrap());
        let effects = self.shard.tick(self.now);
        assert!(self.shard.next_deadline().unwrap() > self.now, "what is due has been done");
        effects
    }

    fn report(&mut self) -> Vec<Effect> {
        let Some((token, batch)) = self.appends.pop_front() else { return Vec::new() };
        let result = match self.below(10) {
            0 => Err(ErrorCode::NotLeaderOrFollower),
            _ => Ok(()),
        };
        if result.is_ok() {
            let mut batch = BytesMut::from(batch.as_ref());
            stamp(&mut batch, self.log_end, LeaderEpoch(0));
            self.log_end = BatchHeader::parse(&batch).unwrap().next_offset();
            self.log.push(batch.freeze());
        }
        self.shard.appended(token, result, self.now)
    }

    fn act(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Append { token, batch } | Effect::Errand(Errand::Offsets { token, batch, .. }) => {
                    self.appends.push_back((token, batch));
                }
                Effect::Errand(Errand::End { token, end, commit }) => {
                    let marker = if commit { Marker::Commit } else { Marker::Abort };
                    let batch = control::marker_batch(marker, 0, end.producer, end.epoch, self.now).unwrap();
                    self.appends.push_back((token, batch));
                }
                Effect::Reply { token, response } => {
                    assert!(self.waiting.remove(&token), "{token:?} is answered again: {response:?}");
                    self.learn(*response);
                }
            }
        }
    }

    /// What clients take from their answers.
    fn learn(&mut self, response: Response) {
        let Response::JoinGroup(join) = response else { return };
        if join.member_id.is_empty() {
            return;
        }
        let groups: Vec<GroupId> = (0..3).map(|number| GroupId(StrBytes::from_string(format!("g{number}")))).collect();
        for group in groups {
            let described = self.shard.describe(&group, 6);
            let found = described.members.iter().find(|member| member.member_id == join.member_id);
            let instance = found.and_then(|member| member.group_instance_id.clone());
            if found.is_some() || join.error_code == ErrorCode::MemberIdRequired.code() {
                self.members.retain(|(_, id, _, _)| *id != join.member_id || found.is_none());
                self.members.push((group, join.member_id.clone(), join.generation_id, instance));
            }
        }
        if self.members.len() > 12 {
            self.members.remove(0);
        }
    }

    fn check(&mut self) {
        for group in self.shard.groups.values() {
            self.seen.insert(format!("{} of {}", group.state(), group.members.len()));
            assert!(
                group.leader.as_ref().is_none_or(|leader| group.members.contains_key(leader)),
                "a leader is a member"
            );
            assert!(group.joins_parked() <= 4, "group.max.size bounds who can be in the next generation");
            for (instance, member) in &group.static_members {
                assert_eq!(group.members[member].instance_id.as_ref(), Some(instance));
            }
            if matches!(group.state(), GroupState::Empty | GroupState::Dead) {
                assert!(group.members.is_empty());
            } else {
                assert!(!group.members.is_empty() || group.is(GroupState::PreparingRebalance));
            }
            if group.is(GroupState::Stable) {
                assert!(group.members.values().all(|member| member.sync.is_none()), "nobody waits for what is there");
            }
        }
    }

    fn offsets(shard: &GroupShard) -> BTreeMap<(String, String, i32), i64> {
        let mut offsets = BTreeMap::new();
        for (id, group) in &shard.groups {
            for (topic, partitions) in &group.offsets {
                for (index, offset) in partitions {
                    offsets.insert((id.to_string(), topic.to_string(), *index), offset.offset);
                }
            }
        }
        offsets
    }

    /// What waits for the end of transactions.
    fn pending(shard: &GroupShard) -> BTreeSet<(String, String, i32)> {
        let of_group = |(id, group): (&StrBytes, &Group)| {
            let keys = group.pending.keys().map(|(topic, index)| (id.to_string(), topic.to_string(), *index));
            keys.collect::<Vec<_>>()
        };
        shard.groups.iter().flat_map(of_group).collect()
    }

    fn end(mut self) -> BTreeSet<String> {
        while !self.appends.is_empty() {
            let effects = self.report();
            self.act(effects);
        }
        let mut again = GroupShard::new(config(), 1);
        for batch in &self.log {
            again.load(batch).unwrap();
        }
        assert_eq!(Self::offsets(&self.shard), Self::offsets(&again), "a restart shows the same");
        assert_eq!(Self::pending(&self.shard), Self::pending(&again), "and waits for the same");
        if !Self::pending(&self.shard).is_empty() {
            self.seen.insert("pending offsets".to_owned());
        }
        let effects = self.shard.unload();
        self.act(effects);
        assert!(self.waiting.is_empty(), "somebody still waits: {:?}", self.waiting);
        assert!(self.appends.is_empty() && self.shard.next_deadline().is_none());
        self.seen
    }
}

#[test]
fn every_request_is_answered_once_and_nothing_durable_is_lost() {
    let mut seen = BTreeSet::new();
    for seed in 0..WALKS {
        let mut walk = Walk::new(seed);
        for _ in 0..STEPS {
            walk.step();
            walk.check();
        }
        seen.extend(walk.end());
    }
    for state in [
        "Empty of 0",
        "PreparingRebalance of 3",
        "CompletingRebalance of 3",
        "Stable of 3",
        "Dead of 0",
        "pending offsets",
    ] {
        assert!(seen.contains(state), "the walks never come to {state}, only to {seen:?}");
    }
}
