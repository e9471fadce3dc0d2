//! A request of every API, in every version served, that succeeds.

use thalweg_protocol::messages::ApiKey;

use crate::body::{Node, flag, i8, i16, i32, i64, list, one, text};
use crate::records::batch;
use crate::wire::header;

/// What the requests name; it exists.
pub struct World {
    pub topic: String,
    pub topic_id: [u8; 16],
    /// For those who delete.
    pub other_topic: String,
    pub other_topic_id: [u8; 16],
    pub group: String,
    pub member: String,
    pub generation: i32,
    /// Is not there, for those who create.
    pub new_topic: String,
    /// Has offsets and no members, for those who delete them.
    pub idle_group: String,
    /// Is not there, for those who join.
    pub new_group: String,
    /// Has a transaction that [`World::topic`] is in.
    pub transactional_id: String,
    pub producer_id: i64,
    pub producer_epoch: i16,
    /// Of the consumer protocol.
    pub consumer_group: String,
    /// Its member `member` has the first record of [`World::topic`], in a session whose next epoch is 2.
    pub share_group: String,
    pub idle_share_group: String,
    /// Where the topic is.
    pub log_dir: String,
}

/// Header and body as bytes.
pub fn request(key: ApiKey, version: i16, body: &Node) -> Vec<u8> {
    let mut bytes = header(key, version);
    body.encode(flexible(key, version), &mut bytes);
    bytes
}

/// Whether lengths are compact and structs end with tagged fields.
pub fn flexible(key: ApiKey, version: i16) -> bool {
    key.request_header_version(version) >= 2
}

/// The fields that a version has, of all there ever were.
struct Fields {
    version: i16,
    fields: Vec<Node>,
}

impl Fields {
    fn new(version: i16) -> Self {
        Self { version, fields: Vec::new() }
    }

    fn all(self, node: Node) -> Self {
        self.of(0, i16::MAX, node)
    }

    fn from(self, version: i16, node: Node) -> Self {
        self.of(version, i16::MAX, node)
    }

    fn until(self, version: i16, node: Node) -> Self {
        self.of(0, version, node)
    }

    fn of(mut self, min: i16, max: i16, node: Node) -> Self {
        if (min..=max).contains(&self.version) {
            self.fields.push(node);
        }
        self
    }

    fn one(self) -> Node {
        one(self.fields)
    }
}

const NULL: Node = Node::Text(None);

/// The body of a request that this broker answers without an error.
pub fn body(key: ApiKey, version: i16, world: &World) -> Node {
    let request = Fields::new(version);
    let request = match key {
        ApiKey::Produce
        | ApiKey::Fetch
        | ApiKey::ListOffsets
        | ApiKey::OffsetForLeaderEpoch
        | ApiKey::DeleteRecords => records(key, request, world),
        ApiKey::OffsetCommit
        | ApiKey::OffsetFetch
        | ApiKey::JoinGroup
        | ApiKey::Heartbeat
        | ApiKey::LeaveGroup
        | ApiKey::SyncGroup
        | ApiKey::OffsetDelete => group(key, request, world),
        ApiKey::ConsumerGroupHeartbeat => heartbeat(request, world),
        ApiKey::CreateTopics | ApiKey::DeleteTopics | ApiKey::CreatePartitions => topics(key, request, world),
        ApiKey::DescribeConfigs | ApiKey::AlterConfigs | ApiKey::IncrementalAlterConfigs => {
            configs(key, request, world)
        }
        ApiKey::ShareGroupHeartbeat
        | ApiKey::ShareGroupDescribe
        | ApiKey::ShareFetch
        | ApiKey::ShareAcknowledge
        | ApiKey::DescribeShareGroupOffsets
        | ApiKey::AlterShareGroupOffsets
        | ApiKey::DeleteShareGroupOffsets => share(key, request, world),
        ApiKey::AddPartitionsToTxn
        | ApiKey::AddOffsetsToTxn
        | ApiKey::EndTxn
        | ApiKey::DescribeTransactions
        | ApiKey::ListTransactions
        | ApiKey::WriteTxnMarkers
        | ApiKey::TxnOffsetCommit => transactions(key, request, world),
        _ => asking(key, request, world),
    };
    Node::Struct(request.fields)
}

fn records(key: ApiKey, request: Fields, world: &World) -> Fields {
    let version = request.version;
    let name = || text(&world.topic);
    let id = || Node::Id(world.topic_id);
    match key {
        ApiKey::Produce => request.all(NULL).all(i16(-1)).all(i32(10_000)).all({
            let partitions = one(vec![i32(0), Node::Bytes(Some(batch(b"value")))]);
            Fields::new(version).until(12, name()).from(13, id()).all(partitions).one()
        }),
        ApiKey::Fetch => {
            let partition = Fields::new(version).all(i32(0)).from(9, i32(-1)).all(i64(0)).from(12, i32(-1));
            let partition = partition.from(5, i64(0)).all(i32(1 << 16)).one();
            let topics = Fields::new(version).until(12, name()).from(13, id()).all(partition).one();
            let forgotten = Fields::new(version).until(12, name()).from(13, id()).all(list(vec![i32(0)])).one();
            let limits = request.until(14, i32(-1)).all(i32(10)).all(i32(1)).all(i32(1 << 20)).all(i8(0));
            limits.from(7, i32(0)).from(7, i32(-1)).all(topics).from(7, forgotten).from(11, text("rack"))
        }
        ApiKey::ListOffsets => {
            let partition = Fields::new(version).all(i32(0)).from(4, i32(-1)).all(i64(-1)).one();
            request.all(i32(-1)).from(2, i8(0)).all(one(vec![name(), partition])).from(10, i32(10_000))
        }
        ApiKey::OffsetForLeaderEpoch => {
            request.from(3, i32(-1)).all(one(vec![name(), one(vec![i32(0), i32(-1), i32(1)])]))
        }
        _ => request.all(one(vec![name(), one(vec![i32(0), i64(0)])])).all(i32(10_000)),
    }
}

fn group(key: ApiKey, request: Fields, world: &World) -> Fields {
    let version = request.version;
    let group = || text(&world.group);
    let member = || text(&world.member);
    let topic = || text(&world.topic);
    match key {
        ApiKey::OffsetCommit => {
            let partition = Fields::new(version).all(i32(0)).all(i64(0)).from(6, i32(-1)).all(text("metadata")).one();
            let who = request.all(group()).all(i32(world.generation)).all(member()).from(7, NULL);
            let topic = Fields::new(version).until(9, topic()).from(10, Node::Id(world.topic_id)).all(partition);
            who.of(2, 4, i64(-1)).all(topic.one())
        }
        ApiKey::OffsetFetch => {
            let topics = || {
                let topic = Fields::new(version).until(9, topic()).from(10, Node::Id(world.topic_id));
                topic.all(list(vec![i32(0)])).one()
            };
            let groups = Fields::new(version).all(group()).from(9, NULL).from(9, i32(-1)).all(topics()).one();
            request.until(7, group()).until(7, topics()).from(8, groups).from(7, flag(false))
        }
        ApiKey::JoinGroup => {
            let who = request
                .all(text(&world.new_group))
                .all(i32(500))
                .from(1, i32(500))
                .all(text(""))
                .from(5, text("instance"));
            let protocols = one(vec![text("range"), Node::Bytes(Some(vec![0; 8]))]);
            who.all(text("consumer")).all(protocols).from(8, NULL)
        }
        ApiKey::Heartbeat => request.all(group()).all(i32(world.generation)).all(member()).from(3, NULL),
        ApiKey::LeaveGroup => {
            let members = Fields::new(version).all(member()).all(NULL).from(5, NULL).one();
            request.all(group()).until(2, member()).from(3, members)
        }
        ApiKey::SyncGroup => {
            let who = request.all(group()).all(i32(world.generation)).all(member()).from(3, NULL);
            let named = who.from(5, text("consumer")).from(5, text("range"));
            named.all(one(vec![member(), Node::Bytes(Some(vec![0; 8]))]))
        }
        _ => request.all(text(&world.idle_group)).all(one(vec![topic(), one(vec![i32(0)])])),
    }
}

/// Of a new member.
fn heartbeat(request: Fields, world: &World) -> Fields {
    let who = request.all(text(&world.consumer_group)).all(text("another")).all(i32(0)).all(NULL).all(NULL);
    let topics = list(vec![text(&world.topic)]);
    who.all(i32(10_000)).all(topics).from(1, NULL).all(text("range")).all(list(Vec::new()))
}

fn topics(key: ApiKey, request: Fields, world: &World) -> Fields {
    match key {
        ApiKey::CreateTopics => {
            let configs = one(vec![text("retention.ms"), text("1000")]);
            let topic = vec![text(&world.new_topic), i32(-1), i16(-1), one(vec![i32(0), list(vec![i32(1)])]), configs];
            request.all(one(topic)).all(i32(10_000)).all(flag(true))
        }
        ApiKey::DeleteTopics => {
            // By name in one field and by id in the other; never both.
            let by_id = one(vec![NULL, Node::Id(world.other_topic_id)]);
            request.from(6, by_id).until(5, list(vec![text(&world.other_topic)])).all(i32(10_000))
        }
        _ => {
            let topic = vec![text(&world.topic), i32(2), one(vec![list(vec![i32(1)])])];
            request.all(one(topic)).all(i32(10_000)).all(flag(true))
        }
    }
}

fn configs(key: ApiKey, request: Fields, world: &World) -> Fields {
    const TOPIC: i8 = 2;
    let (name, setting, value) = (text(&world.topic), text("retention.ms"), text("604800000"));
    match key {
        ApiKey::DescribeConfigs => {
            let resource = one(vec![i8(TOPIC), name, list(vec![setting])]);
            request.all(resource).all(flag(true)).from(3, flag(true))
        }
        ApiKey::AlterConfigs => request.all(one(vec![i8(TOPIC), name, one(vec![setting, value])])).all(flag(false)),
        _ => request.all(one(vec![i8(TOPIC), name, one(vec![setting, i8(0), value])])).all(flag(false)),
    }
}

fn transactions(key: ApiKey, request: Fields, world: &World) -> Fields {
    let version = request.version;
    let id = || text(&world.transactional_id);
    let (producer_id, epoch) = (i64(world.producer_id), i16(world.producer_epoch));
    match key {
        ApiKey::AddPartitionsToTxn => {
            let topics = || one(vec![text(&world.topic), list(vec![i32(0)])]);
            let of_broker = one(vec![id(), producer_id.clone(), epoch.clone(), flag(true), topics()]);
            let request = Fields::new(version).from(4, of_broker);
            request.until(3, id()).until(3, producer_id).until(3, epoch).until(3, topics())
        }
        ApiKey::WriteTxnMarkers => {
            let partitions = one(vec![text(&world.topic), list(vec![i32(0)])]);
            request.all(one(vec![producer_id, epoch, flag(true), partitions, i32(0)]))
        }
        ApiKey::TxnOffsetCommit => {
            let who = request.all(id()).all(text(&world.idle_group)).all(producer_id).all(epoch);
            let who = who.from(3, i32(-1)).from(3, text("")).from(3, NULL);
            let partition = Fields::new(version).all(i32(0)).all(i64(0)).from(2, i32(-1)).all(text("metadata")).one();
            who.all(one(vec![text(&world.topic), partition]))
        }
        ApiKey::AddOffsetsToTxn => request.all(id()).all(producer_id).all(epoch).all(text(&world.group)),
        ApiKey::EndTxn => request.all(id()).all(producer_id).all(epoch).all(flag(true)),
        ApiKey::DescribeTransactions => request.all(list(vec![id()])),
        _ => {
            let filters = request.all(list(vec![text("Ongoing")])).all(list(vec![i64(world.producer_id)]));
            filters.from(1, i64(0)).from(2, text(".*"))
        }
    }
}

fn share(key: ApiKey, request: Fields, world: &World) -> Fields {
    let (group, idle, topic) = (|| text(&world.share_group), || text(&world.idle_share_group), || text(&world.topic));
    let id = || Node::Id(world.topic_id);
    let acknowledged = || one(vec![i32(0), one(vec![i64(0), i64(0), list(vec![i8(2)])])]);
    let session = |request: Fields| request.all(group()).all(text("member")).all(i32(2));
    match key {
        ApiKey::ShareGroupHeartbeat => {
            request.all(group()).all(text("another")).all(i32(0)).all(text("rack")).all(list(vec![topic()]))
        }
        ApiKey::ShareGroupDescribe => request.all(list(vec![group()])).all(flag(true)),
        ApiKey::ShareFetch => {
            let limits = session(request).all(i32(10)).all(i32(1)).all(i32(1 << 20)).all(i32(10)).all(i32(10));
            limits.all(one(vec![id(), acknowledged()])).all(one(vec![id(), list(vec![i32(1)])]))
        }
        ApiKey::ShareAcknowledge => session(request).all(one(vec![id(), acknowledged()])),
        ApiKey::DescribeShareGroupOffsets => request.all(one(vec![group(), one(vec![topic(), list(vec![i32(0)])])])),
        ApiKey::AlterShareGroupOffsets => request.all(idle()).all(one(vec![topic(), one(vec![i32(0), i64(0)])])),
        _ => request.all(idle()).all(one(vec![topic()])),
    }
}

/// Those that change nothing, or nothing of a topic or a group.
fn asking(key: ApiKey, request: Fields, world: &World) -> Fields {
    let version = request.version;
    match key {
        ApiKey::Metadata => {
            let topic = Fields::new(version).from(10, Node::Id([0; 16])).all(text(&world.topic)).one();
            let topics = request.all(topic).from(4, flag(false));
            topics.of(8, 10, flag(true)).from(8, flag(true))
        }
        ApiKey::FindCoordinator => {
            request.until(3, text(&world.group)).from(1, i8(0)).from(4, list(vec![text(&world.group)]))
        }
        ApiKey::DescribeProducers => request.all(one(vec![text(&world.topic), list(vec![i32(0)])])),
        ApiKey::DescribeGroups => request.all(list(vec![text(&world.group)])).from(3, flag(true)),
        ApiKey::ListGroups => request.from(4, list(vec![text("Stable")])).from(5, list(vec![text("classic")])),
        ApiKey::ApiVersions => request.from(3, text("bad-input")).from(3, text("1.0")),
        ApiKey::InitProducerId => request.all(NULL).all(i32(60_000)).from(3, i64(-1)).from(3, i16(-1)),
        ApiKey::DescribeLogDirs => request.all(one(vec![text(&world.topic), list(vec![i32(0)])])),
        ApiKey::AlterReplicaLogDirs => {
            // Into the directory where it is: nothing moves.
            let topic = one(vec![text(&world.topic), list(vec![i32(0)])]);
            request.all(one(vec![text(&world.log_dir), topic]))
        }
        ApiKey::DeleteGroups => request.all(list(vec![text(&world.idle_group)])),
        ApiKey::UpdateFeatures => {
            let update = Fields::new(version).all(text("transaction.version")).all(i16(2)).until(0, flag(false));
            request.all(i32(10_000)).all(update.from(1, i8(1)).one()).from(1, flag(true))
        }
        ApiKey::ElectLeaders => {
            request.from(1, i8(0)).all(one(vec![text(&world.topic), list(vec![i32(0)])])).all(i32(10_000))
        }
        ApiKey::AlterPartitionReassignments => {
            let partition = one(vec![i32(0), list(vec![i32(1)])]);
            request.all(i32(10_000)).from(1, flag(true)).all(one(vec![text(&world.topic), partition]))
        }
        ApiKey::ListPartitionReassignments => {
            request.all(i32(10_000)).all(one(vec![text(&world.topic), list(vec![i32(0)])]))
        }
        ApiKey::DescribeQuorum => request.all(one(vec![text("__cluster_metadata"), one(vec![i32(0)])])),
        ApiKey::GetTelemetrySubscriptions => request.all(Node::Id([7; 16])),
        ApiKey::PushTelemetry => {
            let payload = Node::Bytes(Some(vec![]));
            request.all(Node::Id([8; 16])).all(i32(0)).all(flag(true)).all(i8(0)).all(payload)
        }
        ApiKey::ListConfigResources => request.from(1, list(vec![i8(2), i8(16)])),
        ApiKey::UnregisterBroker => request.all(i32(9)),
        ApiKey::DescribeCluster => request.all(flag(true)).from(1, i8(1)).from(2, flag(false)),
        ApiKey::ConsumerGroupDescribe => request.all(list(vec![text(&world.consumer_group)])).all(flag(true)),
        ApiKey::DescribeTopicPartitions => {
            let cursor = Node::Optional(Some(vec![text(&world.topic), i32(0)]));
            request.all(one(vec![text(&world.topic)])).all(i32(100)).all(cursor)
        }
        other => panic!("{other:?} is served and has no request here"),
    }
}
