//! A classic group with a member that is well, and those who are none any more: other generations, strangers, instances
//! whose place is taken. None of them changes anything for the one that is well.

use bytes::{BufMut as _, Bytes, BytesMut};
use thalweg_protocol::StrBytes;
use thalweg_protocol::messages::consumer_group_heartbeat_request::ConsumerGroupHeartbeatRequest;
use thalweg_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use thalweg_protocol::messages::leave_group_request::MemberIdentity;
use thalweg_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use thalweg_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use thalweg_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use thalweg_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use thalweg_protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, GroupId, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest,
    OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, SyncGroupRequest,
};

use crate::asker::{Asker, string, topic_name};

const TOPIC: &str = "haunted";
const MEMBER_ID_REQUIRED: i16 = 79;

pub fn ask(asker: &mut Asker) {
    asker.create(TOPIC, 2, &[]);
    generations(asker);
    instances(asker);
    of_another_kind(asker);
}

/// A member of a classic group, as it knows itself.
pub struct Member {
    pub group: GroupId,
    pub id: StrBytes,
    pub generation: i32,
    pub instance: Option<StrBytes>,
}

/// What a consumer says that it subscribes to.
pub fn subscription(topics: &[String]) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(0);
    bytes.put_i32(i32::try_from(topics.len()).unwrap());
    for topic in topics {
        bytes.put_i16(i16::try_from(topic.len()).unwrap());
        bytes.put_slice(topic.as_bytes());
    }
    bytes.put_i32(-1);
    bytes.freeze()
}

/// The first partition of a topic.
fn assignment(topic: &str) -> Bytes {
    let mut bytes = BytesMut::from(&subscription(&[topic.to_owned()])[..]);
    bytes.truncate(bytes.len() - 4);
    bytes.put_slice(&[0, 0, 0, 1, 0, 0, 0, 0]);
    bytes.put_i32(-1);
    bytes.freeze()
}

pub fn join_request(group: &GroupId, member: &str, subscription: Bytes) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default().with_name(string("range")).with_metadata(subscription);
    JoinGroupRequest::default()
        .with_group_id(group.clone())
        .with_member_id(string(member))
        .with_session_timeout_ms(30_000)
        .with_rebalance_timeout_ms(30_000)
        .with_protocol_type(string("consumer"))
        .with_protocols(vec![protocol])
}

impl Member {
    /// A group with this member, who has everything.
    pub fn alone(asker: &mut Asker, name: &str, instance: Option<&str>) -> Self {
        let group = GroupId(string(&asker.name(name)));
        let instance = instance.map(string);
        let mine = subscription(&[asker.name(TOPIC)]);
        let mut request = join_request(&group, "", mine).with_group_instance_id(instance.clone());
        let mut joined = asker.quietly(7, &request).unwrap();
        if joined.error_code == MEMBER_ID_REQUIRED {
            request.member_id = joined.member_id;
            joined = asker.quietly(7, &request).unwrap();
        }
        assert_eq!(joined.error_code, 0, "{joined:?}");
        let member = Self { group, id: joined.member_id, generation: joined.generation_id, instance };
        member.sync(asker);
        member
    }

    /// The leader's sync.
    pub fn sync(&self, asker: &mut Asker) {
        let mine = SyncGroupRequestAssignment::default()
            .with_member_id(self.id.clone())
            .with_assignment(assignment(&asker.name(TOPIC)));
        let answer = asker.quietly(5, &self.sync_request().with_assignments(vec![mine])).unwrap();
        assert_eq!(answer.error_code, 0, "{answer:?}");
    }

    /// Joins again, and so begins the next generation.
    fn again(&mut self, asker: &mut Asker) {
        let request = join_request(&self.group, &self.id, subscription(&[asker.name(TOPIC)]));
        let joined = asker.quietly(7, &request.with_group_instance_id(self.instance.clone())).unwrap();
        assert_eq!(joined.error_code, 0, "{joined:?}");
        self.generation = joined.generation_id;
        self.sync(asker);
    }

    /// The same member in other words.
    fn but(&self, id: &str, generation: i32, instance: Option<&str>) -> Self {
        Self { group: self.group.clone(), id: string(id), generation, instance: instance.map(string) }
    }

    fn sync_request(&self) -> SyncGroupRequest {
        SyncGroupRequest::default()
            .with_group_id(self.group.clone())
            .with_member_id(self.id.clone())
            .with_generation_id(self.generation)
            .with_group_instance_id(self.instance.clone())
            .with_protocol_type(Some(string("consumer")))
            .with_protocol_name(Some(string("range")))
    }

    fn heartbeat(&self) -> HeartbeatRequest {
        HeartbeatRequest::default()
            .with_group_id(self.group.clone())
            .with_member_id(self.id.clone())
            .with_generation_id(self.generation)
            .with_group_instance_id(self.instance.clone())
    }

    fn commit(&self, topic: &str, metadata: &str) -> OffsetCommitRequest {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(0)
            .with_committed_offset(11)
            .with_committed_metadata(Some(string(metadata)));
        let topic = OffsetCommitRequestTopic::default().with_name(topic_name(topic)).with_partitions(vec![partition]);
        OffsetCommitRequest::default()
            .with_group_id(self.group.clone())
            .with_member_id(self.id.clone())
            .with_generation_id_or_member_epoch(self.generation)
            .with_group_instance_id(self.instance.clone())
            .with_topics(vec![topic])
    }

    fn leave(&self) -> LeaveGroupRequest {
        let member =
            MemberIdentity::default().with_member_id(self.id.clone()).with_group_instance_id(self.instance.clone());
        LeaveGroupRequest::default().with_group_id(self.group.clone()).with_members(vec![member])
    }

    /// All that can be seen of the group; the member is well.
    pub fn look(&self, asker: &mut Asker) -> String {
        assert_eq!(asker.quietly(4, &self.heartbeat()).unwrap().error_code, 0, "the member that is well");
        let describe = DescribeGroupsRequest::default().with_groups(vec![self.group.clone()]);
        let topic = OffsetFetchRequestTopics::default().with_name(asker.topic(TOPIC)).with_partition_indexes(vec![0]);
        let wanted =
            OffsetFetchRequestGroup::default().with_group_id(self.group.clone()).with_topics(Some(vec![topic]));
        let fetch = OffsetFetchRequest::default().with_groups(vec![wanted]).with_require_stable(true);
        let fetched = asker.quietly(8, &fetch).unwrap();
        format!("{:?} {fetched:?}", asker.quietly(5, &describe).unwrap())
    }
}

fn generations(asker: &mut Asker) {
    let mut well = Member::alone(asker, "haunted", None);
    well.again(asker);
    well.again(asker);
    let (known, missing) = (asker.name(TOPIC), asker.name("missing"));
    asker.ask("the well one commits", 9, &well.commit(&known, "here"));
    let before = well.look(asker);
    let id = well.id.to_string();
    for (who, zombie) in [
        ("of the generation before", well.but(&id, 2, None)),
        ("of a generation to come", well.but(&id, 4, None)),
        ("of no generation", well.but(&id, -1, None)),
        ("who is unknown", well.but("nobody", 3, None)),
        ("who has no name", well.but("", 3, None)),
        ("who names nothing", well.but("", -1, None)),
        ("with an instance that is not there", well.but(&id, 3, Some("ghost"))),
        ("who is unknown, as an instance that is not there", well.but("nobody", 3, Some("ghost"))),
    ] {
        asker.ask(&format!("heartbeat of one {who}"), 4, &zombie.heartbeat());
        asker.ask(&format!("sync of one {who}"), 5, &zombie.sync_request());
        asker.ask(&format!("commit of one {who}"), 9, &zombie.commit(&known, ""));
        assert_eq!(well.look(asker), before, "one {who}");
    }
    for (who, zombie) in [
        ("who is unknown", well.but("nobody", 3, None)),
        ("who has no name", well.but("", 3, None)),
        ("who is unknown, as an instance that is not there", well.but("nobody", 3, Some("ghost"))),
    ] {
        asker.ask(&format!("leave of one {who}"), 4, &zombie.leave());
        assert_eq!(well.look(asker), before, "one {who} leaves");
    }
    for (case, request) in [
        ("a topic that is not there", well.commit(&missing, "")),
        ("too long metadata", well.commit(&known, &"m".repeat(4097))),
        ("a name that is none", well.commit("a b", "")),
    ] {
        asker.ask(&format!("commit of the well one for {case}"), 9, &request);
        assert_eq!(well.look(asker), before, "{case}");
    }
    let sync = well.sync_request();
    asker.ask("sync as another type", 5, &sync.clone().with_protocol_type(Some(string("connect"))));
    asker.ask("sync as another protocol", 5, &sync.with_protocol_name(Some(string("sticky"))));
    let mine = subscription(std::slice::from_ref(&known));
    let other = join_request(&well.group, "", mine.clone());
    let another = JoinGroupRequestProtocol::default().with_name(string("sticky")).with_metadata(mine.clone());
    for (case, request) in [
        ("as another type", other.clone().with_protocol_type(string("connect"))),
        ("with another protocol", other.with_protocols(vec![another])),
        ("as one who is unknown", join_request(&well.group, "nobody", mine.clone())),
        (
            "as an instance that is not there, with a name",
            join_request(&well.group, "nobody", mine).with_group_instance_id(Some(string("ghost"))),
        ),
    ] {
        let answer = asker.quietly(7, &request).map(|answer| (answer.error_code, answer.generation_id));
        asker.note(&format!("join {case} where one is well"), &answer);
        assert_eq!(well.look(asker), before, "{case}");
    }
    let delete = DeleteGroupsRequest::default().with_groups_names(vec![well.group.clone()]);
    asker.ask("delete a group where one is well", 2, &delete);
    let partition = OffsetDeleteRequestPartition::default().with_partition_index(0);
    let topic = OffsetDeleteRequestTopic::default().with_name(asker.topic(TOPIC)).with_partitions(vec![partition]);
    let forget = OffsetDeleteRequest::default().with_group_id(well.group.clone()).with_topics(vec![topic]);
    asker.ask("forget the offset of a subscribed topic", 0, &forget);
    assert_eq!(well.look(asker), before);
    let described = DescribeGroupsRequest::default().with_groups(vec![well.group.clone()]);
    asker.ask("describe the group where one is well", 5, &described);
    asker.ask("the well one leaves", 4, &well.leave());
}

/// An instance whose place another has taken.
fn instances(asker: &mut Asker) {
    let old = Member::alone(asker, "instances", Some("i"));
    let known = asker.name(TOPIC);
    asker.ask("the first of an instance commits", 9, &old.commit(&known, "first"));
    let mine = subscription(std::slice::from_ref(&known));
    let request = join_request(&old.group, "", mine.clone()).with_group_instance_id(old.instance.clone());
    let joined = asker.quietly(9, &request).unwrap();
    asker.note("join as an instance that is there", &Some((joined.error_code, joined.generation_id)));
    let new = Member { id: joined.member_id, generation: joined.generation_id, ..old.but("", 0, Some("i")) };
    assert_ne!(new.id, old.id);
    new.sync(asker);
    let before = new.look(asker);
    asker.ask("heartbeat of a fenced instance", 4, &old.heartbeat());
    asker.ask("sync of a fenced instance", 5, &old.sync_request());
    asker.ask("commit of a fenced instance", 9, &old.commit(&known, "zombie"));
    asker.ask("leave of a fenced instance", 4, &old.leave());
    let request = join_request(&old.group, &old.id, mine).with_group_instance_id(old.instance.clone());
    let answer = asker.quietly(9, &request).map(|answer| (answer.error_code, answer.generation_id));
    asker.note("join of a fenced instance", &answer);
    assert_eq!(new.look(asker), before);
    asker.ask("the second of an instance commits", 9, &new.commit(&known, "second"));
    asker.ask("an instance leaves without a name", 4, &new.but("", 0, Some("i")).leave());
}

/// Members of other kinds of groups, where the group's type is another.
fn of_another_kind(asker: &mut Asker) {
    let group = GroupId(string(&asker.name("connected")));
    let mut request = join_request(&group, "", Bytes::from_static(b"config")).with_protocol_type(string("connect"));
    request.member_id = asker.quietly(7, &request).unwrap().member_id;
    let joined = asker.quietly(7, &request).unwrap();
    let well = Member { group, id: joined.member_id, generation: joined.generation_id, instance: None };
    let mine = SyncGroupRequestAssignment::default().with_member_id(well.id.clone());
    let sync = well.sync_request().with_protocol_type(Some(string("connect"))).with_assignments(vec![mine]);
    assert_eq!(asker.quietly(5, &sync).unwrap().error_code, 0);
    let before = well.look(asker);
    let modern = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(well.group.clone())
        .with_member_id(string("modern"))
        .with_rebalance_timeout_ms(60_000)
        .with_subscribed_topic_names(Some(vec![asker.topic(TOPIC)]))
        .with_topic_partitions(Some(Vec::new()));
    asker.ask("consumer joins a group of workers", 1, &modern);
    asker.ask("consumer beats in a group of workers", 1, &modern.clone().with_member_epoch(4));
    assert_eq!(well.look(asker), before);
    asker.ask("the worker leaves", 4, &well.leave());
}
