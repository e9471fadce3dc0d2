//! Groups of all kinds, from their first member to their end.

use bytes::{BufMut as _, Bytes, BytesMut};
use thalweg_protocol::StrBytes;
use thalweg_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use thalweg_protocol::messages::leave_group_request::MemberIdentity;
use thalweg_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use thalweg_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use thalweg_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use thalweg_protocol::messages::{
    ConsumerGroupHeartbeatRequest, DeleteGroupsRequest, GroupId, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest,
    OffsetCommitRequest, OffsetDeleteRequest, ShareGroupHeartbeatRequest, SyncGroupRequest,
};

use super::{Actor, LOADING, TOPIC, string};

const MEMBER_ID_REQUIRED: i16 = 79;

pub(super) fn act(actor: &mut Actor) {
    classic(actor);
    static_member(actor);
    simple(actor);
    consumer(actor);
    upgraded(actor);
    share(actor);
}

fn group(name: &str) -> GroupId {
    GroupId(string(name))
}

fn subscription() -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(0);
    bytes.put_i32(1);
    bytes.put_i16(TOPIC.len() as i16);
    bytes.put_slice(TOPIC.as_bytes());
    bytes.put_i32(-1);
    bytes.freeze()
}

fn assignment() -> Bytes {
    let mut bytes = BytesMut::from(&subscription()[..]);
    bytes.truncate(bytes.len() - 4);
    bytes.put_slice(&[0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1]);
    bytes.put_i32(-1);
    bytes.freeze()
}

fn join_request(name: &str, member: StrBytes, instance: Option<&str>) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default().with_name(string("range")).with_metadata(subscription());
    JoinGroupRequest::default()
        .with_group_id(group(name))
        .with_member_id(member)
        .with_group_instance_id(instance.map(string))
        .with_session_timeout_ms(30_000)
        .with_rebalance_timeout_ms(40_000)
        .with_protocol_type(string("consumer"))
        .with_protocols(vec![protocol])
}

/// Joins as the only member, and is synced; member and generation.
fn join(actor: &mut Actor, name: &str, member: StrBytes, instance: Option<&str>) -> (StrBytes, i32) {
    let mut request = join_request(name, member, instance);
    let mut joined = actor.until(7, &request, |answer| !LOADING.contains(&answer.error_code));
    if joined.error_code == MEMBER_ID_REQUIRED {
        request.member_id = joined.member_id;
        joined = actor.client.ask(7, &request);
    }
    assert_eq!(joined.error_code, 0, "{joined:?}");
    let mine =
        SyncGroupRequestAssignment::default().with_member_id(joined.member_id.clone()).with_assignment(assignment());
    let sync = SyncGroupRequest::default()
        .with_group_id(group(name))
        .with_member_id(joined.member_id.clone())
        .with_group_instance_id(instance.map(string))
        .with_generation_id(joined.generation_id)
        .with_assignments(vec![mine]);
    let synced = actor.client.ask(4, &sync);
    assert_eq!(synced.error_code, 0, "{synced:?}");
    (joined.member_id, joined.generation_id)
}

fn leave(actor: &mut Actor, name: &str, member: StrBytes, instance: Option<&str>) {
    let member = MemberIdentity::default().with_member_id(member).with_group_instance_id(instance.map(string));
    let request = LeaveGroupRequest::default().with_group_id(group(name)).with_members(vec![member]);
    assert_eq!(actor.client.ask(4, &request).members[0].error_code, 0);
}

/// Commits an offset for both partitions.
fn commit(actor: &mut Actor, name: &str, member: StrBytes, generation: i32, offset: i64) {
    let partition = |index| {
        OffsetCommitRequestPartition::default()
            .with_partition_index(index)
            .with_committed_offset(offset + i64::from(index))
            .with_committed_leader_epoch(if index == 0 { 0 } else { -1 })
            .with_committed_metadata(Some(string("note")))
    };
    let topic = OffsetCommitRequestTopic::default()
        .with_name(string(TOPIC).into())
        .with_partitions(vec![partition(0), partition(1)]);
    let request = OffsetCommitRequest::default()
        .with_group_id(group(name))
        .with_member_id(member)
        .with_generation_id_or_member_epoch(generation)
        .with_topics(vec![topic]);
    let all = |code| {
        move |answer: &thalweg_protocol::messages::OffsetCommitResponse| {
            answer.topics[0].partitions.iter().all(|partition| partition.error_code == code)
        }
    };
    actor.until(9, &request, all(0));
}

fn delete(actor: &mut Actor, name: &str) {
    let request = DeleteGroupsRequest::default().with_groups_names(vec![group(name)]);
    let deleted = actor.client.ask(2, &request);
    assert_eq!(deleted.results[0].error_code, 0, "{deleted:?}");
}

fn classic(actor: &mut Actor) {
    let (member, generation) = join(actor, "classic", string(""), None);
    commit(actor, "classic", member.clone(), generation, 5);
    let (member, generation) = join(actor, "classic", member, None);
    commit(actor, "classic", member.clone(), generation, 7);
    leave(actor, "classic", member, None);
    let partition = OffsetDeleteRequestPartition::default().with_partition_index(1);
    let topic = OffsetDeleteRequestTopic::default().with_name(string(TOPIC).into()).with_partitions(vec![partition]);
    let forget = OffsetDeleteRequest::default().with_group_id(group("classic")).with_topics(vec![topic]);
    assert_eq!(actor.client.ask(0, &forget).topics[0].partitions[0].error_code, 0);
    delete(actor, "classic");
}

/// An instance whose place is taken by another member.
fn static_member(actor: &mut Actor) {
    let (first, _) = join(actor, "static", string(""), Some("i"));
    let taken = actor.client.ask(7, &join_request("static", string(""), Some("i")));
    assert!(taken.error_code == 0 && taken.member_id != first, "{taken:?}");
    leave(actor, "static", taken.member_id, Some("i"));
}

/// Offsets without members.
fn simple(actor: &mut Actor) {
    commit(actor, "simple", string(""), -1, 11);
    delete(actor, "simple");
    commit(actor, "simple", string(""), -1, 12);
}

fn beat(name: &str, member: &str, epoch: i32) -> ConsumerGroupHeartbeatRequest {
    let request = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group(name))
        .with_member_id(string(member))
        .with_member_epoch(epoch);
    if epoch != 0 {
        return request;
    }
    request
        .with_rebalance_timeout_ms(60_000)
        .with_subscribed_topic_names(Some(vec![string(TOPIC).into()]))
        .with_topic_partitions(Some(Vec::new()))
}

/// Beats, saying that nothing but these partitions are held; the epoch.
fn owns(actor: &mut Actor, name: &str, member: &str, epoch: i32, partitions: &[i32]) -> i32 {
    let held = thalweg_protocol::messages::consumer_group_heartbeat_request::TopicPartitions::default()
        .with_topic_id(actor.topic_id)
        .with_partitions(partitions.to_vec());
    let held = if partitions.is_empty() { Vec::new() } else { vec![held] };
    let answer = actor.client.ask(1, &beat(name, member, epoch).with_topic_partitions(Some(held)));
    assert_eq!(answer.error_code, 0, "{answer:?}");
    answer.member_epoch
}

/// A group of KIP-848: two members, one of them an instance that is away for a while.
fn consumer(actor: &mut Actor) {
    let first = actor.client.ask(1, &beat("modern", "m1", 0).with_rack_id(Some(string("rack"))));
    assert_eq!(first.error_code, 0, "{first:?}");
    let mut epoch = owns(actor, "modern", "m1", first.member_epoch, &[0, 1]);
    commit(actor, "modern", string("m1"), epoch, 21);
    let second = actor.client.ask(1, &beat("modern", "m2", 0).with_instance_id(Some(string("i"))));
    assert_eq!(second.error_code, 0, "{second:?}");
    let mut other = second.member_epoch;
    // The first one gives a partition away, the second one takes it.
    epoch = owns(actor, "modern", "m1", epoch, &[0, 1]);
    epoch = owns(actor, "modern", "m1", epoch, &[0]);
    other = owns(actor, "modern", "m2", other, &[]);
    let _ = owns(actor, "modern", "m2", other, &[1]);
    let away = actor.client.ask(1, &beat("modern", "m2", -2).with_instance_id(Some(string("i"))));
    assert_eq!((away.error_code, away.member_epoch), (0, -2), "{away:?}");
    let back = actor.client.ask(1, &beat("modern", "m3", 0).with_instance_id(Some(string("i"))));
    assert_eq!(back.error_code, 0, "{back:?}");
    let gone = actor.client.ask(1, &beat("modern", "m3", -1).with_instance_id(Some(string("i"))));
    assert_eq!(gone.error_code, 0, "{gone:?}");
    epoch = owns(actor, "modern", "m1", epoch, &[0]);
    owns(actor, "modern", "m1", epoch, &[0, 1]);
    assert_eq!(actor.client.ask(1, &beat("modern", "m1", -1)).error_code, 0);
    delete(actor, "modern");
}

/// A classic group that becomes a consumer group with its first such member, and a classic one again with its last.
fn upgraded(actor: &mut Actor) {
    let (classic, generation) = join(actor, "mixed", string(""), None);
    commit(actor, "mixed", classic.clone(), generation, 31);
    let modern = actor.client.ask(1, &beat("mixed", "m1", 0));
    assert_eq!(modern.error_code, 0, "{modern:?}");
    let beats = HeartbeatRequest::default()
        .with_group_id(group("mixed"))
        .with_member_id(classic.clone())
        .with_generation_id(generation);
    // It hears that it has to join again.
    actor.until(4, &beats, |answer| answer.error_code == 27);
    assert_eq!(actor.client.ask(1, &beat("mixed", "m1", -1)).error_code, 0);
    leave(actor, "mixed", classic, None);
}

fn share(actor: &mut Actor) {
    let beat = |member: &str, epoch: i32| {
        let request = ShareGroupHeartbeatRequest::default()
            .with_group_id(group("shared"))
            .with_member_id(string(member))
            .with_member_epoch(epoch);
        if epoch == 0 { request.with_subscribed_topic_names(Some(vec![string(TOPIC).into()])) } else { request }
    };
    let first = actor.client.ask(1, &beat("s1", 0));
    assert_eq!(first.error_code, 0, "{first:?}");
    assert_eq!(actor.client.ask(1, &beat("s1", first.member_epoch)).error_code, 0);
    assert_eq!(actor.client.ask(1, &beat("s1", -1)).error_code, 0);
}
