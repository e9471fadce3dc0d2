//! A shard on the bench: carries commands out, keeps the log that a partition would be.

use std::collections::VecDeque;

use bytes::Bytes;
use regex::Regex;
use thalweg_protocol::{ProducerEpoch, ProducerId, StrBytes, TimestampMs};

use super::print;
use crate::coordinator::script::Command;
use crate::coordinator::transaction::{
    AppendToken, Effect, ErrorCode, Filter, Marking, Producer, ReplyToken, State, TopicPartition, TransactionConfig,
    TransactionShard, TransactionVersion,
};

const BASE_MS: i64 = 1_000_000;

pub(super) struct Bench {
    shard: TransactionShard,
    config: TransactionConfig,
    now: TimestampMs,
    token_next: u64,
    producer_id_next: i64,
    coordinator_epoch: i32,
    /// Appends that were asked for and not yet reported.
    appends: VecDeque<(AppendToken, Bytes)>,
    /// Markers that were asked for and not yet reported.
    markings: VecDeque<Marking>,
    /// What is durable.
    log: Vec<Bytes>,
    /// Appends are reported as done at once, unless a script holds them.
    held: bool,
    /// The same of markers.
    markers_held: bool,
    /// Whether the shard is given producer ids.
    supplied: bool,
}

fn string(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// `t-0,t-1`
fn partitions(text: &str) -> Vec<TopicPartition> {
    let names = text.split(',').filter(|name| !name.is_empty());
    let parse = |name: &str| {
        let (topic, index) = name.rsplit_once('-').unwrap();
        TopicPartition { topic: string(topic), index: index.parse().unwrap() }
    };
    names.map(parse).collect()
}

/// `1000:0`
fn producer(text: &str) -> Producer {
    let (id, epoch) = text.split_once(':').unwrap();
    Producer { id: ProducerId(id.parse().unwrap()), epoch: ProducerEpoch(epoch.parse().unwrap()) }
}

fn error(command: &Command) -> Result<(), ErrorCode> {
    match command.number("error", 0) {
        0 => Ok(()),
        code => Err(ErrorCode::from_code(code).unwrap()),
    }
}

impl Bench {
    pub(super) fn new() -> Self {
        let config = TransactionConfig::default();
        let mut bench = Self {
            shard: TransactionShard::new(config.clone(), 7),
            config,
            now: TimestampMs(BASE_MS),
            token_next: 1,
            producer_id_next: 1000,
            coordinator_epoch: 7,
            appends: VecDeque::new(),
            markings: VecDeque::new(),
            log: Vec::new(),
            held: false,
            markers_held: false,
            supplied: true,
        };
        assert!(bench.shard.loaded(bench.now).is_empty());
        bench
    }

    pub(super) fn command(&mut self, command: &Command) -> String {
        let mut out = String::new();
        match command.name.as_str() {
            "config" => self.configure(command),
            "hold" => self.hold(command),
            "release" => self.release(command, &mut out),
            "marked" => self.marked(command, &mut out),
            "advance" => self.advance(command, &mut out),
            "restart" => self.restart(command, &mut out),
            "unload" => {
                let effects = self.shard.unload();
                self.act(effects, &mut out);
            }
            "describe" => {
                out += &match self.shard.describe(command.text("id", "a")) {
                    Ok(described) => print::described(&described, BASE_MS),
                    Err(code) => code.to_string(),
                };
            }
            "list" => out += &self.list(command),
            "exhaust" => self.exhaust(command),
            _ => {
                let effects = self.request(command);
                self.act(effects, &mut out);
            }
        }
        if out.is_empty() { "ok".to_owned() } else { out }
    }

    fn configure(&mut self, command: &Command) {
        let config = &mut self.config;
        let level = command.number("version", config.version.level());
        config.version = TransactionVersion::from_level(level);
        config.timeout_ms_max = command.number("timeout", config.timeout_ms_max);
        config.abort_interval_ms = command.number("abort", config.abort_interval_ms);
        config.expiration_ms = command.number("expiration", config.expiration_ms);
        config.expiry_interval_ms = command.number("expiry", config.expiry_interval_ms);
        config.batch_size_max_bytes = command.number("batch", config.batch_size_max_bytes);
        self.supplied = command.text("ids", if self.supplied { "yes" } else { "no" }) == "yes";
        if command.get("ids") == Some("none") {
            self.shard.producer_ids.clear();
        }
        self.shard.set_config(config.clone());
    }

    fn hold(&mut self, command: &Command) {
        match command.text("what", "appends") {
            "appends" => self.held = true,
            "markers" => self.markers_held = true,
            other => panic!("{other} cannot be held"),
        }
    }

    /// Reports held appends, all or `count`; `error` by Kafka's number.
    fn release(&mut self, command: &Command, out: &mut String) {
        self.held = command.get("count").is_some();
        let result = error(command);
        for _ in 0..command.number("count", usize::MAX) {
            let Some((token, batch)) = self.appends.pop_front() else { break };
            let effects = self.report(token, batch, result);
            self.act(effects, out);
        }
    }

    /// Reports the oldest markers that were asked for: `partitions` of them or all.
    fn marked(&mut self, command: &Command, out: &mut String) {
        let Some(mut marking) = self.markings.pop_front() else { return out.push_str("no markers are under way") };
        let result = error(command);
        let all = marking.partitions.clone();
        let reported = command.get("partitions").map_or(all, partitions);
        marking.partitions.retain(|partition| !reported.contains(partition));
        let results = reported.into_iter().map(|partition| (partition, result)).collect();
        let effects = self.shard.marked(&marking, results, self.now);
        if !marking.partitions.is_empty() {
            self.markings.push_front(marking);
        }
        self.markers_held = command.text("hold", "yes") == "yes";
        self.act(effects, out);
    }

    /// The clock goes on, stopping wherever something becomes due.
    fn advance(&mut self, command: &Command, out: &mut String) {
        let until = TimestampMs(self.now.0 + command.number("ms", 0_i64));
        while let Some(due) = self.shard.next_deadline().filter(|due| *due <= until) {
            self.now = due.max(self.now);
            self.supply();
            let effects = self.shard.tick(self.now);
            if !effects.is_empty() {
                out.push_str(&format!("at {}\n", self.now.0 - BASE_MS));
            }
            self.act(effects, out);
        }
        self.now = until;
    }

    /// What is not durable is lost; a new coordinator reads the log.
    fn restart(&mut self, command: &Command, out: &mut String) {
        self.appends.clear();
        self.markings.clear();
        (self.held, self.markers_held) = (false, command.text("hold", "") == "markers");
        self.coordinator_epoch += 1;
        self.shard = TransactionShard::new(self.config.clone(), self.coordinator_epoch);
        for batch in &self.log {
            self.shard.load(batch).unwrap();
        }
        if command.text("serve", "yes") == "yes" {
            let effects = self.shard.loaded(self.now);
            self.act(effects, out);
        }
    }

    /// As if the producer had had that many transactions.
    fn exhaust(&mut self, command: &Command) {
        let transaction = self.shard.transaction_mut(command.text("id", "a")).unwrap();
        transaction.current.producer.epoch = ProducerEpoch(command.number("epoch", 0));
    }

    fn list(&self, command: &Command) -> String {
        let split = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        let filter = Filter {
            states: command
                .get("states")
                .map(|names| split(names).iter().filter_map(|name| State::from_name(name)).collect()),
            producer_ids: command
                .get("producers")
                .map_or_else(Vec::new, |ids| split(ids).iter().map(|id| ProducerId(id.parse().unwrap())).collect()),
            duration_ms: command.get("duration").map(|duration| duration.parse().unwrap()),
            pattern: command.get("pattern").map(|pattern| Regex::new(&format!("^(?:{pattern})$")).unwrap()),
        };
        match self.shard.list(&filter, self.now) {
            Ok(listed) => {
                let lines = listed.iter().map(|one| format!("{} {} {}\n", one.id, one.producer_id, one.state.name()));
                lines.collect()
            }
            Err(code) => code.to_string(),
        }
    }

    fn request(&mut self, command: &Command) -> Vec<Effect> {
        self.supply();
        let token = ReplyToken(self.token_next);
        self.token_next += 1;
        let id = command.text("id", "a");
        let of = producer(command.text("producer", "1000:0"));
        let version = TransactionVersion::from_level(command.number("v", 2));
        let wanted = partitions(command.text("partitions", "t-0"));
        match command.name.as_str() {
            "init" => {
                let expected = command.get("producer").map(producer);
                self.shard.init_producer_id(id, command.number("timeout", 60_000), expected, token, self.now)
            }
            "add" => self.shard.add_partitions(id, of, &wanted, version, token, self.now),
            "verify" => self.shard.verify_partitions(id, of, &wanted, token, self.now),
            "commit" => self.shard.end(id, of, true, version, token, self.now),
            "abort" => self.shard.end(id, of, false, version, token, self.now),
            other => panic!("{other:?} is no command"),
        }
    }

    fn supply(&mut self) {
        if self.supplied && self.shard.wants_producer_id() {
            self.shard.supply(ProducerId(self.producer_id_next));
            self.producer_id_next += 1;
        }
    }

    fn report(&mut self, token: AppendToken, batch: Bytes, result: Result<(), ErrorCode>) -> Vec<Effect> {
        if result.is_ok() {
            self.log.push(batch);
        }
        self.shard.appended(token, result, self.now)
    }

    fn act(&mut self, effects: Vec<Effect>, out: &mut String) {
        for effect in effects {
            match effect {
                Effect::Reply { token, response } => {
                    out.push_str(&format!("r{}: {}\n", token.0, print::response(&response)));
                }
                Effect::Append { token, batch } => {
                    out.push_str(&print::batch(&batch));
                    self.appends.push_back((token, batch));
                }
                Effect::Errand(marking) => {
                    out.push_str(&print::marking(&marking));
                    self.markings.push_back(marking);
                }
            }
        }
        while !self.held
            && let Some((token, batch)) = self.appends.pop_front()
        {
            let effects = self.report(token, batch, Ok(()));
            self.act(effects, out);
        }
        while !self.markers_held
            && let Some(marking) = self.markings.pop_front()
        {
            let results = marking.partitions.iter().map(|partition| (partition.clone(), Ok(()))).collect();
            let effects = self.shard.marked(&marking, results, self.now);
            self.act(effects, out);
        }
    }
}
