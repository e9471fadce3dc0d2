//! Random walks of groups whose members speak both protocols, so that the group changes from one to the other and back while
//! it has members. Members of the classic protocol are eager: they give up everything before they join again.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use thalweg_protocol::StrBytes;
use thalweg_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use thalweg_protocol::messages::leave_group_request::MemberIdentity;
use thalweg_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use thalweg_protocol::messages::{
    HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, SyncGroupRequest,
};

use super::bench::string;
use super::consumer::subscription_with;
use super::consumer_walk::{Client, Owned, Walk, group};
use crate::coordinator::group::timers::{GroupTimer, TimerKey};
use crate::coordinator::group::{Caller, ErrorCode, ReplyToken, Response};

const WALKS: u64 = 150;
const STEPS: usize = 300;

/// How far a member of the classic protocol is.
#[derive(Clone, Debug, Default, PartialEq)]
enum Stage {
    #[default]
    Out,
    /// Knows its generation; the leader also who is to have what.
    Joined(Vec<SyncGroupRequestAssignment>),
    In,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Classic {
    id: StrBytes,
    generation: i32,
    stage: Stage,
    pub(super) owned: Owned,
    waits: Option<ReplyToken>,
}

impl Classic {
    pub(super) fn hang_up(&mut self) {
        self.waits = None;
    }

    /// Joins again: under its id, or as somebody new.
    fn begin_anew(&mut self, forgotten: bool) {
        self.owned.clear();
        self.stage = Stage::Out;
        if forgotten {
            self.id = StrBytes::default();
        }
    }
}

impl Walk {
    fn mixed_step(&mut self) {
        let what = self.draw(16);
        match what {
            0 => self.arrive_modern(),
            1 => self.arrive_classic(),
            2 => self.depart(),
            3 => self.depart_classic(),
            4 if self.draw(8) == 0 => self.restart(),
            5 => {
                let by = 1 + self.draw(9_000) as i64;
                self.advance(by);
            }
            6..=8 => self.report(),
            9..=11 => {
                let names: Vec<String> = self.clients.keys().cloned().collect();
                if !names.is_empty() {
                    let (at, late) = (self.draw(names.len()), self.draw(3) == 0);
                    self.beat(&names[at], false, late);
                }
            }
            _ => {
                let names: Vec<String> = self.classics.keys().cloned().collect();
                if !names.is_empty() {
                    let at = self.draw(names.len());
                    self.drive(&names[at]);
                }
            }
        }
        self.check_exclusive();
        self.check_watched(&format!("step {what}"));
    }

    /// Every member is heard of in time, or goes.
    fn check_watched(&self, what: &str) {
        let Some(group) = self.shard.group("g").and_then(|group| group.modern.current()) else { return };
        for member in group.members.keys() {
            let key = TimerKey { group: string("g"), timer: GroupTimer::Session(member.clone()) };
            assert!(self.shard.cx.timers.is_set(&key), "{} has no session after {what}", &**member);
        }
    }

    fn arrive_modern(&mut self) {
        let name = format!("m{}", self.client_next);
        self.client_next += 1;
        let mut client = Client::default();
        // Both topics, as the others.
        client.subscribe(1);
        self.clients.insert(name.clone(), client);
        self.beat(&name, true, false);
    }

    fn arrive_classic(&mut self) {
        let name = format!("c{}", self.client_next);
        self.client_next += 1;
        self.classics.insert(name.clone(), Classic::default());
        self.drive(&name);
    }

    fn depart_classic(&mut self) {
        let Some(name) = self.classics.keys().next().cloned() else { return };
        let Some(classic) = self.classics.remove(&name) else { return };
        if self.draw(2) == 0 && !classic.id.is_empty() {
            let member = MemberIdentity::default().with_member_id(classic.id);
            let request = LeaveGroupRequest::default().with_group_id(group()).with_members(vec![member]);
            let caller = self.next_caller(5);
            let effects = self.shard.leave(&request, &caller, self.now);
            self.act(effects);
        }
    }

    fn next_caller(&mut self, version: i16) -> Caller {
        self.asked += 1;
        let client_host = StrBytes::from_static_str("/127.0.0.1");
        Caller { token: ReplyToken(self.asked), version, client_id: string("c"), client_host }
    }

    /// Sends what a member of the classic protocol sends next.
    fn drive(&mut self, name: &str) {
        let Some(classic) = self.classics.get(name).filter(|classic| classic.waits.is_none()).cloned() else { return };
        let version = if classic.stage == Stage::Out { 9 } else { 4 };
        let caller = self.next_caller(version);
        if let Some(classic) = self.classics.get_mut(name) {
            classic.waits = Some(caller.token);
        }
        let effects = match classic.stage {
            Stage::Out => {
                let protocol = JoinGroupRequestProtocol::default().with_name(string("range"));
                let request = JoinGroupRequest::default()
                    .with_group_id(group())
                    .with_session_timeout_ms(10_000)
                    .with_rebalance_timeout_ms(30_000)
                    .with_member_id(classic.id)
                    .with_protocol_type(string("consumer"))
                    .with_protocols(vec![protocol.with_metadata(subscription_with("a+b", ""))]);
                self.shard.join(&request, &caller, self.now)
            }
            Stage::Joined(assignments) => {
                let request = SyncGroupRequest::default()
                    .with_group_id(group())
                    .with_generation_id(classic.generation)
                    .with_member_id(classic.id)
                    .with_assignments(assignments);
                self.shard.sync(&request, &caller, self.now)
            }
            Stage::In => {
                let request = HeartbeatRequest::default()
                    .with_group_id(group())
                    .with_generation_id(classic.generation)
                    .with_member_id(classic.id);
                self.shard.heartbeat(&request, &caller, self.now)
            }
        };
        self.act(effects);
        // What is due at once does not wait.
        self.advance(0);
    }

    pub(super) fn hear_classic(&mut self, token: ReplyToken, response: &Response) {
        self.take_classic(token, response);
        self.forget_fenced();
    }

    fn take_classic(&mut self, token: ReplyToken, response: &Response) {
        let plan = match response {
            Response::JoinGroup(join) if join.error_code == 0 && join.leader == join.member_id => self.plan(join),
            _ => Vec::new(),
        };
        let topics: BTreeMap<String, uuid::Uuid> =
            self.image.topics.iter().map(|(name, topic)| (name.to_string(), topic.id)).collect();
        let Some(classic) = self.classics.values_mut().find(|classic| classic.waits == Some(token)) else { return };
        classic.waits = None;
        let code = match response {
            Response::JoinGroup(join) => {
                if !join.member_id.is_empty() {
                    classic.id = join.member_id.clone();
                }
                if join.error_code == 0 {
                    classic.generation = join.generation_id;
                    classic.stage = Stage::Joined(plan);
                }
                join.error_code
            }
            Response::SyncGroup(sync) => {
                if sync.error_code == 0 {
                    classic.owned = read(&sync.assignment, &topics);
                    classic.stage = Stage::In;
                }
                sync.error_code
            }
            Response::Heartbeat(heartbeat) => heartbeat.error_code,
            other => panic!("{other:?}"),
        };
        let code = ErrorCode::from_code(code).unwrap();
        match code {
            ErrorCode::None | ErrorCode::MemberIdRequired => {}
            ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration | ErrorCode::GroupMaxSizeReached => {
                classic.begin_anew(true);
            }
            _ => classic.begin_anew(false),
        }
        self.seen.insert(format!("classic {}", code.name()));
    }

    /// The leader shares everything out, one partition after the other.
    fn plan(&self, join: &JoinGroupResponse) -> Vec<SyncGroupRequestAssignment> {
        let mut shares: Vec<BTreeMap<&str, Vec<i32>>> = vec![BTreeMap::new(); join.members.len()];
        let mut next = 0;
        for name in ["a", "b"] {
            for index in 0..self.image.topic(name).unwrap().partitions.len() {
                shares[next % join.members.len()].entry(name).or_default().push(index as i32);
                next += 1;
            }
        }
        let assignment = |(member, share): (&StrBytes, BTreeMap<&str, Vec<i32>>)| {
            SyncGroupRequestAssignment::default().with_member_id(member.clone()).with_assignment(write(&share))
        };
        join.members.iter().map(|member| &member.member_id).zip(shares).map(assignment).collect()
    }

    /// The write that an answer rested on was lost.
    pub(super) fn give_up_classic(&mut self, token: ReplyToken) {
        if let Some(classic) = self.classics.values_mut().find(|classic| classic.waits == Some(token)) {
            classic.waits = None;
            classic.begin_anew(false);
        }
    }

    /// Clients know as well when their time is over.
    pub(super) fn forget_fenced_classics(&mut self) {
        let mut known: BTreeSet<StrBytes> = BTreeSet::new();
        if let Some(group) = self.shard.group("g") {
            known.extend(group.members.keys().cloned());
            known.extend(group.modern.current().into_iter().flat_map(|group| group.members.keys().cloned()));
        }
        for classic in self.classics.values_mut().filter(|classic| !known.contains(&classic.id)) {
            classic.owned.clear();
            if classic.stage != Stage::Out {
                classic.begin_anew(true);
            }
        }
    }

    fn settle_mixed(&mut self) {
        for _ in 0..60 {
            let modern: Vec<String> = self.clients.keys().cloned().collect();
            let classic: Vec<String> = self.classics.keys().cloned().collect();
            for name in modern {
                self.beat(&name, false, false);
                self.write_all();
                self.check_exclusive();
                self.check_watched("a heartbeat");
            }
            for name in classic {
                self.drive(&name);
                self.check_watched("a request before its write");
                self.write_all();
                self.check_exclusive();
                self.check_watched("a request");
            }
            self.advance(3_000);
            self.check_watched("time before its write");
            self.write_all();
            self.check_watched("time");
        }
        let owned: BTreeSet<(uuid::Uuid, i32)> = self
            .clients
            .values()
            .map(|client| &client.owned)
            .chain(self.classics.values().map(|classic| &classic.owned))
            .flat_map(|owned| owned.iter().flat_map(|(topic, indexes)| indexes.iter().map(|index| (*topic, *index))))
            .collect();
        if !self.clients.is_empty() || !self.classics.is_empty() {
            assert_eq!(owned.len(), 5, "everything is read by somebody: {owned:?}");
        }
        let is_consumer = self.shard.is_consumer("g");
        let kind = match (self.clients.is_empty(), self.classics.is_empty()) {
            (true, true) => return,
            (false, _) => "consumer",
            (true, false) => "classic",
        };
        assert!(kind == "classic" || is_consumer, "a member of the consumer protocol is in a classic group");
        self.seen.insert(format!("{kind} at the end, and {}", if is_consumer { "consumer" } else { "classic" }));
    }
}

fn write(share: &BTreeMap<&str, Vec<i32>>) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(0);
    bytes.put_i32(share.len() as i32);
    for (topic, partitions) in share {
        bytes.put_i16(topic.len() as i16);
        bytes.put_slice(topic.as_bytes());
        bytes.put_i32(partitions.len() as i32);
        partitions.iter().for_each(|index| bytes.put_i32(*index));
    }
    bytes.put_i32(-1);
    bytes.freeze()
}

fn read(mut assignment: &[u8], topics: &BTreeMap<String, uuid::Uuid>) -> Owned {
    let mut owned = Owned::new();
    if assignment.is_empty() {
        return owned;
    }
    let from = &mut assignment;
    from.get_i16();
    for _ in 0..from.get_i32() {
        let length = from.get_i16() as usize;
        let name = String::from_utf8(from.copy_to_bytes(length).to_vec()).unwrap();
        for _ in 0..from.get_i32() {
            owned.entry(topics[&name]).or_default().insert(from.get_i32());
        }
    }
    owned
}

#[test]
fn groups_change_their_protocol_and_nobody_shares_a_partition() {
    let mut seen = BTreeSet::new();
    for seed in 0..WALKS {
        let mut walk = Walk::new(seed);
        for _ in 0..STEPS {
            walk.mixed_step();
        }
        walk.settle_mixed();
        seen.append(&mut walk.seen);
    }
    for met in ["classic REBALANCE_IN_PROGRESS", "classic UNKNOWN_MEMBER_ID", "consumer at the end, and consumer"] {
        assert!(seen.contains(met), "{met} was never met: {seen:?}");
    }
}
