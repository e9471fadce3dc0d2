//! Consumer groups (KIP-848): what is refused, and what a member of one sees.

use thalweg_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use thalweg_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use thalweg_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use thalweg_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use thalweg_protocol::messages::update_features_request::FeatureUpdateKey;
use thalweg_protocol::messages::{
    ApiVersionsRequest, ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, DeleteGroupsRequest,
    DescribeGroupsRequest, GroupId, HeartbeatRequest, JoinGroupRequest, OffsetCommitRequest, OffsetFetchRequest,
    UpdateFeaturesRequest,
};

use crate::asker::{Asker, string, topic_name};

pub fn ask(asker: &mut Asker) {
    asker.create("consumed", 2, &[]);
    refused(asker);
    member(asker);
    strangers(asker);
    static_member(asker);
    turned_off(asker);
}

fn group(asker: &Asker, name: &str) -> GroupId {
    GroupId(string(&asker.name(name)))
}

fn join(asker: &Asker, name: &str, member: &str) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group(asker, name))
        .with_member_id(string(member))
        .with_rebalance_timeout_ms(60_000)
        .with_subscribed_topic_names(Some(vec![topic_name(&asker.name("consumed"))]))
        .with_topic_partitions(Some(Vec::new()))
}

fn beat(asker: &Asker, name: &str, member: &str, epoch: i32) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group(asker, name))
        .with_member_id(string(member))
        .with_member_epoch(epoch)
}

fn refused(asker: &mut Asker) {
    let good = join(asker, "refused", "a");
    let some = TopicPartitions::default().with_partitions(vec![0]);
    let cases = [
        ("without a group", good.clone().with_group_id(GroupId(string("")))),
        ("with a blank group", good.clone().with_group_id(GroupId(string(" ")))),
        ("without a member id", good.clone().with_member_id(string(""))),
        ("with epoch -3", good.clone().with_member_epoch(-3)),
        ("with epoch -2 and no instance", good.clone().with_member_epoch(-2)),
        ("without a rebalance timeout", good.clone().with_rebalance_timeout_ms(-1)),
        ("with partitions", good.clone().with_topic_partitions(Some(vec![some]))),
        ("without a word on partitions", good.clone().with_topic_partitions(None)),
        ("without topics", good.clone().with_subscribed_topic_names(None)),
        ("with an empty instance id", good.clone().with_instance_id(Some(string("")))),
        ("with an empty rack", good.clone().with_rack_id(Some(string("")))),
        ("with an unknown assignor", good.clone().with_server_assignor(Some(string("sticky")))),
        ("with a broken expression", good.clone().with_subscribed_topic_regex(Some(string("(")))),
        ("with epoch 5", good.clone().with_member_epoch(5)),
        ("and leaves", good.clone().with_member_epoch(-1)),
    ];
    for (case, request) in cases {
        asker.ask(&format!("consumer joins an unknown group {case}"), 1, &request);
    }
    let describe = ConsumerGroupDescribeRequest::default();
    asker.ask("describe an unknown consumer group", 1, &describe.clone().with_group_ids(vec![group(asker, "missing")]));
    asker.ask("describe a consumer group without a name", 1, &describe.with_group_ids(vec![GroupId(string(""))]));
}

fn member(asker: &mut Asker) {
    let request = join(asker, "modern", "a");
    asker.ask("consumer joins", 1, &request);
    asker.ask("consumer beats", 1, &beat(asker, "modern", "a", 2));
    asker.ask("consumer beats from the future", 1, &beat(asker, "modern", "a", 3));
    asker.ask("consumer beats unknown", 1, &beat(asker, "modern", "b", 2));
    asker.ask("consumer leaves unknown", 1, &beat(asker, "modern", "b", -1));
    asker.ask("consumer beats as an instance", 1, &beat(asker, "modern", "a", 2).with_instance_id(Some(string("i"))));
    let broken = beat(asker, "modern", "a", 2).with_subscribed_topic_regex(Some(string("[")));
    asker.ask("consumer takes a broken expression", 1, &broken);
    let describe = ConsumerGroupDescribeRequest::default().with_group_ids(vec![group(asker, "modern")]);
    let described = asker.quietly(1, &describe).map(|answer| {
        let group = &answer.groups[0];
        let counts = (group.group_epoch, group.assignment_epoch, group.members.len());
        (group.error_code, group.group_state.to_string(), group.assignor_name.to_string(), counts)
    });
    asker.note("describe a consumer group", &described);
    let classic = DescribeGroupsRequest::default().with_groups(vec![group(asker, "modern")]);
    asker.ask("describe a consumer group as a classic one", 6, &classic);
    asker.ask("describe a consumer group as a classic one, version 5", 5, &classic);
    let delete = DeleteGroupsRequest::default().with_groups_names(vec![group(asker, "modern")]);
    asker.ask("delete a consumer group that has members", 2, &delete);
}

/// The classic APIs, and offsets, of a consumer group.
fn strangers(asker: &mut Asker) {
    let known = asker.name("consumed");
    let commit = |member: &str, epoch, group: GroupId| {
        let partition = OffsetCommitRequestPartition::default().with_partition_index(0).with_committed_offset(5);
        let topic = OffsetCommitRequestTopic::default().with_name(topic_name(&known)).with_partitions(vec![partition]);
        OffsetCommitRequest::default()
            .with_group_id(group)
            .with_member_id(string(member))
            .with_generation_id_or_member_epoch(epoch)
            .with_topics(vec![topic])
    };
    for (case, member, epoch, version) in [
        ("by the member", "a", 2, 9),
        ("by the member in an old version", "a", 2, 8),
        ("of the future", "a", 3, 9),
        ("of the past", "a", 1, 9),
        ("by nobody", "", -1, 9),
        ("by a stranger", "b", 2, 9),
    ] {
        let request = commit(member, epoch, group(asker, "modern"));
        asker.ask(&format!("commit to a consumer group {case}"), version, &request);
    }
    for (case, member, epoch) in [
        ("by the member", Some("a"), 2),
        ("of the past", Some("a"), 1),
        ("by a stranger", Some("b"), 2),
        ("by nobody", None, -1),
    ] {
        let topic = OffsetFetchRequestTopics::default().with_name(topic_name(&known)).with_partition_indexes(vec![0]);
        let wanted = OffsetFetchRequestGroup::default()
            .with_group_id(group(asker, "modern"))
            .with_member_id(member.map(string))
            .with_member_epoch(epoch)
            .with_topics(Some(vec![topic]));
        let request = OffsetFetchRequest::default().with_groups(vec![wanted]);
        asker.ask(&format!("committed to a consumer group, asked {case}"), 9, &request);
    }
    let heartbeat = HeartbeatRequest::default().with_group_id(group(asker, "modern")).with_member_id(string("a"));
    asker.ask("classic heartbeat of a consumer", 4, &heartbeat.with_generation_id(2));
    let metadata = bytes::Bytes::from_static(&[0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    let protocol = JoinGroupRequestProtocol::default().with_name(string("range")).with_metadata(metadata);
    let request = JoinGroupRequest::default()
        .with_group_id(group(asker, "modern"))
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(1000)
        .with_protocol_type(string("connect"))
        .with_protocols(vec![protocol]);
    let answer = asker.quietly(7, &request).map(|answer| (answer.error_code, answer.generation_id));
    asker.note("join a consumer group as something else", &answer);
}

fn static_member(asker: &mut Asker) {
    let instance = Some(string("i"));
    let first = join(asker, "static", "a").with_instance_id(instance.clone());
    asker.ask("static consumer joins", 1, &first);
    let second = join(asker, "static", "b").with_instance_id(instance.clone());
    asker.ask("static consumer's place is taken", 1, &second);
    asker.ask("static consumer beats as another", 1, &beat(asker, "static", "b", 2).with_instance_id(instance.clone()));
    asker.ask("static consumer leaves for now", 1, &beat(asker, "static", "a", -2).with_instance_id(instance.clone()));
    asker.ask("static consumer beats after that", 1, &beat(asker, "static", "a", 2).with_instance_id(instance.clone()));
    asker.ask("static consumer's place is free", 1, &second);
    asker.ask("static consumer leaves", 1, &beat(asker, "static", "b", -1).with_instance_id(instance));
}

/// `group.version` 0, as far as such a cluster can go back.
fn turned_off(asker: &mut Asker) {
    let joined = asker.quietly(1, &join(asker, "turned-off", "a")).unwrap();
    assert_eq!(joined.error_code, 0, "{joined:?}");
    set_level(asker, 0);
    asker.ask("consumer beats, turned off", 1, &beat(asker, "turned-off", "a", joined.member_epoch));
    let describe = ConsumerGroupDescribeRequest::default().with_group_ids(vec![group(asker, "turned-off")]);
    let described = asker.quietly(1, &describe).map(|answer| answer.groups[0].error_code);
    asker.note("describe a consumer group, turned off", &described);
    set_level(asker, 1);
    let beaten = asker.quietly(1, &beat(asker, "turned-off", "a", joined.member_epoch)).map(|answer| answer.error_code);
    asker.note("consumer beats, turned on again", &beaten);
}

/// Kafka answers before it knows itself.
fn set_level(asker: &mut Asker, level: i16) {
    let update = FeatureUpdateKey::default()
        .with_feature(string("group.version"))
        .with_max_version_level(level)
        .with_upgrade_type(if level == 0 { 2 } else { 1 });
    let request = UpdateFeaturesRequest::default().with_feature_updates(vec![update]).with_timeout_ms(10_000);
    let answer = asker.quietly(1, &request).unwrap();
    assert_eq!(answer.error_code, 0, "{answer:?}");
    let versions = ApiVersionsRequest::default()
        .with_client_software_name(string("answers"))
        .with_client_software_version(string("1"));
    let deadline = std::time::Instant::now() + crate::wire::PATIENCE;
    loop {
        let answer = asker.quietly(4, &versions).unwrap();
        let found = answer.finalized_features.iter().find(|feature| &*feature.name == "group.version");
        if found.map_or(0, |feature| feature.max_version_level) == level {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "group.version does not become {level}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
