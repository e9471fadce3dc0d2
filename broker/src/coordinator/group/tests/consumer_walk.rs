//! Random walks of consumers that keep to the rules: no two of them ever have the same partition, every
//! request is answered once, a restart finds what was answered, and once things are quiet everything is assigned.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use thalweg_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use thalweg_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, GroupId, TopicName};
use thalweg_protocol::{StrBytes, TimestampMs};
use uuid::Uuid;

use super::bench::string;
use super::consumer::put_topic;
use super::mixed_walk::Classic;
use crate::coordinator::group::{
    AppendToken, Caller, ConsumerConfig, Effect, ErrorCode, GroupConfig, GroupShard, ReplyToken, Response,
};
use crate::metadata::ClusterImage;

const WALKS: u64 = 200;
const STEPS: usize = 300;

pub(super) type Owned = BTreeMap<Uuid, BTreeSet<i32>>;

#[derive(Clone, Debug, Default)]
pub(super) struct Client {
    epoch: i32,
    joined: bool,
    instance: Option<StrBytes>,
    topics: Vec<&'static str>,
    regex: &'static str,
    /// What it works on.
    pub(super) owned: Owned,
    /// What it was told to have.
    told: Owned,
    /// The request whose answer is still to come.
    waits: Option<ReplyToken>,
}

impl Client {
    fn drop_all(&mut self) {
        self.owned.clear();
        self.told.clear();
        self.joined = false;
    }

    pub(super) fn subscribe(&mut self, how: usize) {
        (self.topics, self.regex) = match how {
            0 => (vec!["a"], ""),
            1 => (vec!["a", "b"], ""),
            2 => (vec!["b"], ""),
            3 => (vec![], "a.*"),
            _ => (vec!["b"], "a[b-z]?"),
        };
    }
}

pub(super) struct Walk {
    random: u64,
    seed: u64,
    pub(super) shard: GroupShard,
    pub(super) image: ClusterImage,
    pub(super) now: TimestampMs,
    pub(super) asked: u64,
    answered: BTreeSet<ReplyToken>,
    pub(super) clients: BTreeMap<String, Client>,
    /// Those that speak the classic protocol (`mixed_walk`).
    pub(super) classics: BTreeMap<String, Classic>,
    pub(super) client_next: u64,
    appends: VecDeque<(AppendToken, Bytes)>,
    log: Vec<Bytes>,
    pub(super) seen: BTreeSet<String>,
}

fn config() -> GroupConfig {
    let consumer = ConsumerConfig { group_size_max: 6, ..ConsumerConfig::default() };
    GroupConfig { consumer, initial_rebalance_delay_ms: 0, ..GroupConfig::default() }
}

pub(super) fn group() -> GroupId {
    GroupId(string("g"))
}

fn topic_partitions((id, partitions): (&Uuid, &BTreeSet<i32>)) -> TopicPartitions {
    TopicPartitions::default().with_topic_id(*id).with_partitions(partitions.iter().copied().collect())
}

impl Walk {
    pub(super) fn new(seed: u64) -> Self {
        let mut image = ClusterImage::default();
        put_topic(&mut image, "a", 3);
        put_topic(&mut image, "b", 2);
        let mut walk = Self {
            random: seed,
            seed,
            shard: GroupShard::new(config(), seed),
            image,
            now: TimestampMs(1),
            asked: 0,
            answered: BTreeSet::new(),
            clients: BTreeMap::new(),
            classics: BTreeMap::new(),
            client_next: 0,
            appends: VecDeque::new(),
            log: Vec::new(),
            seen: BTreeSet::new(),
        };
        walk.show_image();
        walk.shard.loaded(walk.now);
        walk
    }

    fn show_image(&mut self) {
        self.shard.set_image(Arc::new(self.image.clone()));
    }

    /// SplitMix64.
    pub(super) fn draw(&mut self, below: usize) -> usize {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % below as u64) as usize
    }

    fn pick(&mut self) -> Option<String> {
        let names: Vec<String> = self.clients.keys().cloned().collect();
        if names.is_empty() { None } else { Some(names[self.draw(names.len())].clone()) }
    }

    fn step(&mut self) {
        match self.draw(20) {
            0..=1 => self.arrive(),
            2 => self.depart(),
            3 => self.resubscribe(),
            4 => self.grow(),
            5 if self.draw(6) == 0 => self.restart(),
            6 => {
                let long = 1 + self.draw(20_000) as i64;
                self.advance(long);
            }
            7..=8 => {
                let short = 1 + self.draw(1_500) as i64;
                self.advance(short);
            }
            9..=12 => self.report(),
            13 if self.draw(5) == 0 => self.err(),
            _ => {
                let late = self.draw(3) == 0;
                if let Some(name) = self.pick() {
                    self.beat(&name, false, late);
                }
            }
        }
        self.check_exclusive();
    }

    fn arrive(&mut self) {
        let name = format!("m{}", self.client_next);
        self.client_next += 1;
        let instance = (self.draw(3) == 0).then(|| string(["x", "y"][self.draw(2)]));
        let mut client = Client { instance, ..Client::default() };
        client.subscribe(self.draw(5));
        self.clients.insert(name.clone(), client);
        self.beat(&name, true, false);
    }

    /// Without a word, for good, or for now. It has stopped working before.
    pub(super) fn depart(&mut self) {
        let Some(name) = self.pick() else { return };
        let Some(client) = self.clients.remove(&name) else { return };
        let epoch = match self.draw(3) {
            0 => return,
            1 if client.instance.is_some() => -2,
            _ => -1,
        };
        let request = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(group())
            .with_member_id(string(&name))
            .with_instance_id(client.instance)
            .with_member_epoch(epoch);
        self.ask(&request);
    }

    fn resubscribe(&mut self) {
        let Some(name) = self.pick() else { return };
        let how = self.draw(5);
        self.clients.get_mut(&name).unwrap().subscribe(how);
        self.beat(&name, true, false);
    }

    fn grow(&mut self) {
        let name = ["a", "b", "ab", "ac"][self.draw(4)];
        let size = self.image.topic(name).map_or(0, |topic| topic.partitions.len());
        if size < 5 && self.draw(3) == 0 {
            put_topic(&mut self.image, name, size + 1);
            self.show_image();
        }
    }

    /// What a client sends that keeps to the rules: it takes what it was given, and gives up what it was told to, `late`
    /// with the next one.
    pub(super) fn beat(&mut self, name: &str, full: bool, late: bool) {
        let token = ReplyToken(self.asked + 1);
        let Some(client) = self.clients.get_mut(name).filter(|client| client.waits.is_none()) else { return };
        if !late {
            client.owned = client.told.clone();
        }
        let full = full || !client.joined;
        let topics = client.topics.iter().map(|topic| TopicName(string(topic))).collect();
        let request = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(group())
            .with_member_id(string(name))
            .with_instance_id(client.instance.clone())
            .with_member_epoch(if client.joined { client.epoch } else { 0 })
            .with_rebalance_timeout_ms(if full { 30_000 } else { -1 })
            .with_subscribed_topic_names(full.then_some(topics))
            .with_subscribed_topic_regex(full.then(|| string(client.regex)))
            .with_topic_partitions(Some(client.owned.iter().map(topic_partitions).collect()));
        client.waits = Some(token);
        assert_eq!(self.ask(&request), token);
    }

    /// An epoch that nobody gave it: it is told to begin anew.
    fn err(&mut self) {
        let token = ReplyToken(self.asked + 1);
        let Some(name) = self.pick() else { return };
        let Some(client) = self.clients.get_mut(&name).filter(|client| client.joined && client.waits.is_none()) else {
            return;
        };
        client.waits = Some(token);
        let request = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(group())
            .with_member_id(string(&name))
            .with_instance_id(client.instance.clone())
            .with_rebalance_timeout_ms(-1)
            .with_member_epoch(client.epoch + 3);
        self.ask(&request);
    }

    fn ask(&mut self, request: &ConsumerGroupHeartbeatRequest) -> ReplyToken {
        self.asked += 1;
        let token = ReplyToken(self.asked);
        let client_host = StrBytes::from_static_str("/127.0.0.1");
        let caller = Caller { token, version: 1, client_id: string("c"), client_host };
        let effects = self.shard.consumer_heartbeat(request, &caller, self.now);
        self.act(effects);
        token
    }

    pub(super) fn act(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Append { token, batch } => self.appends.push_back((token, batch)),
                Effect::Errand(errand) => unreachable!("there are no transactions: {errand:?}"),
                Effect::Reply { token, response } => {
                    assert!(self.answered.insert(token), "answered twice");
                    match *response {
                        Response::ConsumerHeartbeat(response) => self.hear(token, &response),
                        other => self.hear_classic(token, &other),
                    }
                }
            }
        }
    }

    fn hear(&mut self, token: ReplyToken, response: &ConsumerGroupHeartbeatResponse) {
        self.take(token, response);
        // An answer may take longer than the session lasts.
        self.forget_fenced();
    }

    fn take(&mut self, token: ReplyToken, response: &ConsumerGroupHeartbeatResponse) {
        let code = ErrorCode::from_code(response.error_code).unwrap();
        self.seen.insert(code.name().to_owned());
        let waiting = self.clients.iter_mut().find(|(_, client)| client.waits == Some(token));
        let Some((name, client)) = waiting else { return };
        client.waits = None;
        match code {
            ErrorCode::None => {
                client.joined = true;
                client.epoch = response.member_epoch;
                if let Some(assignment) = &response.assignment {
                    let topics = assignment.topic_partitions.iter();
                    client.told =
                        topics.map(|topic| (topic.topic_id, topic.partitions.iter().copied().collect())).collect();
                    for (topic, partitions) in &client.told {
                        client.owned.entry(*topic).or_default().extend(partitions);
                    }
                }
            }
            ErrorCode::FencedMemberEpoch | ErrorCode::UnknownMemberId | ErrorCode::GroupIdNotFound => client.drop_all(),
            ErrorCode::UnreleasedInstanceId | ErrorCode::FencedInstanceId | ErrorCode::GroupMaxSizeReached => {
                let name = name.clone();
                self.clients.remove(&name);
            }
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn report(&mut self) {
        // Now and then a write is lost, and in a log all that is behind it; what was to follow from it is undone.
        let lost = self.draw(25) == 0;
        while let Some((token, batch)) = self.appends.pop_front() {
            let result = if lost { Err(ErrorCode::NotEnoughReplicas) } else { Ok(()) };
            if !lost {
                self.log.push(batch);
            }
            let effects = self.shard.appended(token, result, self.now);
            self.act_on_failure(effects, lost);
            if !lost {
                break;
            }
            self.forget_fenced();
        }
    }

    /// A client whose request failed begins anew, as it cannot know what became of it.
    fn act_on_failure(&mut self, effects: Vec<Effect>, failed: bool) {
        if !failed {
            return self.act(effects);
        }
        for effect in effects {
            match effect {
                Effect::Reply { token, .. } => {
                    assert!(self.answered.insert(token), "answered twice");
                    if let Some(client) = self.clients.values_mut().find(|client| client.waits == Some(token)) {
                        client.waits = None;
                    }
                    self.give_up_classic(token);
                }
                Effect::Append { token, batch } => self.appends.push_back((token, batch)),
                Effect::Errand(errand) => unreachable!("there are no transactions: {errand:?}"),
            }
        }
    }

    pub(super) fn advance(&mut self, by_ms: i64) {
        let until = TimestampMs(self.now.0 + by_ms);
        while let Some(at) = self.shard.next_deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            let effects = self.shard.tick(self.now);
            self.act(effects);
        }
        self.now = until;
        self.forget_fenced();
    }

    /// Clients know as well when their time is over.
    pub(super) fn forget_fenced(&mut self) {
        let known = self.shard.consumer_group("g").map(|group| group.members.clone()).unwrap_or_default();
        for (name, client) in &mut self.clients {
            if !known.contains_key(name.as_bytes()) {
                client.drop_all();
            }
        }
        self.forget_fenced_classics();
    }

    pub(super) fn restart(&mut self) {
        let shown = self.shard.describe_consumer(&group()).with_error_message(None);
        self.appends.clear();
        self.seed += 1_000_000;
        self.shard = GroupShard::new(config(), self.seed);
        self.show_image();
        for batch in &self.log {
            self.shard.load(batch).unwrap();
        }
        let effects = self.shard.loaded(self.now);
        assert!(effects.is_empty());
        let found = self.shard.describe_consumer(&group()).with_error_message(None);
        assert_eq!(found, shown, "a restart shows what was shown");
        // Their connections are gone.
        self.clients.values_mut().for_each(|client| client.waits = None);
        self.classics.values_mut().for_each(Classic::hang_up);
        self.forget_fenced();
    }

    pub(super) fn check_exclusive(&self) {
        let mut owners: BTreeMap<(Uuid, i32), &str> = BTreeMap::new();
        let modern = self.clients.iter().map(|(name, client)| (name, &client.owned));
        for (name, owned) in modern.chain(self.classics.iter().map(|(name, classic)| (name, &classic.owned))) {
            for (topic, partitions) in owned {
                for index in partitions {
                    if let Some(other) = owners.insert((*topic, *index), name) {
                        panic!("{other} and {name} both have {topic}-{index}");
                    }
                }
            }
        }
    }

    /// All writes under way succeed.
    pub(super) fn write_all(&mut self) {
        while let Some((token, batch)) = self.appends.pop_front() {
            self.log.push(batch);
            let effects = self.shard.appended(token, Ok(()), self.now);
            self.act(effects);
        }
    }

    /// Everybody beats, and nothing else happens: the group comes to rest.
    fn settle(&mut self) {
        for round in 0..60 {
            let names: Vec<String> = self.clients.keys().cloned().collect();
            for name in names {
                // What it said last may have been lost.
                self.beat(&name, round == 1, false);
                self.write_all();
                self.check_exclusive();
            }
            self.advance(5_000);
        }
        let described = self.shard.describe_consumer(&group());
        if self.clients.is_empty() {
            return;
        }
        assert_eq!(&*described.group_state, "Stable", "{described:?}");
        let mut wanted: BTreeSet<(Uuid, i32)> = BTreeSet::new();
        let mut owned: BTreeSet<(Uuid, i32)> = BTreeSet::new();
        for client in self.clients.values() {
            let reads = |name: &str| {
                client.topics.contains(&name)
                    || (client.regex == "a.*" && name.starts_with('a'))
                    || (client.regex == "a[b-z]?" && name.starts_with('a'))
            };
            for (name, topic) in self.image.topics.iter().filter(|(name, _)| reads(name)) {
                assert!(name.len() <= 2);
                wanted.extend((0..topic.partitions.len() as i32).map(|index| (topic.id, index)));
            }
            let all = client.owned.iter().flat_map(|(topic, indexes)| indexes.iter().map(|index| (*topic, *index)));
            owned.extend(all);
        }
        assert_eq!(owned, wanted, "everything is read by somebody");
    }
}

#[test]
fn consumers_that_keep_to_the_rules_never_share_a_partition() {
    let mut seen = BTreeSet::new();
    for seed in 0..WALKS {
        let mut walk = Walk::new(seed);
        for _ in 0..STEPS {
            walk.step();
        }
        walk.settle();
        seen.append(&mut walk.seen);
    }
    for code in ["NONE", "FENCED_MEMBER_EPOCH", "UNKNOWN_MEMBER_ID", "UNRELEASED_INSTANCE_ID", "GROUP_MAX_SIZE_REACHED"]
    {
        assert!(seen.contains(code), "{code} was never met: {seen:?}");
    }
}
