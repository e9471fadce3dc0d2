//! Random walks: whatever producers, the clock, the log and the partitions do, no two producers are told the same id and
//! epoch, a decision stays what it is, and every partition of a transaction gets it before the transaction is complete.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use thalweg_protocol::records::{self, BatchBuilder};
use thalweg_protocol::{ProducerEpoch, ProducerId, StrBytes, TimestampMs};

use crate::coordinator::batch;
use crate::coordinator::transaction::metadata::Metadata;
use crate::coordinator::transaction::record_codec::{self, Record};
use crate::coordinator::transaction::{
    AppendToken, Effect, ErrorCode, Marking, Producer, ReplyToken, Response, State, TopicPartition, TransactionConfig,
    TransactionShard, TransactionVersion,
};

const WALKS: u64 = 240;
const STEPS: usize = 500;
const IDS: u64 = 3;

/// One producer as its program knows it.
struct Session {
    id: StrBytes,
    producer: Producer,
    version: TransactionVersion,
}

/// What was asked, and by whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Asked {
    Init { session: Option<usize> },
    End { session: usize, commit: bool },
    Other,
}

/// What the log says of an id.
#[derive(Default)]
struct Durable {
    last: Option<Metadata>,
    /// Partitions of the present decision that have no marker.
    unmarked: BTreeSet<TopicPartition>,
}

struct Walk {
    random: u64,
    shard: TransactionShard,
    config: TransactionConfig,
    now: TimestampMs,
    asked: u64,
    waiting: BTreeMap<ReplyToken, (StrBytes, Asked)>,
    appends: VecDeque<(AppendToken, Bytes)>,
    markings: Vec<Marking>,
    log: Vec<Bytes>,
    durable: BTreeMap<StrBytes, Durable>,
    sessions: Vec<Session>,
    /// The session that was initialised last, by id.
    newest: BTreeMap<StrBytes, usize>,
    /// Which session was told of a producer.
    told: BTreeMap<Producer, usize>,
    next_id: i64,
    epoch: i32,
    /// The states and answers that were come across.
    seen: BTreeSet<String>,
}

fn name(number: u64) -> StrBytes {
    StrBytes::from_string(format!("id{number}"))
}

/// A log in which the ids have used up nearly all of their epochs.
fn old_log(config: &TransactionConfig) -> Vec<Bytes> {
    let ids = (0..IDS).map(|number| {
        let producer = Producer { id: ProducerId(number as i64), epoch: ProducerEpoch(32_750) };
        let old = Metadata::new(producer.id, 5_000, TimestampMs(0));
        let old = old.initialised(producer, ProducerEpoch(-1), 5_000, TimestampMs(0));
        record_codec::encode(&name(number), Some(&old), config.version)
    });
    vec![batch::build(BatchBuilder::new(), ids, 1 << 20, TimestampMs(0)).unwrap()]
}

impl Walk {
    fn new(seed: u64) -> Self {
        let config = TransactionConfig {
            version: TransactionVersion::from_level((seed % 3) as i16),
            abort_interval_ms: 1_000,
            expiration_ms: 20_000,
            expiry_interval_ms: 5_000,
            ..TransactionConfig::default()
        };
        let mut walk = Self {
            random: seed,
            shard: TransactionShard::new(config.clone(), 0),
            log: if seed.is_multiple_of(2) { old_log(&config) } else { Vec::new() },
            config,
            now: TimestampMs(1_000),
            asked: 0,
            waiting: BTreeMap::new(),
            appends: VecDeque::new(),
            markings: Vec::new(),
            durable: BTreeMap::new(),
            sessions: Vec::new(),
            newest: BTreeMap::new(),
            told: BTreeMap::new(),
            next_id: 100,
            epoch: 0,
            seen: BTreeSet::new(),
        };
        for batch in walk.log.clone() {
            walk.wrote(&batch);
        }
        walk.restart();
        walk
    }

    /// A number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % end
    }

    fn ask(&mut self, id: &StrBytes, asked: Asked) -> ReplyToken {
        self.asked += 1;
        let token = ReplyToken(self.asked);
        self.waiting.insert(token, (id.clone(), asked));
        token
    }

    fn step(&mut self) {
        if self.shard.wants_producer_id() && self.below(20) > 0 {
            self.shard.supply(ProducerId(self.next_id));
            self.next_id += 1;
        }
        let effects = match self.below(20) {
            0 => self.init_anew(),
            1 => self.init_again(),
            2..=6 => self.add(),
            7..=10 => self.end(),
            11 => self.tick(),
            12..=14 => self.report_markers(),
            15 if self.below(10) == 0 => return self.restart(),
            _ => self.report_append(),
        };
        self.act(effects);
    }

    fn init_anew(&mut self) -> Vec<Effect> {
        let id = name(self.below(IDS));
        let token = self.ask(&id, Asked::Init { session: None });
        let timeout_ms = 1_000 + self.below(20_000) as i32;
        self.shard.init_producer_id(&id, timeout_ms, None, token, self.now)
    }

    fn session(&mut self) -> Option<usize> {
        let count = self.sessions.len() as u64;
        // Mostly the younger ones: the others are fenced anyway.
        (count > 0).then(|| (count - 1 - self.below(count.min(4))) as usize)
    }

    fn init_again(&mut self) -> Vec<Effect> {
        let Some(session) = self.session() else { return Vec::new() };
        let (id, producer) = (self.sessions[session].id.clone(), self.sessions[session].producer);
        let token = self.ask(&id, Asked::Init { session: Some(session) });
        self.shard.init_producer_id(&id, 10_000, Some(producer), token, self.now)
    }

    fn add(&mut self) -> Vec<Effect> {
        let Some(session) = self.session() else { return Vec::new() };
        let Session { id, producer, version } = &self.sessions[session];
        let (id, producer, version) = (id.clone(), *producer, *version);
        let topic = StrBytes::from_string(format!("t{}", self.below(2)));
        let wanted = [TopicPartition { topic, index: self.below(3) as i32 }];
        let token = self.ask(&id, Asked::Other);
        if self.below(6) == 0 {
            return self.shard.verify_partitions(&id, producer, &wanted, token, self.now);
        }
        self.shard.add_partitions(&id, producer, &wanted, version, token, self.now)
    }

    fn end(&mut self) -> Vec<Effect> {
        let Some(session) = self.session() else { return Vec::new() };
        let commit = self.below(3) > 0;
        let Session { id, producer, version } = &self.sessions[session];
        let (id, producer, version) = (id.clone(), *producer, *version);
        let token = self.ask(&id, Asked::End { session, commit });
        self.shard.end(&id, producer, commit, version, token, self.now)
    }

    fn tick(&mut self) -> Vec<Effect> {
        self.now.0 += self.below(8_000) as i64;
        self.shard.tick(self.now)
    }

    fn report_append(&mut self) -> Vec<Effect> {
        let Some((token, batch)) = self.appends.pop_front() else { return Vec::new() };
        if self.below(12) == 0 {
            let code = [ErrorCode::NotEnoughReplicas, ErrorCode::NotLeaderOrFollower][self.below(2) as usize];
            return self.shard.appended(token, Err(code), self.now);
        }
        self.wrote(&batch);
        self.log.push(batch);
        self.shard.appended(token, Ok(()), self.now)
    }

    /// Partitions answer in any order, some of them only later; what failed may have been written all the same.
    fn report_markers(&mut self) -> Vec<Effect> {
        if self.markings.is_empty() {
            return Vec::new();
        }
        let at = self.below(self.markings.len() as u64) as usize;
        let mut marking = self.markings.swap_remove(at);
        let count = 1 + self.below(marking.partitions.len() as u64) as usize;
        let reported: Vec<TopicPartition> = marking.partitions.drain(..count).collect();
        let mut results = Vec::new();
        for partition in reported {
            let failed = self.below(5) == 0;
            if !failed || self.below(2) == 0 {
                self.marker_written(&marking, &partition);
            }
            results.push((partition, if failed { Err(ErrorCode::RequestTimedOut) } else { Ok(()) }));
        }
        let effects = self.shard.marked(&marking, results, self.now);
        if !marking.partitions.is_empty() {
            self.markings.push(marking);
        }
        effects
    }

    /// A partition takes the marker of the decision that is in the log, and of no other.
    fn marker_written(&mut self, marking: &Marking, partition: &TopicPartition) {
        if marking.coordinator_epoch != self.epoch {
            // Of a coordinator that is no more: it may come late, and is what the newer one writes.
            return;
        }
        let durable = self.durable.get_mut(&marking.transactional_id).unwrap();
        let last = durable.last.as_ref().unwrap();
        assert_eq!(last.state.decision(), Some(marking.commit), "{marking:?} of {last:?}");
        assert_eq!(last.producer, marking.producer, "{marking:?} of {last:?}");
        durable.unmarked.remove(partition);
    }

    /// A record is in the log: it must follow from the one before.
    fn wrote(&mut self, batch: &[u8]) {
        for view in records::batches(batch) {
            for record in view.unwrap().records(1 << 20).unwrap() {
                let record = record.unwrap();
                match record_codec::decode(&record.key.unwrap(), record.value.as_deref()).unwrap() {
                    Record::Transaction(id, metadata) => self.check_record(id, metadata.map(|metadata| *metadata)),
                    Record::Other(version) => panic!("a record of version {version}"),
                }
            }
        }
    }

    fn check_record(&mut self, id: StrBytes, next: Option<Metadata>) {
        let durable = self.durable.entry(id).or_default();
        let before = durable.last.as_ref();
        self.seen.insert(next.as_ref().map_or("tombstone", |next| next.state.name()).to_owned());
        if let Some(commit) = before.and_then(|before| before.state.decision()) {
            let next = next.as_ref().expect("a decided transaction goes on");
            assert_eq!(next.state, State::completed(commit), "a decision stays what it is");
            assert_eq!(durable.unmarked, BTreeSet::new(), "every partition has its marker");
        }
        if let (Some(before), Some(next)) = (before, &next)
            && before.producer.id == next.producer.id
        {
            assert!(before.producer.epoch <= next.producer.epoch, "{before:?} {next:?}");
        }
        let decided = next.as_ref().filter(|next| next.state.decision().is_some());
        durable.unmarked = decided.map(|next| next.partitions.clone()).unwrap_or_default();
        if let (Some(before), Some(decided)) = (before, decided) {
            assert_eq!(before.partitions, decided.partitions, "nothing is lost on the way to the decision");
        }
        durable.last = next;
    }

    fn act(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Append { token, batch } => self.appends.push_back((token, batch)),
                Effect::Errand(marking) => {
                    let durable = self.durable[&marking.transactional_id].last.as_ref().unwrap();
                    assert_eq!(durable.state.decision(), Some(marking.commit), "decided before it is told");
                    self.markings.push(marking);
                }
                Effect::Reply { token, response } => {
                    let (id, asked) = self.waiting.remove(&token).expect("each request is answered once");
                    self.answered(&id, asked, &response);
                }
            }
        }
    }

    fn answered(&mut self, id: &StrBytes, asked: Asked, response: &Response) {
        match (asked, response) {
            (Asked::Init { session }, Response::Init(Ok(producer))) => {
                assert_eq!(self.durable[id].last.as_ref().unwrap().producer, *producer, "told when it is durable");
                let session = session.filter(|session| self.newest.get(id) == Some(session)).unwrap_or_else(|| {
                    let version = if self.config.version == TransactionVersion::V2 && !self.asked.is_multiple_of(4) {
                        TransactionVersion::V2
                    } else {
                        TransactionVersion::V0
                    };
                    self.sessions.push(Session { id: id.clone(), producer: *producer, version });
                    self.sessions.len() - 1
                });
                self.newest.insert(id.clone(), session);
                self.tell(session, *producer);
                self.seen.insert("init".to_owned());
            }
            (Asked::End { session, commit }, Response::Ended(Ok(producer))) => {
                assert_eq!(self.newest.get(id), Some(&session), "a fenced producer ended a transaction");
                let last = self.durable[id].last.as_ref().unwrap();
                let decisions = [State::prepared(commit), State::completed(commit)];
                assert!(decisions.contains(&last.state), "{last:?} commit={commit}");
                if *producer != Producer::NONE {
                    self.tell(session, *producer);
                }
                self.seen.insert(format!("ended {commit}"));
            }
            (_, Response::Init(Err(code)) | Response::Ended(Err(code)) | Response::Added(code)) => {
                self.seen.insert(code.name().to_owned());
            }
            _ => {}
        }
    }

    /// Nobody else ever was this producer.
    fn tell(&mut self, session: usize, producer: Producer) {
        let before = *self.told.entry(producer).or_insert(session);
        assert_eq!(before, session, "{producer:?} was told to another");
        self.sessions[session].producer = producer;
    }

    /// The process is killed: what is not in the log is lost, and nobody is told anything.
    fn restart(&mut self) {
        self.waiting.clear();
        self.appends.clear();
        self.markings.clear();
        self.epoch += 1;
        self.shard = TransactionShard::new(self.config.clone(), self.epoch);
        for batch in self.log.clone() {
            self.shard.load(&batch).unwrap();
        }
        let effects = self.shard.loaded(self.now);
        self.act(effects);
    }

    /// With nothing going wrong any more, every decision comes to its end, and nobody is left waiting.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            self.shard.supply(ProducerId(self.next_id));
            self.next_id += 1;
            let effects = if let Some((token, batch)) = self.appends.pop_front() {
                self.wrote(&batch);
                self.log.push(batch);
                self.shard.appended(token, Ok(()), self.now)
            } else if let Some(marking) = self.markings.pop() {
                marking.partitions.iter().for_each(|partition| self.marker_written(&marking, partition));
                let results = marking.partitions.iter().map(|partition| (partition.clone(), Ok(()))).collect();
                self.shard.marked(&marking, results, self.now)
            } else if self.durable.values().flat_map(|durable| &durable.last).all(|last| last.state.is_idle()) {
                break;
            } else {
                self.now.0 += 1_000;
                self.shard.tick(self.now)
            };
            self.act(effects);
        }
        assert!(self.waiting.is_empty(), "{:?}", self.waiting);
        for (id, durable) in &self.durable {
            assert_eq!(self.shard.describe(id).ok().map(|described| described.state), state(durable), "{id}");
            assert!(durable.last.as_ref().is_none_or(|last| last.state.is_idle()), "{:?}", durable.last);
        }
    }
}

fn state(durable: &Durable) -> Option<State> {
    durable.last.as_ref().map(|last| last.state)
}

#[test]
fn decisions_stay_and_reach_every_partition() {
    let mut seen = BTreeSet::new();
    for seed in 1..=WALKS {
        let mut walk = Walk::new(seed);
        for _ in 0..STEPS {
            walk.step();
        }
        walk.settle();
        seen.extend(walk.seen);
    }
    let wanted = [
        "Ongoing",
        "CompleteCommit",
        "CompleteAbort",
        "tombstone",
        "init",
        "ended true",
        "ended false",
        "PRODUCER_FENCED",
        "CONCURRENT_TRANSACTIONS",
        "INVALID_PRODUCER_ID_MAPPING",
        "INVALID_TXN_STATE",
        "COORDINATOR_NOT_AVAILABLE",
        "NOT_COORDINATOR",
    ];
    for what in wanted {
        assert!(seen.contains(what), "{what} was never come across: {seen:?}");
    }
}
