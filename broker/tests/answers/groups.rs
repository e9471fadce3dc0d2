//! The group APIs, asked by nobody's member.

use bytes::Bytes;
use thalweg_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use thalweg_protocol::messages::leave_group_request::MemberIdentity;
use thalweg_protocol::messages::metadata_request::MetadataRequestTopic;
use thalweg_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use thalweg_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use thalweg_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use thalweg_protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, FindCoordinatorRequest, GroupId, HeartbeatRequest, JoinGroupRequest,
    LeaveGroupRequest, MetadataRequest, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, SyncGroupRequest,
};
use uuid::Uuid;

use crate::asker::{Asker, string};

pub fn ask(asker: &mut Asker) {
    asker.create("grouped", 1, &[]);
    coordinator(asker);
    joins(asker);
    strangers(asker);
    offsets(asker);
}

fn group(asker: &Asker, name: &str) -> GroupId {
    GroupId(string(&asker.name(name)))
}

fn coordinator(asker: &mut Asker) {
    let key = asker.name("group");
    let request = |kind, keys: &[&str]| {
        let keys = keys.iter().map(|key| string(key)).collect();
        FindCoordinatorRequest::default().with_key_type(kind).with_coordinator_keys(keys)
    };
    // Kafka makes the topic of the groups at the first question.
    let deadline = std::time::Instant::now() + crate::wire::PATIENCE;
    while asker.quietly(4, &request(0, &[&key])).unwrap().coordinators[0].error_code != 0 {
        assert!(std::time::Instant::now() < deadline, "no coordinator");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    for (case, kind, keys) in
        [("type 9", 9, vec![key.as_str()]), ("no group", 0, vec![]), ("a group without a name", 0, vec![""])]
    {
        let answer = asker.quietly(4, &request(kind, &keys)).map(|answer| {
            answer.coordinators.iter().map(|found| (found.error_code, found.node_id.0 >= 0)).collect::<Vec<_>>()
        });
        asker.note(&format!("coordinator of {case}"), &answer);
    }
}

fn joins(asker: &mut Asker) {
    let request = |group: GroupId| {
        let metadata = Bytes::from_static(&[0; 8]);
        let protocol = JoinGroupRequestProtocol::default().with_name(string("range")).with_metadata(metadata);
        JoinGroupRequest::default()
            .with_group_id(group)
            .with_session_timeout_ms(10_000)
            .with_rebalance_timeout_ms(1000)
            .with_protocol_type(string("consumer"))
            .with_protocols(vec![protocol])
    };
    let new = group(asker, "joined");
    let cases = [
        ("without a group", request(GroupId(string("")))),
        ("with a session timeout of 0", request(new.clone()).with_session_timeout_ms(0)),
        ("with the longest session timeout", request(new.clone()).with_session_timeout_ms(i32::MAX)),
        ("without protocols", request(new.clone()).with_protocols(Vec::new())),
        ("without a protocol type", request(new.clone()).with_protocol_type(string(""))),
        ("as a member that is not known", request(new.clone()).with_member_id(string("nobody"))),
        ("with an empty instance id", request(new).with_group_instance_id(Some(string("")))),
    ];
    for (case, request) in cases {
        let answer = asker.quietly(7, &request).map(|answer| {
            (
                answer.error_code,
                answer.generation_id,
                answer.protocol_type,
                answer.protocol_name,
                answer.leader,
                answer.member_id.is_empty(),
            )
        });
        asker.note(&format!("join {case}"), &answer);
    }
}

fn strangers(asker: &mut Asker) {
    for (case, group) in [("an unknown group", group(asker, "missing")), ("no group", GroupId(string("")))] {
        let nobody = string("nobody");
        let request = HeartbeatRequest::default().with_group_id(group.clone()).with_member_id(nobody.clone());
        asker.ask(&format!("heartbeat to {case}"), 4, &request);
        let request = SyncGroupRequest::default().with_group_id(group.clone()).with_member_id(nobody.clone());
        asker.ask(&format!("sync with {case}"), 4, &request);
        let member = MemberIdentity::default().with_member_id(nobody.clone());
        let request = LeaveGroupRequest::default().with_group_id(group.clone());
        asker.ask(&format!("leave {case}"), 4, &request.clone().with_members(vec![member]));
        asker.ask(&format!("leave {case} with nobody"), 4, &request);
        let request = DescribeGroupsRequest::default().with_groups(vec![group.clone()]);
        asker.ask(&format!("describe {case}"), 5, &request);
        asker.ask(&format!("describe {case}, version 6"), 6, &request);
        asker.ask(&format!("delete {case}"), 2, &DeleteGroupsRequest::default().with_groups_names(vec![group]));
    }
}

/// Topics by id, from version 10 on.
fn by_id(asker: &mut Asker, ours: &GroupId) {
    let metadata = MetadataRequest::default()
        .with_topics(Some(vec![MetadataRequestTopic::default().with_name(Some(asker.topic("grouped")))]));
    let known = asker.quietly(12, &metadata).unwrap().topics[0].topic_id;
    let partition =
        |index| OffsetCommitRequestPartition::default().with_partition_index(index).with_committed_offset(7);
    let topic =
        |id| OffsetCommitRequestTopic::default().with_topic_id(id).with_partitions(vec![partition(0), partition(9)]);
    let request = |topics| {
        OffsetCommitRequest::default()
            .with_group_id(ours.clone())
            .with_generation_id_or_member_epoch(-1)
            .with_topics(topics)
    };
    let unknown = Uuid::from_u128(77);
    asker.ask("commit by id", 10, &request(vec![topic(known)]));
    asker.ask("commit by an unknown id", 10, &request(vec![topic(unknown), topic(Uuid::nil())]));
    asker.ask("commit by a known and an unknown id", 10, &request(vec![topic(unknown), topic(known)]));
    let wrong = request(vec![topic(unknown), topic(known)]).with_member_id(string("nobody"));
    asker.ask("commit by id, by nobody", 10, &wrong.with_generation_id_or_member_epoch(3));
    let fetch = |ids: Option<&[Uuid]>| {
        let topics = ids.map(|ids| {
            let topic =
                |id: &Uuid| OffsetFetchRequestTopics::default().with_topic_id(*id).with_partition_indexes(vec![0, 9]);
            ids.iter().map(topic).collect()
        });
        let group = OffsetFetchRequestGroup::default().with_group_id(ours.clone()).with_topics(topics);
        OffsetFetchRequest::default().with_groups(vec![group])
    };
    asker.ask("committed, by id", 10, &fetch(Some(&[known])));
    asker.ask("committed, by an unknown id", 10, &fetch(Some(&[unknown])));
    asker.ask("committed, by both", 10, &fetch(Some(&[unknown, known])));
    asker.ask("committed, all, by id", 10, &fetch(None));
}

fn offsets(asker: &mut Asker) {
    let commit = |group: GroupId, topic: &str, index, metadata: &str| {
        let partition = OffsetCommitRequestPartition::default().with_partition_index(index).with_committed_offset(5);
        let partition = partition.with_committed_metadata(Some(string(metadata)));
        let topic = OffsetCommitRequestTopic::default().with_name(crate::asker::topic_name(topic));
        let topic = topic.with_partitions(vec![partition]);
        OffsetCommitRequest::default()
            .with_group_id(group)
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![topic])
    };
    let (known, missing) = (asker.name("grouped"), asker.name("missing"));
    let ours = group(asker, "commits");
    let long = "x".repeat(5000);
    let cases = [
        ("nothing wrong", commit(ours.clone(), &known, 0, "")),
        ("an unknown topic", commit(ours.clone(), &missing, 0, "")),
        ("an unknown partition", commit(ours.clone(), &known, 9, "")),
        ("long metadata", commit(ours.clone(), &known, 0, &long)),
        ("no group", commit(GroupId(string("")), &known, 0, "")),
        ("a generation", commit(ours.clone(), &known, 0, "").with_generation_id_or_member_epoch(3)),
        ("a member", commit(ours.clone(), &known, 0, "").with_member_id(string("nobody"))),
    ];
    for (case, request) in cases {
        asker.ask(&format!("commit with {case}"), 8, &request);
    }
    let fetch = |group: GroupId, names: Option<&[&str]>| {
        let topics = names.map(|names| {
            let topic = |name: &&str| {
                let topic = OffsetFetchRequestTopics::default().with_name(crate::asker::topic_name(name));
                topic.with_partition_indexes(vec![0, 9])
            };
            names.iter().map(topic).collect()
        });
        let group = OffsetFetchRequestGroup::default().with_group_id(group).with_topics(topics);
        OffsetFetchRequest::default().with_groups(vec![group])
    };
    asker.ask("committed, of two topics", 8, &fetch(ours.clone(), Some(&[&known, &missing])));
    asker.ask("committed, all", 8, &fetch(ours.clone(), None));
    asker.ask("committed by an unknown group", 8, &fetch(group(asker, "missing"), Some(&[&known])));
    asker.ask("committed by an unknown group, all", 8, &fetch(group(asker, "missing"), None));
    asker.ask("committed by no group", 8, &fetch(GroupId(string("")), Some(&[&known])));
    by_id(asker, &ours);
    let forget = |group: GroupId, topic: &str, index| {
        let partition = OffsetDeleteRequestPartition::default().with_partition_index(index);
        let topic = OffsetDeleteRequestTopic::default().with_name(crate::asker::topic_name(topic));
        OffsetDeleteRequest::default().with_group_id(group).with_topics(vec![topic.with_partitions(vec![partition])])
    };
    for (case, request) in [
        ("an unknown group", forget(group(asker, "missing"), &known, 0)),
        ("no group", forget(GroupId(string("")), &known, 0)),
        ("an unknown topic", forget(ours.clone(), &missing, 0)),
        ("an unknown partition", forget(ours.clone(), &known, 9)),
        ("a partition", forget(ours, &known, 0)),
    ] {
        asker.ask(&format!("forget the offset of {case}"), 0, &request);
    }
}
