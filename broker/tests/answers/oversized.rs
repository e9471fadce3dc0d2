//! More members, topics and expressions than there may be. `group.max.size` and `group.consumer.max.size` are 2 here.

use thalweg_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use thalweg_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, GroupId, JoinGroupResponse, LeaveGroupRequest,
    OffsetCommitRequest, leave_group_request, sync_group_request,
};
use thalweg_protocol::{Decodable as _, StrBytes};

use crate::asker::{Asker, string, topic_name};
use crate::wire::{Client, PATIENCE, Reply, frame, request_bytes};
use crate::zombies::{Member, join_request, subscription};

const TOPIC: &str = "crowded";
const JOIN: i16 = 7;

pub fn ask(asker: &mut Asker) {
    asker.create(TOPIC, 2, &[]);
    classic(asker);
    consumer(asker);
    many_topics(asker);
    many_topics_classic(asker);
    expressions(asker);
    many_offsets(asker);
}

fn joined(client: &mut Client) -> JoinGroupResponse {
    match client.reply(PATIENCE) {
        Reply::Answer(mut answer) => {
            drop(answer.split_to(5));
            JoinGroupResponse::decode(&mut answer, JOIN).unwrap()
        }
        other => panic!("{other:?} where a join should be answered"),
    }
}

/// Two members fill the group; a third is sent away.
fn classic(asker: &mut Asker) {
    let first = Member::alone(asker, "crowd", None);
    let mine = subscription(&[asker.name("haunted")]);
    let mut request = join_request(&first.group, "", mine.clone());
    let answer = asker.quietly(JOIN, &request).unwrap();
    asker.note("a second member asks", &Some(answer.error_code));
    request.member_id = answer.member_id;
    // Nobody is answered before all have joined: the second one asks on a connection of its own.
    let mut other = Client::connect(asker.bootstrap());
    assert!(other.send(&frame(&request_bytes(JOIN, &request))));
    let again = join_request(&first.group, &first.id, mine.clone());
    await_rebalance(asker, &first);
    let answer = asker.quietly(JOIN, &again).unwrap();
    let second = joined(&mut other);
    assert_eq!((answer.error_code, second.error_code), (0, 0));
    let well = Member { generation: answer.generation_id, ..first };
    well.sync(asker);
    let member = Member { group: well.group.clone(), id: second.member_id, ..well_copy(&well) };
    let sync = sync_group_request::SyncGroupRequest::default()
        .with_group_id(member.group.clone())
        .with_member_id(member.id.clone())
        .with_generation_id(member.generation)
        .with_protocol_type(Some(string("consumer")))
        .with_protocol_name(Some(string("range")));
    assert_eq!(asker.quietly(5, &sync).unwrap().error_code, 0);
    let before = (well.look(asker), member.look(asker));
    for version in [2, 3, 4, 9] {
        let answer = asker.quietly(version, &join_request(&well.group, "", mine.clone()));
        let answer = answer.map(|answer| (answer.error_code, answer.generation_id, answer.member_id.is_empty()));
        asker.note(&format!("a third member asks, version {version}"), &answer);
    }
    let instance = join_request(&well.group, "", mine).with_group_instance_id(Some(string("third")));
    let answer = asker.quietly(JOIN, &instance).map(|answer| (answer.error_code, answer.generation_id));
    asker.note("a third member asks as an instance", &answer);
    let modern = heartbeat(asker, "crowd", "third", 0).with_subscribed_topic_names(Some(vec![asker.topic(TOPIC)]));
    asker.ask("a third member asks as a consumer", 1, &modern);
    assert_eq!((well.look(asker), member.look(asker)), before);
    let leaving = |id: &StrBytes| leave_group_request::MemberIdentity::default().with_member_id(id.clone());
    let leave = LeaveGroupRequest::default().with_group_id(well.group.clone());
    asker.ask("both leave", 4, &leave.with_members(vec![leaving(&well.id), leaving(&member.id)]));
}

fn well_copy(member: &Member) -> Member {
    Member { group: member.group.clone(), id: member.id.clone(), generation: member.generation, instance: None }
}

/// A heartbeat tells of it as soon as somebody else has joined.
fn await_rebalance(asker: &mut Asker, member: &Member) {
    let request = thalweg_protocol::messages::HeartbeatRequest::default()
        .with_group_id(member.group.clone())
        .with_member_id(member.id.clone())
        .with_generation_id(member.generation);
    let deadline = std::time::Instant::now() + PATIENCE;
    while asker.quietly(4, &request).unwrap().error_code != 27 {
        assert!(std::time::Instant::now() < deadline, "nobody joins");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn heartbeat(asker: &Asker, group: &str, member: &str, epoch: i32) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest::default()
        .with_group_id(GroupId(string(&asker.name(group))))
        .with_member_id(string(member))
        .with_member_epoch(epoch)
        .with_rebalance_timeout_ms(if epoch == 0 { 60_000 } else { -1 })
        .with_topic_partitions((epoch == 0).then(Vec::new))
}

fn describe(asker: &mut Asker, group: &str) -> String {
    let group = GroupId(string(&asker.name(group)));
    let request = ConsumerGroupDescribeRequest::default().with_group_ids(vec![group]);
    format!("{:?}", asker.quietly(1, &request).unwrap())
}

fn consumer(asker: &mut Asker) {
    let topics = Some(vec![asker.topic(TOPIC)]);
    let join = |asker: &Asker, member: &str| {
        heartbeat(asker, "crowd-of-consumers", member, 0).with_subscribed_topic_names(topics.clone())
    };
    for member in ["a", "b"] {
        let request = join(asker, member);
        assert_eq!(asker.quietly(1, &request).unwrap().error_code, 0);
    }
    let before = describe(asker, "crowd-of-consumers");
    let third = join(asker, "c");
    asker.ask("a third consumer joins", 1, &third);
    asker.ask("a third consumer joins as an instance", 1, &third.clone().with_instance_id(Some(string("i"))));
    let classic = subscription(&[asker.name(TOPIC)]);
    let classic = join_request(&third.group_id, "", classic);
    let answer = asker.quietly(JOIN, &classic).map(|answer| (answer.error_code, answer.generation_id));
    asker.note("a third consumer joins as a classic member", &answer);
    assert_eq!(describe(asker, "crowd-of-consumers"), before);
    for member in ["a", "b"] {
        asker.ask("one of two consumers leaves", 1, &heartbeat(asker, "crowd-of-consumers", member, -1));
    }
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{number:0>249}")).collect()
}

/// Thousands of topics that do not exist, and more of them than a record can hold.
fn many_topics(asker: &mut Asker) {
    let mine = Some(vec![asker.topic(TOPIC)]);
    let join = heartbeat(asker, "topics", "well", 0).with_subscribed_topic_names(mine);
    let mut epoch = asker.quietly(1, &join).unwrap().member_epoch;
    let many = |count| Some(names(count).iter().map(|name| topic_name(name)).collect());
    for count in [3_000, 6_000] {
        let request = heartbeat(asker, "topics", "greedy", 0).with_subscribed_topic_names(many(count));
        let answer = asker.quietly(1, &request).map(|answer| (answer.error_code, answer.member_epoch > 0));
        asker.note(&format!("a consumer subscribes to {count} topics"), &answer);
        if answer.is_some_and(|(code, _)| code == 0) {
            let left = heartbeat(asker, "topics", "greedy", -1);
            asker.ask("the greedy one leaves", 1, &left);
        } else {
            assert!(!describe(asker, "topics").contains("greedy"), "the greedy one was refused");
        }
        let answer = asker.quietly(1, &heartbeat(asker, "topics", "well", epoch)).unwrap();
        assert_eq!(answer.error_code, 0, "the other consumer goes on");
        epoch = answer.member_epoch;
    }
    let twice = Some(vec![asker.topic(TOPIC); 1000]);
    let request = heartbeat(asker, "topics-twice", "well", 0).with_subscribed_topic_names(twice);
    let answer = asker.quietly(1, &request).map(|answer| (answer.error_code, answer.member_epoch));
    asker.note("a consumer subscribes to one topic a thousand times", &answer);
    let odd = Some(vec![topic_name(""), topic_name("a b"), topic_name(&"n".repeat(300))]);
    let request = heartbeat(asker, "topics-odd", "well", 0).with_subscribed_topic_names(odd);
    let answer = asker.quietly(1, &request).map(|answer| (answer.error_code, answer.member_epoch));
    asker.note("a consumer subscribes to names that no topic can have", &answer);
}

fn many_topics_classic(asker: &mut Asker) {
    for count in [3_000, 6_000] {
        let group = GroupId(string(&asker.name(&format!("topics-{count}"))));
        let mut request = join_request(&group, "", subscription(&names(count)));
        request.member_id = asker.quietly(JOIN, &request).unwrap().member_id;
        let answer = asker.quietly(JOIN, &request).unwrap();
        asker.note(
            &format!("a classic member subscribes to {count} topics"),
            &Some((answer.error_code, answer.generation_id)),
        );
        let sync = sync_group_request::SyncGroupRequest::default()
            .with_group_id(group.clone())
            .with_member_id(answer.member_id.clone())
            .with_generation_id(answer.generation_id)
            .with_protocol_type(Some(string("consumer")))
            .with_protocol_name(Some(string("range")));
        let synced = asker.quietly(5, &sync).map(|answer| answer.error_code);
        asker.note(&format!("it is synced with {count} topics"), &synced);
        let member = leave_group_request::MemberIdentity::default().with_member_id(answer.member_id);
        let leave = LeaveGroupRequest::default().with_group_id(group).with_members(vec![member]);
        let left = asker.quietly(4, &leave).map(|answer| (answer.error_code, answer.members[0].error_code));
        asker.note(&format!("it leaves with {count} topics"), &left);
    }
}

/// What is no expression, and what is one that costs much.
fn expressions(asker: &mut Asker) {
    let join = heartbeat(asker, "expressions", "well", 0).with_subscribed_topic_names(Some(vec![asker.topic(TOPIC)]));
    let epoch = asker.quietly(1, &join).unwrap().member_epoch;
    let before = describe(asker, "expressions");
    for expression in [
        "*",
        "+",
        "?",
        "a**",
        "(",
        ")",
        "[",
        "[]",
        "[b-a]",
        "{",
        "a{2,1}",
        "a{1001}",
        "(a{1000}){1000}",
        "\\",
        "\\1",
        "\\pX",
        "(?=a)",
        "(?<=a)",
        "(?P<n",
        "(?P<n>a)(?P<n>b)",
        "[[:nope:]]",
        "a++",
        "(?>a)",
        "[a--b]",
        "[+--]",
        "[--a]",
        "[a-]",
        "[-a]",
        "[a-b-c]",
        "[+-\\-]",
    ] {
        let request = heartbeat(asker, "expressions", "wrong", 0).with_subscribed_topic_regex(Some(string(expression)));
        let answer = asker.quietly(1, &request).map(|answer| (answer.error_code, answer.member_epoch > 0));
        asker.note(&format!("a consumer joins with the expression {expression:?}"), &answer);
        if answer.is_some_and(|(code, _)| code == 0) {
            asker.quietly(1, &heartbeat(asker, "expressions", "wrong", -1)).unwrap();
        } else {
            assert!(!describe(asker, "expressions").contains("wrong"), "{expression}");
        }
    }
    let request = heartbeat(asker, "expressions", "well", epoch).with_subscribed_topic_regex(Some(string("(")));
    asker.ask("a member that is well takes what is no expression", 1, &request);
    let described = describe(asker, "expressions");
    assert!(before.contains(TOPIC) && described.contains("well") && !described.contains("wrong"), "{described}");
}

/// More offsets than a record batch can hold, in one request.
fn many_offsets(asker: &mut Asker) {
    let (topic, group) = (asker.topic(TOPIC), GroupId(string(&asker.name("many-offsets"))));
    let commit = |count: usize| {
        let metadata = "m".repeat(4096);
        let partition = |_| {
            OffsetCommitRequestPartition::default()
                .with_partition_index(0)
                .with_committed_offset(1)
                .with_committed_metadata(Some(string(&metadata)))
        };
        let topic = OffsetCommitRequestTopic::default()
            .with_name(topic.clone())
            .with_partitions((0..count).map(partition).collect());
        OffsetCommitRequest::default()
            .with_group_id(group.clone())
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![topic])
    };
    for count in [100, 300] {
        let request = commit(count);
        let answer = asker.quietly(8, &request).map(|answer| {
            let mut codes: Vec<_> =
                answer.topics.iter().flat_map(|topic| &topic.partitions).map(|one| one.error_code).collect();
            let answered = codes.len();
            codes.dedup();
            (answered, codes)
        });
        asker.note(&format!("commit {count} offsets with long metadata"), &answer);
    }
}
