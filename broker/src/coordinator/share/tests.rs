//! Records byte for byte, and random walks beside a model that keeps what was answered as written.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use thalweg_protocol::{StrBytes, TimestampMs, records};
use uuid::Uuid;

use super::codec::{Update, decode, encode};
use super::*;
use crate::share::partition::{KeptState, StateBatch, StateChange};

const NOW: TimestampMs = TimestampMs(1_000);

fn key(partition: i32) -> StateKey {
    StateKey { group: StrBytes::from_static_str("g"), topic: Uuid::from_u128(1), partition }
}

fn batch(first: i64, last: i64, state: i8) -> StateBatch {
    StateBatch { first, last, state, delivery_count: 1 }
}

#[test]
fn records_are_as_kafka_writes_them_and_read_back_the_same() {
    let kept = KeptState { state_epoch: 2, start_offset: 7, delivery_complete_count: 1, batches: vec![batch(8, 9, 2)] };
    let state = State { kept, snapshot_epoch: 3, leader_epoch: 4, updates: 0, created_at: NOW, written_at: NOW };
    let change = StateChange { start_offset: 7, delivery_complete_count: -1, batches: vec![batch(8, 9, 2)] };
    let update = Update { snapshot_epoch: 3, leader_epoch: 4, change };
    let one = "0000000000000008_0000000000000009_02_0001_00";
    let cases = [
        (
            Record::Snapshot(key(5), Some(state)),
            format!(
                "0000_00000003_00000002_00000004_0000000000000007_00000000000003e8_00000000000003e8_02_{one}_01_00_04_00000001"
            ),
        ),
        (Record::Update(key(5), update), format!("0000_00000003_00000004_0000000000000007_02_{one}_00")),
    ];
    for (record, hex) in cases {
        let (encoded_key, value) = encode(&record).unwrap();
        let value = value.unwrap();
        let written: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(written, hex.replace('_', ""));
        assert_eq!(decode(&encoded_key, Some(&value)).unwrap(), record);
        for cut in 0..value.len() {
            assert!(decode(&encoded_key, Some(&value[..cut])).is_err(), "cut to {cut}");
        }
    }
    let (encoded_key, value) = encode(&Record::Snapshot(key(5), None)).unwrap();
    assert_eq!(value, None);
    assert_eq!(decode(&encoded_key, None).unwrap(), Record::Snapshot(key(5), None));
}

/// Segments of Apache Kafka 4.3.1: of a group whose two members took a hundred records, five at a time; and of one that was
/// deleted and began anew.
#[test]
fn kafkas_own_records_come_out_of_what_was_read_again() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/coordinator/share/testdata/kafka-4.3.1");
    let (mut snapshots, mut updates, mut tombstones) = (0, 0, 0);
    for name in ["share_group_state.log", "share_group_deleted.log"] {
        let log = std::fs::read(dir.join(name)).unwrap();
        for view in records::batches(&log).map(Result::unwrap) {
            for record in view.records(1 << 20).unwrap().map(Result::unwrap) {
                let (record_key, value) = (record.key.unwrap(), record.value);
                let decoded = decode(&record_key, value.as_deref()).unwrap();
                match &decoded {
                    Record::Snapshot(_, Some(_)) => snapshots += 1,
                    Record::Snapshot(_, None) => tombstones += 1,
                    Record::Update(..) => updates += 1,
                    Record::Other(version) => panic!("a key of version {version}"),
                }
                let (again_key, again) = encode(&decoded).unwrap();
                assert_eq!((again_key, again), (Bytes::copy_from_slice(&record_key), value), "{decoded:?}");
            }
        }
        let mut shard = ShareStateShard::new(ShareStateConfig::default());
        shard.load(&log).unwrap();
        shard.loaded();
        assert_eq!(shard.durable.len(), 1, "{name}");
    }
    assert!(snapshots >= 3 && updates >= 10 && tombstones >= 1, "{snapshots} {updates} {tombstones}");
}

#[test]
fn topics_are_written_as_kafka_writes_them() {
    assert_eq!(topic_text(Uuid::nil()), "AAAAAAAAAAAAAAAAAAAAAA");
    assert_eq!(topic_text(Uuid::from_u128(1)), "AAAAAAAAAAAAAAAAAAAAAQ");
    assert_eq!(topic_text(Uuid::from_u128(u128::MAX)), "_____________________w");
    assert_eq!(key(3).coordinator_key(), "g:AAAAAAAAAAAAAAAAAAAAAQ:3");
}

/// A shard, its log, and what the answers promised.
struct Walk {
    dice: StdRng,
    shard: ShareStateShard,
    log: Vec<Bytes>,
    appends: VecDeque<(AppendToken, Bytes)>,
    /// What each request, in order, makes of its share-partition if it is written.
    asked: BTreeMap<ReplyToken, (StateKey, Option<KeptState>)>,
    promised: BTreeMap<StateKey, KeptState>,
    answered: BTreeSet<ReplyToken>,
    token_next: u64,
}

impl Walk {
    fn new(seed: u64) -> Self {
        let mut walk = Self {
            dice: StdRng::seed_from_u64(seed),
            shard: ShareStateShard::new(ShareStateConfig { updates_per_snapshot: 3, ..ShareStateConfig::default() }),
            log: Vec::new(),
            appends: VecDeque::new(),
            asked: BTreeMap::new(),
            promised: BTreeMap::new(),
            answered: BTreeSet::new(),
            token_next: 0,
        };
        walk.shard.loaded();
        walk
    }

    fn step(&mut self) {
        self.token_next += 1;
        let token = ReplyToken(self.token_next);
        let key = key(self.dice.random_range(0..3));
        let current = self.shard.current.get(&key).map(|state| state.kept.clone());
        let effects = match self.dice.random_range(0..10) {
            0 => {
                let start_offset = self.dice.random_range(0..50);
                let state_epoch = current.map_or(0, |kept| kept.state_epoch + 1);
                let after = KeptState { state_epoch, start_offset, ..KeptState::default() };
                self.asked.insert(token, (key.clone(), Some(after)));
                self.shard.initialize(&key, start_offset, 0, token, NOW)
            }
            1..=4 => {
                let kept = current.clone().unwrap_or_default();
                let first = kept.start_offset + self.dice.random_range(0..8);
                let change = StateChange {
                    start_offset: kept.start_offset + self.dice.random_range(0..2),
                    delivery_complete_count: self.dice.random_range(0..9),
                    batches: vec![batch(first, first + self.dice.random_range(0..4), 2)],
                };
                // One in eight is a leader of the past.
                let fenced = kept.state_epoch > 0 && self.dice.random_range(0..8) == 0;
                let epoch = if fenced { kept.state_epoch - 1 } else { kept.state_epoch };
                if current.is_some() && !fenced {
                    self.asked.insert(token, (key.clone(), Some(kept.merged(&change))));
                }
                self.shard.write(&key, epoch, 0, &change, token, NOW)
            }
            5 if self.dice.random_range(0..4) == 0 => {
                self.asked.insert(token, (key.clone(), None));
                self.shard.delete(|other| *other == key, Some(token), NOW)
            }
            6 => {
                // All that was asked of it before is decided when this is answered.
                self.shard.read(&key, token)
            }
            7 if self.dice.random_range(0..6) == 0 => return self.restart(),
            _ => return self.report(),
        };
        self.act(effects);
    }

    fn act(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Append { token, batch } => self.appends.push_back((token, batch)),
                Effect::Reply { token, response } => {
                    assert!(self.answered.insert(token), "answered twice");
                    match *response {
                        Response::Written(Ok(())) => {
                            let (key, after) = self.asked.remove(&token).unwrap();
                            match after {
                                Some(kept) => drop(self.promised.insert(key, kept)),
                                None => drop(self.promised.remove(&key)),
                            }
                        }
                        Response::Written(Err(code)) => {
                            let expected = self.asked.remove(&token).is_some();
                            let refused = matches!(code, ErrorCode::FencedStateEpoch | ErrorCode::InvalidRequest);
                            assert!(expected != refused, "{code}");
                        }
                        Response::Read(found) => {
                            let known = self
                                .promised
                                .values()
                                .any(|kept| found.as_ref().unwrap().as_ref().is_some_and(|state| state.kept == *kept));
                            assert!(known || found.unwrap().is_none(), "what was read was promised");
                        }
                    }
                }
                Effect::Errand(errand) => match errand {},
            }
        }
    }

    /// A write succeeds; or one fails, and with it all that follow.
    fn report(&mut self) {
        let lost = self.dice.random_range(0..12) == 0;
        while let Some((token, batch)) = self.appends.pop_front() {
            let result = if lost { Err(ErrorCode::NotEnoughReplicas) } else { Ok(()) };
            if !lost {
                self.log.push(batch);
            }
            let effects = self.shard.appended(token, result);
            self.act(effects);
            if !lost {
                return;
            }
        }
    }

    fn restart(&mut self) {
        self.appends.clear();
        self.asked.clear();
        let config = self.shard.config.clone();
        self.shard = ShareStateShard::new(config);
        for batch in &self.log {
            self.shard.load(batch).unwrap();
        }
        self.shard.loaded();
        let found: BTreeMap<StateKey, KeptState> =
            self.shard.durable.iter().map(|(key, state)| (key.clone(), state.kept.clone())).collect();
        assert_eq!(found, self.promised);
    }
}

#[test]
fn what_was_answered_as_written_outlives_failures_and_restarts() {
    for seed in 0..300 {
        let mut walk = Walk::new(seed);
        for _ in 0..200 {
            walk.step();
        }
        walk.restart();
    }
}
