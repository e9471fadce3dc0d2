//! A shard on the bench: carries commands out, keeps the log that a partition would be.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use thalweg_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use thalweg_protocol::messages::leave_group_request::MemberIdentity;
use thalweg_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use thalweg_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use thalweg_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use thalweg_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use thalweg_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use thalweg_protocol::messages::{
    GroupId, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, ListGroupsRequest, OffsetCommitRequest,
    OffsetDeleteRequest, SyncGroupRequest, TopicName, TransactionalId, TxnOffsetCommitRequest,
};
use thalweg_protocol::records::{BatchHeader, Marker, control, stamp};
use thalweg_protocol::{KafkaOffset, LeaderEpoch, ProducerEpoch, ProducerId, StrBytes, TimestampMs};
use thalweg_storage::log::producers::EndRequest;

use super::consumer::subscription_with;
use super::print::Names;
use super::script::Command;
use crate::coordinator::group::{AppendToken, Caller, Effect, Errand, ErrorCode, GroupConfig, GroupShard, ReplyToken};
use crate::metadata::ClusterImage;

pub(super) struct Bench {
    pub(super) shard: GroupShard,
    pub(super) config: GroupConfig,
    pub(super) now: TimestampMs,
    token_next: u64,
    /// Appends that were asked for and not yet reported.
    appends: VecDeque<(AppendToken, Bytes)>,
    /// What is durable.
    log: Vec<Bytes>,
    log_end: KafkaOffset,
    pub(super) names: Names,
    /// The cluster's topics and the settings of groups.
    pub(super) image: ClusterImage,
    /// Appends are reported as done at once, unless a script holds them.
    held: bool,
    seed: u64,
}

pub(super) fn string(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// `a:b,c:d` as pairs.
pub(super) fn pairs(text: &str) -> Vec<(&str, &str)> {
    text.split(',').filter(|part| !part.is_empty()).map(|part| part.split_once(':').unwrap_or((part, ""))).collect()
}

/// A consumer's subscription to topics written as `t1+t2`.
pub(super) fn subscription(topics: &str) -> Bytes {
    let topics: Vec<&str> = topics.split('+').filter(|topic| !topic.is_empty()).collect();
    let mut bytes = vec![0, 0];
    bytes.extend(i32::try_from(topics.len()).unwrap().to_be_bytes());
    for topic in topics {
        bytes.extend(i16::try_from(topic.len()).unwrap().to_be_bytes());
        bytes.extend(topic.as_bytes());
    }
    bytes.extend((-1_i32).to_be_bytes());
    Bytes::from(bytes)
}

impl Bench {
    pub(super) fn new() -> Self {
        let config = GroupConfig::default();
        let mut bench = Self {
            shard: GroupShard::new(config.clone(), 1),
            config,
            now: TimestampMs(1_000_000),
            token_next: 1,
            appends: VecDeque::new(),
            log: Vec::new(),
            log_end: KafkaOffset::ZERO,
            names: Names::default(),
            image: ClusterImage::default(),
            held: false,
            seed: 1,
        };
        assert!(bench.shard.loaded(bench.now).is_empty());
        bench
    }

    pub(super) fn command(&mut self, command: &Command) -> String {
        let mut out = String::new();
        match command.name.as_str() {
            "config" => self.configure(command),
            "hold" => self.held = true,
            "release" => self.release(command, &mut out),
            "advance" => self.advance(command, &mut out),
            "restart" => self.restart(command, &mut out),
            "unload" => {
                let effects = self.shard.unload();
                self.act(effects, &mut out);
            }
            "list" => self.list(command, &mut out),
            "topics" => self.topics(command),
            "topic-gone" => self.topic_gone(command.text("topic", "t")),
            "group-config" => self.group_config(command),
            "consumer" => out += &self.describe_consumer(command.text("group", "g")),
            "share" => out += &self.describe_share(command.text("group", "g")),
            "describe" => {
                let group = GroupId(string(command.text("group", "g")));
                let described = self.shard.describe(&group, command.number("version", 6));
                out += &self.names.describe(&described);
            }
            "topic-deleted" => {
                let topic = string(command.text("topic", "t"));
                let effects = self.shard.topics_deleted(&[topic], self.now);
                self.act(effects, &mut out);
            }
            _ => {
                let effects = self.request(command);
                self.act(effects, &mut out);
            }
        }
        if out.is_empty() { "ok".to_owned() } else { out }
    }

    fn configure(&mut self, command: &Command) {
        let config = &mut self.config;
        config.initial_rebalance_delay_ms = command.number("delay", config.initial_rebalance_delay_ms);
        config.group_size_max = command.number("size", config.group_size_max);
        config.offset_metadata_size_max_bytes = command.number("metadata", config.offset_metadata_size_max_bytes);
        config.offsets_retention_ms = command.number("retention", config.offsets_retention_ms);
        config.offsets_retention_check_interval_ms =
            command.number("check", config.offsets_retention_check_interval_ms);
        config.batch_size_max_bytes = command.number("batch", config.batch_size_max_bytes);
        self.configure_consumer(command);
        let config = &self.config;
        self.shard.set_config(config.clone());
    }

    /// Reports held appends, all or `count`; `error` by Kafka's number.
    fn release(&mut self, command: &Command, out: &mut String) {
        self.held = command.get("count").is_some();
        let result = match command.number("error", 0) {
            0 => Ok(()),
            code => Err(ErrorCode::from_code(code).unwrap()),
        };
        for _ in 0..command.number("count", usize::MAX) {
            let Some((token, batch)) = self.appends.pop_front() else { break };
            let effects = self.report(token, batch, result);
            self.act(effects, out);
        }
    }

    fn report(&mut self, token: AppendToken, batch: Bytes, result: Result<(), ErrorCode>) -> Vec<Effect> {
        if result.is_ok() {
            let mut batch = BytesMut::from(batch.as_ref());
            stamp(&mut batch, self.log_end, LeaderEpoch(0));
            self.log_end = BatchHeader::parse(&batch).unwrap().next_offset();
            self.log.push(batch.freeze());
        }
        self.shard.appended(token, result, self.now)
    }

    /// Turns the clock, stopping at every deadline.
    fn advance(&mut self, command: &Command, out: &mut String) {
        let until = TimestampMs(self.now.0 + command.number("ms", 0));
        while let Some(at) = self.shard.next_deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            let effects = self.shard.tick(self.now);
            if !effects.is_empty() {
                *out += &format!("at {}\n", self.now.0 - 1_000_000);
            }
            self.act(effects, out);
        }
        self.now = until;
    }

    /// A new shard reads the log; `serve=no` leaves it loading.
    fn restart(&mut self, command: &Command, out: &mut String) {
        self.appends.clear();
        self.seed += 1;
        self.shard = GroupShard::new(self.config.clone(), self.seed);
        self.shard.set_image(Arc::new(self.image.clone()));
        for batch in &self.log {
            self.shard.load(batch).unwrap();
        }
        if command.text("serve", "yes") == "yes" {
            let effects = self.shard.loaded(self.now);
            self.act(effects, out);
        }
    }

    fn list(&mut self, command: &Command, out: &mut String) {
        let filter = |name: &str| pairs(command.text(name, "")).iter().map(|(state, _)| string(state)).collect();
        let request =
            ListGroupsRequest::default().with_states_filter(filter("states")).with_types_filter(filter("types"));
        match self.shard.list(&request) {
            Err(error) => *out += error.name(),
            Ok(mut groups) => {
                groups.sort_by(|a, b| a.group_id.cmp(&b.group_id));
                for group in groups {
                    *out += &format!(
                        "{} {} {} {}\n",
                        &*group.group_id, &*group.protocol_type, group.group_state, group.group_type
                    );
                }
                if out.is_empty() {
                    *out += "none";
                }
            }
        }
    }

    fn act(&mut self, effects: Vec<Effect>, out: &mut String) {
        for effect in effects {
            match effect {
                Effect::Reply { token, response } => {
                    *out += &format!("r{}: {}\n", token.0, self.names.response(&response))
                }
                Effect::Append { token, batch } => self.append(token, batch, out),
                Effect::Errand(Errand::Offsets { token, batch, .. }) => self.append(token, batch, out),
                Effect::Errand(Errand::End { token, end, commit }) => {
                    let marker = if commit { Marker::Commit } else { Marker::Abort };
                    let batch = control::marker_batch(marker, end.coordinator_epoch, end.producer, end.epoch, self.now);
                    self.append(token, batch.unwrap(), out);
                }
            }
        }
    }

    fn append(&mut self, token: AppendToken, batch: Bytes, out: &mut String) {
        *out += &self.names.batch(&batch);
        if self.held {
            self.appends.push_back((token, batch));
        } else {
            let effects = self.report(token, batch, Ok(()));
            self.act(effects, out);
        }
    }

    pub(super) fn caller(&mut self, command: &Command, version: i16) -> Caller {
        let token = ReplyToken(self.token_next);
        self.token_next += 1;
        Caller {
            token,
            version: command.number("version", version),
            client_id: string(command.text("client", "c")),
            client_host: StrBytes::from_static_str("/127.0.0.1"),
        }
    }

    pub(super) fn member(&self, command: &Command) -> StrBytes {
        self.names.resolve(command.text("member", ""))
    }

    fn request(&mut self, command: &Command) -> Vec<Effect> {
        let now = self.now;
        match command.name.as_str() {
            "join" => {
                let (request, caller) = (self.join(command), self.caller(command, 9));
                self.shard.join(&request, &caller, now)
            }
            "sync" => {
                let (request, caller) = (self.sync(command), self.caller(command, 4));
                self.shard.sync(&request, &caller, now)
            }
            "heartbeat" => {
                let caller = self.caller(command, 4);
                let request = HeartbeatRequest::default()
                    .with_group_id(GroupId(string(command.text("group", "g"))))
                    .with_generation_id(command.number("generation", 1))
                    .with_member_id(self.member(command))
                    .with_group_instance_id(command.get("instance").map(string));
                self.shard.heartbeat(&request, &caller, now)
            }
            "leave" => {
                let (request, caller) = (self.leave(command), self.caller(command, 5));
                self.shard.leave(&request, &caller, now)
            }
            "commit" => {
                let (request, caller) = (self.commit(command), self.caller(command, 9));
                self.shard.commit(&request, &caller, now)
            }
            "txn-commit" => {
                let (request, caller) = (self.commit_in_transaction(command), self.caller(command, 5));
                self.shard.commit_in_transaction(&request, None, &caller, now)
            }
            "end" => {
                let token = self.caller(command, 1).token;
                let end = EndRequest {
                    producer: ProducerId(command.number("producer", 7)),
                    epoch: ProducerEpoch(command.number("epoch", 0)),
                    coordinator_epoch: 0,
                    transaction_version: 0,
                };
                self.shard.end_transaction(end, command.text("commit", "yes") == "yes", token, now)
            }
            "fetch" => {
                let caller = self.caller(command, 9);
                let stable = command.text("stable", "no") == "yes";
                self.shard.fetch(&fetch(command), stable, &caller, now)
            }
            "delete-offsets" => {
                let caller = self.caller(command, 0);
                self.shard.delete_offsets(&delete_offsets(command), &caller, now)
            }
            "beat" => {
                let (request, caller) = (self.beat(command), self.caller(command, 1));
                self.shard.consumer_heartbeat(&request, &caller, now)
            }
            "share-beat" => {
                let (request, caller) = (self.share_beat(command), self.caller(command, 1));
                self.shard.share_heartbeat(&request, &caller, now)
            }
            "delete-groups" => {
                let caller = self.caller(command, 2);
                let groups: Vec<GroupId> =
                    pairs(command.text("groups", "g")).iter().map(|(group, _)| GroupId(string(group))).collect();
                self.shard.delete_groups(&groups, &caller, now)
            }
            other => panic!("no command {other}"),
        }
    }

    fn join(&self, command: &Command) -> JoinGroupRequest {
        let protocol = |(name, topics): (&str, &str)| {
            let metadata = match command.get("owned") {
                Some(owned) => subscription_with(topics, owned),
                None => subscription(topics),
            };
            JoinGroupRequestProtocol::default().with_name(string(name)).with_metadata(metadata)
        };
        JoinGroupRequest::default()
            .with_group_id(GroupId(string(command.text("group", "g"))))
            .with_session_timeout_ms(command.number("session", 10_000))
            .with_rebalance_timeout_ms(command.number("rebalance", 60_000))
            .with_member_id(self.member(command))
            .with_group_instance_id(command.get("instance").map(string))
            .with_protocol_type(string(command.text("type", "consumer")))
            .with_protocols(pairs(command.text("protocols", "range:t")).into_iter().map(protocol).collect())
    }

    fn sync(&self, command: &Command) -> SyncGroupRequest {
        let assignment = |(member, assignment): (&str, &str)| {
            SyncGroupRequestAssignment::default()
                .with_member_id(self.names.resolve(member))
                .with_assignment(Bytes::from(assignment.to_owned()))
        };
        SyncGroupRequest::default()
            .with_group_id(GroupId(string(command.text("group", "g"))))
            .with_generation_id(command.number("generation", 1))
            .with_member_id(self.member(command))
            .with_group_instance_id(command.get("instance").map(string))
            .with_protocol_type(command.get("type").map(string))
            .with_protocol_name(command.get("protocol").map(string))
            .with_assignments(pairs(command.text("assign", "")).into_iter().map(assignment).collect())
    }

    fn leave(&self, command: &Command) -> LeaveGroupRequest {
        let request = LeaveGroupRequest::default().with_group_id(GroupId(string(command.text("group", "g"))));
        if command.number("version", 5) < 3 {
            return request.with_member_id(self.member(command));
        }
        // members=M1,M2 or members=:instance
        let identity = |(member, instance): (&str, &str)| {
            MemberIdentity::default()
                .with_member_id(self.names.resolve(member))
                .with_group_instance_id(Some(instance).filter(|instance| !instance.is_empty()).map(string))
        };
        request.with_members(pairs(command.text("members", "")).into_iter().map(identity).collect())
    }

    /// `offsets=0:5,1:6` of one topic.
    fn commit(&self, command: &Command) -> OffsetCommitRequest {
        let partition = |(index, offset): (&str, &str)| {
            OffsetCommitRequestPartition::default()
                .with_partition_index(index.parse().unwrap())
                .with_committed_offset(offset.parse().unwrap())
                .with_committed_leader_epoch(command.number("epoch", -1))
                .with_committed_metadata(command.get("metadata").map(string))
        };
        let topic = OffsetCommitRequestTopic::default()
            .with_name(TopicName(string(command.text("topic", "t"))))
            .with_topic_id(self.image.topic(command.text("topic", "t")).map(|topic| topic.id).unwrap_or_default())
            .with_partitions(pairs(command.text("offsets", "0:1")).into_iter().map(partition).collect());
        OffsetCommitRequest::default()
            .with_group_id(GroupId(string(command.text("group", "g"))))
            .with_generation_id_or_member_epoch(command.number("generation", -1))
            .with_member_id(self.member(command))
            .with_group_instance_id(command.get("instance").map(string))
            .with_retention_time_ms(command.number("retention", -1))
            .with_topics(vec![topic])
    }
}

impl Bench {
    fn commit_in_transaction(&self, command: &Command) -> TxnOffsetCommitRequest {
        let partition = |(index, offset): (&str, &str)| {
            TxnOffsetCommitRequestPartition::default()
                .with_partition_index(index.parse().unwrap())
                .with_committed_offset(offset.parse().unwrap())
                .with_committed_metadata(command.get("metadata").map(string))
        };
        let topic = TxnOffsetCommitRequestTopic::default()
            .with_name(TopicName(string(command.text("topic", "t"))))
            .with_partitions(pairs(command.text("offsets", "0:0")).into_iter().map(partition).collect());
        TxnOffsetCommitRequest::default()
            .with_transactional_id(TransactionalId(string("tx")))
            .with_group_id(GroupId(string(command.text("group", "g"))))
            .with_producer_id(thalweg_protocol::messages::ProducerId(command.number("producer", 7)))
            .with_producer_epoch(command.number("epoch", 0))
            .with_generation_id(command.number("generation", -1))
            .with_member_id(self.member(command))
            .with_group_instance_id(command.get("instance").map(string))
            .with_topics(vec![topic])
    }
}

/// `partitions=0,1` of one topic; without a topic, all.
fn fetch(command: &Command) -> OffsetFetchRequestGroup {
    let indexes = pairs(command.text("partitions", "0")).iter().map(|(index, _)| index.parse().unwrap()).collect();
    let topics = command.get("topic").map(|topic| {
        vec![OffsetFetchRequestTopics::default().with_name(TopicName(string(topic))).with_partition_indexes(indexes)]
    });
    OffsetFetchRequestGroup::default()
        .with_group_id(GroupId(string(command.text("group", "g"))))
        .with_member_id(command.get("member").map(string))
        .with_member_epoch(command.number("epoch", -1))
        .with_topics(topics)
}

fn delete_offsets(command: &Command) -> OffsetDeleteRequest {
    let partition =
        |(index, _): (&str, &str)| OffsetDeleteRequestPartition::default().with_partition_index(index.parse().unwrap());
    let topic = OffsetDeleteRequestTopic::default()
        .with_name(TopicName(string(command.text("topic", "t"))))
        .with_partitions(pairs(command.text("partitions", "0")).into_iter().map(partition).collect());
    OffsetDeleteRequest::default().with_group_id(GroupId(string(command.text("group", "g")))).with_topics(vec![topic])
}
