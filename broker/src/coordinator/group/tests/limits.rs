//! What a client may ask for.

use bytes::Bytes;
use thalweg_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use thalweg_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use thalweg_protocol::messages::{GroupId, JoinGroupRequest, OffsetFetchRequest, TopicName};
use thalweg_protocol::{StrBytes, TimestampMs};

use crate::coordinator::group::limits::{INSTANCE_ID_LENGTH_MAX, MEMBER_METADATA_SIZE_MAX_BYTES, MEMBER_PROTOCOLS_MAX};
use crate::coordinator::group::{Caller, Effect, ErrorCode, GroupConfig, GroupShard, ReplyToken, Response, wire};

const NOW: TimestampMs = TimestampMs(1);

fn caller() -> Caller {
    Caller { token: ReplyToken(1), version: 9, client_id: StrBytes::default(), client_host: StrBytes::default() }
}

fn request(group: &str, protocols: usize, metadata: usize) -> JoinGroupRequest {
    let protocol = |number| {
        JoinGroupRequestProtocol::default()
            .with_name(StrBytes::from_string(format!("p{number}")))
            .with_metadata(Bytes::from(vec![0; metadata]))
    };
    JoinGroupRequest::default()
        .with_group_id(GroupId(StrBytes::from_string(group.to_owned())))
        .with_session_timeout_ms(10_000)
        .with_protocol_type(StrBytes::from_static_str("consumer"))
        .with_protocols((0..protocols).map(protocol).collect())
}

fn join_code(request: &JoinGroupRequest) -> (ErrorCode, usize) {
    let mut shard = GroupShard::new(GroupConfig::default(), 3);
    shard.loaded(NOW);
    let effects = shard.join(request, &caller(), NOW);
    let [Effect::Reply { response, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    let Response::JoinGroup(response) = response.as_ref() else { panic!("{response:?}") };
    (ErrorCode::from_code(response.error_code).unwrap(), shard.groups_count())
}

#[test]
fn sizes_meet_their_limit_before_anything_is_kept() {
    assert_eq!(join_code(&request("g", 1, 10)), (ErrorCode::MemberIdRequired, 1));
    assert_eq!(join_code(&request(&"g".repeat(32_767), 1, 10)), (ErrorCode::MemberIdRequired, 1));
    assert_eq!(join_code(&request(&"g".repeat(32_768), 1, 10)), (ErrorCode::InvalidGroupId, 0));
    assert_eq!(join_code(&request("g", MEMBER_PROTOCOLS_MAX + 1, 0)), (ErrorCode::InvalidRequest, 0));
    assert_eq!(join_code(&request("g", 1, MEMBER_METADATA_SIZE_MAX_BYTES)), (ErrorCode::InvalidRequest, 0));
    let instance = StrBytes::from_string("i".repeat(INSTANCE_ID_LENGTH_MAX + 1));
    assert_eq!(join_code(&request("g", 1, 1).with_group_instance_id(Some(instance))), (ErrorCode::InvalidRequest, 0));
}

#[test]
fn an_old_offset_fetch_becomes_one_group_and_back() {
    let topic = OffsetFetchRequestTopic::default()
        .with_name(TopicName(StrBytes::from_static_str("t")))
        .with_partition_indexes(vec![3]);
    let request = OffsetFetchRequest::default()
        .with_group_id(GroupId(StrBytes::from_static_str("g")))
        .with_topics(Some(vec![topic]));
    let asked = wire::fetched_groups(&request, 1);
    let mut shard = GroupShard::new(GroupConfig::default(), 3);
    let effects = shard.fetch(&asked[0], false, &caller(), NOW);
    let [Effect::Reply { response, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    let Response::OffsetFetch(answer) = response.as_ref() else { panic!("{response:?}") };
    // The shard is still loading: version 1 can only say so of each partition.
    let old = wire::fetch_response(&asked, vec![answer.clone()], 1);
    assert_eq!(old.topics[0].partitions[0].error_code, ErrorCode::CoordinatorLoadInProgress.code());
    let newer = wire::fetch_response(&asked, vec![answer.clone()], 7);
    assert_eq!((newer.error_code, newer.topics.len()), (ErrorCode::CoordinatorLoadInProgress.code(), 0));
    let newest = wire::fetch_response(&asked, vec![answer.clone()], 8);
    assert_eq!(newest.groups[0].error_code, ErrorCode::CoordinatorLoadInProgress.code());
}

#[test]
fn damaged_logs_are_refused() {
    let mut shard = GroupShard::new(GroupConfig::default(), 3);
    assert!(shard.load(&[0; 40]).is_err(), "less than a batch");
    assert!(shard.load(&[0xFF; 200]).is_err(), "no batch");
    assert!(shard.load(&[]).is_ok());
}
