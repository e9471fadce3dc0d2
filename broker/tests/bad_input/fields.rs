//! Every field of every request, in every version served, replaced by something absurd: answered or closed, within a
//! bounded time, by a broker that stays alive for everybody else.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use thalweg_protocol::StrBytes;
use thalweg_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use thalweg_protocol::messages::create_topics_request::CreatableTopic;
use thalweg_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use thalweg_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use thalweg_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use thalweg_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use thalweg_protocol::messages::share_fetch_request::{FetchPartition, FetchTopic};
use thalweg_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use thalweg_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, ApiKey, ConsumerGroupHeartbeatRequest, CreateTopicsRequest,
    DescribeLogDirsRequest, FindCoordinatorRequest, GroupId, InitProducerIdRequest, JoinGroupRequest,
    OffsetCommitRequest, ProduceRequest, ProducerId, ShareFetchRequest, ShareGroupHeartbeatRequest, SyncGroupRequest,
    TopicName, TransactionalId,
};

use crate::every_api::{World, body, flexible, request};
use crate::exchange::Exchange;
use crate::records::batch;
use crate::support::Broker;
use crate::wire::{Client, PATIENCE, Reply, frame};

static NAMES: AtomicU32 = AtomicU32::new(0);

/// A name that was never used.
fn fresh(name: &str) -> StrBytes {
    // As long as all others, so that mutants of one request stay comparable.
    StrBytes::from_string(format!("{name}-{:06}", NAMES.fetch_add(1, Ordering::Relaxed)))
}

/// Requests that change what they name need it anew each time.
fn uses_up(key: ApiKey) -> bool {
    matches!(
        key,
        ApiKey::DeleteTopics
            | ApiKey::LeaveGroup
            | ApiKey::JoinGroup
            | ApiKey::DeleteGroups
            | ApiKey::OffsetDelete
            | ApiKey::EndTxn
            | ApiKey::ShareFetch
            | ApiKey::ShareAcknowledge
    )
}

/// Without a mutation, each is answered, and without an error: so that the mutants reach what they are meant for.
pub fn well_formed(broker: &Broker) {
    let mut client = Client::connect(broker.bootstrap());
    find_coordinator(&mut client);
    let mut wrong = Vec::new();
    for (key, version) in every_version() {
        let world = world(&mut client);
        assert!(client.send(&frame(&request(key, version, &body(key, version, &world)))));
        let Reply::Answer(mut answer) = client.reply(PATIENCE) else {
            panic!("no answer to {key:?} version {version}")
        };
        drop(answer.split_to(if key.response_header_version(version) >= 1 { 5 } else { 4 }));
        let answer = key.recode_response(version, &mut answer).unwrap().text;
        let mut codes =
            answer.split("error_code: ").skip(1).map(|rest| rest.split([',', ' ']).next().unwrap_or_default());
        if codes.any(|code| !expected(key, version).contains(&code)) {
            wrong.push(format!("{key:?} version {version}: {answer}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a request without a mistake is answered.
fn expected(key: ApiKey, version: i16) -> &'static [&'static str] {
    match key {
        // From version 4 on a member without a name is given one first (KIP-394).
        ApiKey::JoinGroup if version == 4 => &["79"],
        // Every partition has its leader already.
        ApiKey::ElectLeaders => &["0", "84"],
        // Nobody knows the number of a subscription that it did not ask for; and a client asks once in five minutes.
        ApiKey::PushTelemetry => &["117"],
        ApiKey::GetTelemetrySubscriptions => &["0", "89"],
        // There is no other broker.
        ApiKey::UnregisterBroker => &["102"],
        _ => &["0"],
    }
}

/// How many mutants there were.
pub fn mutants(broker: &Broker) -> usize {
    let mut client = Client::connect(broker.bootstrap());
    let mut exchange = Exchange::new(broker);
    let mut count = 0;
    for (key, version) in every_version() {
        let mut current = world(&mut client);
        let mutants = body(key, version, &current).mutants(flexible(key, version)).len();
        for at in 0..mutants {
            if uses_up(key) && at > 0 {
                current = world(&mut client);
            }
            let body = body(key, version, &current).mutants(flexible(key, version)).swap_remove(at);
            exchange.send(&request(key, version, &body));
            count += 1;
        }
    }
    exchange.settle();
    count
}

pub fn every_version() -> impl Iterator<Item = (ApiKey, i16)> {
    let apis = thalweg_broker::dispatch::APIS.iter();
    apis.flat_map(|api| (api.versions.min..=api.versions.max).map(|version| (api.key, version)))
}

/// The topics of groups, transactions and share groups are made when somebody first asks for a coordinator.
fn find_coordinator(client: &mut Client) {
    let deadline = Instant::now() + PATIENCE;
    for (key_type, key) in [(0, "key"), (1, "key"), (2, "key:AAAAAAAAAAAAAAAAAAAAAA:0")] {
        let key = StrBytes::from_static_str(key);
        let request = FindCoordinatorRequest::default().with_key(key).with_key_type(key_type);
        while client.ask(3, &request).error_code != 0 {
            assert!(Instant::now() < deadline, "no coordinator");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Makes what requests name.
pub fn world(client: &mut Client) -> World {
    let (topic, other_topic) = (fresh("topic"), fresh("other"));
    let [topic_id, other_topic_id] = [&topic, &other_topic].map(|name| create(client, name));
    let (group, idle_group) = (fresh("group"), fresh("idle"));
    let (member, generation) = join(client, &group);
    commit(client, &idle_group, &topic);
    let transactional_id = fresh("transactional");
    let (producer_id, producer_epoch) = begin(client, &transactional_id, &topic, &idle_group);
    let consumer_group = fresh("consumer");
    beat(client, &consumer_group, &topic);
    let (share_group, idle_share_group) = (fresh("share"), fresh("idle"));
    hold(client, &share_group, &topic, topic_id);
    share_beat(client, &idle_share_group, &topic, 0);
    share_beat(client, &idle_share_group, &topic, -1);
    World {
        topic: topic.to_string(),
        topic_id,
        other_topic: other_topic.to_string(),
        other_topic_id,
        group: group.to_string(),
        member,
        generation,
        new_topic: fresh("new").to_string(),
        idle_group: idle_group.to_string(),
        new_group: fresh("new").to_string(),
        transactional_id: transactional_id.to_string(),
        producer_id,
        producer_epoch,
        consumer_group: consumer_group.to_string(),
        share_group: share_group.to_string(),
        idle_share_group: idle_share_group.to_string(),
        log_dir: log_dir(client, &topic),
    }
}

fn create(client: &mut Client, name: &StrBytes) -> [u8; 16] {
    let topic = CreatableTopic::default().with_name(TopicName(name.clone())).with_num_partitions(1);
    let request =
        CreateTopicsRequest::default().with_topics(vec![topic.with_replication_factor(1)]).with_timeout_ms(10_000);
    let answer = &client.ask(7, &request).topics[0];
    assert_eq!(answer.error_code, 0, "{name}");
    answer.topic_id.into_bytes()
}

/// Where a topic's first partition is.
fn log_dir(client: &mut Client, topic: &StrBytes) -> String {
    let asked = DescribableLogDirTopic::default().with_topic(TopicName(topic.clone())).with_partitions(vec![0]);
    let answer = client.ask(4, &DescribeLogDirsRequest::default().with_topics(Some(vec![asked])));
    answer.results.iter().find(|dir| !dir.topics.is_empty()).unwrap().log_dir.to_string()
}

/// A group of one member, in version 3, where the first request already is a member's.
fn join(client: &mut Client, group: &StrBytes) -> (String, i32) {
    let range = StrBytes::from_static_str("range");
    let protocol = JoinGroupRequestProtocol::default().with_name(range).with_metadata(Bytes::from_static(&[0; 8]));
    let request = JoinGroupRequest::default()
        .with_group_id(GroupId(group.clone()))
        .with_session_timeout_ms(6000)
        .with_rebalance_timeout_ms(500)
        .with_protocol_type(StrBytes::from_static_str("consumer"))
        .with_protocols(vec![protocol]);
    let joined = client.ask(3, &request);
    assert_eq!(joined.error_code, 0, "{group}");
    let assignment = SyncGroupRequestAssignment::default().with_member_id(joined.member_id.clone());
    let request = SyncGroupRequest::default()
        .with_group_id(GroupId(group.clone()))
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id.clone())
        .with_assignments(vec![assignment]);
    assert_eq!(client.ask(2, &request).error_code, 0, "{group}");
    (joined.member_id.to_string(), joined.generation_id)
}

/// A transaction of one partition.
fn begin(client: &mut Client, id: &StrBytes, topic: &StrBytes, group: &StrBytes) -> (i64, i16) {
    let named = TransactionalId(id.clone());
    let request = InitProducerIdRequest::default()
        .with_transactional_id(Some(named.clone()))
        .with_transaction_timeout_ms(60_000)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    let producer = client.ask(4, &request);
    assert_eq!(producer.error_code, 0, "{id}");
    let topic = AddPartitionsToTxnTopic::default().with_name(TopicName(topic.clone())).with_partitions(vec![0]);
    let request = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(named)
        .with_v3_and_below_producer_id(producer.producer_id)
        .with_v3_and_below_producer_epoch(producer.producer_epoch)
        .with_v3_and_below_topics(vec![topic]);
    let added = client.ask(3, &request);
    assert_eq!(added.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code, 0);
    let request = AddOffsetsToTxnRequest::default()
        .with_transactional_id(TransactionalId(id.clone()))
        .with_producer_id(producer.producer_id)
        .with_producer_epoch(producer.producer_epoch)
        .with_group_id(GroupId(group.clone()));
    assert_eq!(client.ask(3, &request).error_code, 0, "{id}");
    (producer.producer_id.0, producer.producer_epoch)
}

/// A consumer group of one member.
fn beat(client: &mut Client, group: &StrBytes, topic: &StrBytes) {
    let request = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(GroupId(group.clone()))
        .with_member_id(StrBytes::from_static_str("member"))
        .with_rebalance_timeout_ms(10_000)
        .with_subscribed_topic_names(Some(vec![TopicName(topic.clone())]))
        .with_topic_partitions(Some(Vec::new()));
    assert_eq!(client.ask(1, &request).error_code, 0, "{group}");
}

fn share_beat(client: &mut Client, group: &StrBytes, topic: &StrBytes, epoch: i32) {
    let request = ShareGroupHeartbeatRequest::default()
        .with_group_id(GroupId(group.clone()))
        .with_member_id(StrBytes::from_static_str("member"))
        .with_member_epoch(epoch)
        .with_subscribed_topic_names(Some(vec![TopicName(topic.clone())]));
    assert_eq!(client.ask(1, &request).error_code, 0, "{group}");
}

/// A share group whose one member has a record.
fn hold(client: &mut Client, group: &StrBytes, topic: &StrBytes, topic_id: [u8; 16]) {
    share_beat(client, group, topic, 0);
    for epoch in 0..2 {
        let partition = FetchPartition::default().with_partition_index(0);
        let fetched = FetchTopic::default().with_topic_id(uuid::Uuid::from_bytes(topic_id));
        let request = ShareFetchRequest::default()
            .with_group_id(Some(GroupId(group.clone())))
            .with_member_id(Some(StrBytes::from_static_str("member")))
            .with_share_session_epoch(epoch)
            .with_max_bytes(1 << 20)
            .with_max_records(1)
            .with_topics(vec![fetched.with_partitions(vec![partition])]);
        let answer = client.ask(1, &request);
        assert_eq!(answer.error_code, 0, "{group}");
        let acquired: usize =
            answer.responses.iter().flat_map(|it| &it.partitions).map(|it| it.acquired_records.len()).sum();
        assert_eq!(acquired, epoch as usize, "{group}: what was given out");
        if epoch == 0 {
            // The group begins at the end.
            produce(client, topic);
        }
    }
}

fn produce(client: &mut Client, topic: &StrBytes) {
    let partition = PartitionProduceData::default().with_index(0).with_records(Some(batch(b"value").into()));
    let topic = TopicProduceData::default().with_name(TopicName(topic.clone())).with_partition_data(vec![partition]);
    let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(10_000).with_topic_data(vec![topic]);
    assert_eq!(client.ask(9, &request).responses[0].partition_responses[0].error_code, 0);
}

/// Offsets of a group without members.
fn commit(client: &mut Client, group: &StrBytes, topic: &StrBytes) {
    let partition = OffsetCommitRequestPartition::default().with_partition_index(0).with_committed_offset(0);
    let topic =
        OffsetCommitRequestTopic::default().with_name(TopicName(topic.clone())).with_partitions(vec![partition]);
    let request = OffsetCommitRequest::default().with_group_id(GroupId(group.clone())).with_topics(vec![topic]);
    assert_eq!(client.ask(8, &request).topics[0].partitions[0].error_code, 0, "{group}");
}
