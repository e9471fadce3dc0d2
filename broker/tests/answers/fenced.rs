//! Epochs that are over: members of a consumer group, and producers whose offsets are in a transaction. The group and the
//! transaction go on as if nobody had spoken.

use thalweg_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use thalweg_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use thalweg_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use thalweg_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, DescribeTransactionsRequest, EndTxnRequest, GroupId,
    OffsetCommitRequest, OffsetDeleteRequest, ProducerId, TxnOffsetCommitRequest, offset_delete_request,
};

use crate::asker::{Asker, string, topic_name};
use crate::transactions::{Producer, init};
use crate::zombies::Member;

const TOPIC: &str = "fenced";

pub fn ask(asker: &mut Asker) {
    asker.create(TOPIC, 2, &[]);
    members(asker);
    producers(asker);
}

fn beat(asker: &Asker, member: &str, epoch: i32, topics: Option<&[&str]>) -> ConsumerGroupHeartbeatRequest {
    let topics = topics.map(|topics| topics.iter().map(|topic| asker.topic(topic)).collect());
    ConsumerGroupHeartbeatRequest::default()
        .with_group_id(GroupId(string(&asker.name("fences"))))
        .with_member_id(string(member))
        .with_member_epoch(epoch)
        .with_rebalance_timeout_ms(if epoch == 0 { 60_000 } else { -1 })
        .with_subscribed_topic_names(topics)
        .with_topic_partitions((epoch == 0).then(Vec::new))
}

/// All that can be seen of the group; its member is well.
fn look(asker: &mut Asker, epoch: i32) -> String {
    let well = beat(asker, "well", epoch, None);
    assert_eq!(asker.quietly(1, &well).unwrap().error_code, 0, "the member that is well");
    let group = GroupId(string(&asker.name("fences")));
    let describe = ConsumerGroupDescribeRequest::default().with_group_ids(vec![group]);
    format!("{:?}", asker.quietly(1, &describe).unwrap())
}

fn members(asker: &mut Asker) {
    let id = asker.create("fenced-too", 1, &[]);
    let joined = asker.quietly(1, &beat(asker, "well", 0, Some(&[TOPIC]))).unwrap();
    assert_eq!(joined.error_code, 0, "{joined:?}");
    // Another subscription is another epoch, which comes when partitions are assigned anew: not more often than once a second.
    let changed = asker.quietly(1, &beat(asker, "well", joined.member_epoch, Some(&[TOPIC, "fenced-too"]))).unwrap();
    assert_eq!(changed.error_code, 0, "{changed:?}");
    let deadline = std::time::Instant::now() + crate::wire::PATIENCE;
    let mut epoch = changed.member_epoch;
    while epoch == joined.member_epoch {
        assert!(std::time::Instant::now() < deadline, "the epoch stays {epoch}");
        std::thread::sleep(std::time::Duration::from_millis(50));
        epoch = asker.quietly(1, &beat(asker, "well", epoch, None)).unwrap().member_epoch;
    }
    let before = look(asker, epoch);
    let foreign = TopicPartitions::default().with_topic_id(id).with_partitions(vec![0]);
    for (case, request) in [
        ("of an epoch that is over", beat(asker, "well", epoch - 2, None)),
        (
            "of the epoch before, with partitions of others",
            beat(asker, "well", epoch - 1, None).with_topic_partitions(Some(vec![foreign.with_partitions(vec![7])])),
        ),
        ("of an epoch to come", beat(asker, "well", epoch + 1, None)),
        ("of the largest epoch", beat(asker, "well", i32::MAX, None)),
        ("of epoch -2 and no instance", beat(asker, "well", -2, None)),
        ("of epoch -3", beat(asker, "well", -3, None)),
        ("of one who is unknown", beat(asker, "nobody", epoch, None)),
        ("as an instance", beat(asker, "well", epoch, None).with_instance_id(Some(string("i")))),
        (
            "with an assignor that does not exist",
            beat(asker, "well", epoch, None).with_server_assignor(Some(string("x"))),
        ),
    ] {
        asker.ask(&format!("fenced beat {case}"), 1, &request);
        assert_eq!(look(asker, epoch), before, "{case}");
    }
    let commit = |topic: &str, member: &str, epoch, metadata: &str| {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(0)
            .with_committed_offset(3)
            .with_committed_metadata(Some(string(metadata)));
        let topic = OffsetCommitRequestTopic::default().with_name(topic_name(topic)).with_partitions(vec![partition]);
        OffsetCommitRequest::default()
            .with_group_id(GroupId(string(&asker.name("fences"))))
            .with_member_id(string(member))
            .with_generation_id_or_member_epoch(epoch)
            .with_topics(vec![topic])
    };
    let (known, missing) = (asker.name(TOPIC), asker.name("missing"));
    let requests = [
        ("with too long metadata", commit(&known, "well", epoch, &"m".repeat(4097))),
        ("for a topic that is not there", commit(&missing, "well", epoch, "")),
        ("of an epoch that is over", commit(&known, "well", epoch - 1, "")),
        ("of an epoch to come", commit(&known, "well", epoch + 1, "")),
        ("of one who is unknown", commit(&known, "nobody", epoch, "")),
    ];
    for (case, request) in requests {
        asker.ask(&format!("fenced commit {case}"), 9, &request);
        assert_eq!(look(asker, epoch), before, "{case}");
    }
    let partition = offset_delete_request::OffsetDeleteRequestPartition::default().with_partition_index(0);
    let topic = offset_delete_request::OffsetDeleteRequestTopic::default()
        .with_name(asker.topic(TOPIC))
        .with_partitions(vec![partition]);
    let group = GroupId(string(&asker.name("fences")));
    let forget = OffsetDeleteRequest::default().with_group_id(group).with_topics(vec![topic]);
    asker.ask("forget the offset of a topic that a consumer subscribes to", 0, &forget);
    asker.ask("the fenced group's member leaves", 1, &beat(asker, "well", -1, None));
}

/// Offsets in a transaction, by whoever may not.
fn producers(asker: &mut Asker) {
    let well = Member::alone(asker, "transacted", None);
    let producer = init(asker, "transacting");
    let old = Producer { epoch: producer.epoch - 1, ..producer.clone() };
    let commit = |of: &Producer, topic: &str, metadata: &str, member: &str, generation: i32| {
        let partition = TxnOffsetCommitRequestPartition::default()
            .with_partition_index(0)
            .with_committed_offset(9)
            .with_committed_metadata(Some(string(metadata)));
        let topic =
            TxnOffsetCommitRequestTopic::default().with_name(topic_name(topic)).with_partitions(vec![partition]);
        TxnOffsetCommitRequest::default()
            .with_transactional_id(of.transactional_id.clone())
            .with_group_id(well.group.clone())
            .with_producer_id(ProducerId(of.id))
            .with_producer_epoch(of.epoch)
            .with_member_id(string(member))
            .with_generation_id(generation)
            .with_topics(vec![topic])
    };
    let (known, missing) = (asker.name("haunted"), asker.name("missing"));
    let (id, generation) = (well.id.to_string(), well.generation);
    asker.ask("offsets in a transaction", 5, &commit(&producer, &known, "kept", &id, generation));
    let describe =
        DescribeTransactionsRequest::default().with_transactional_ids(vec![producer.transactional_id.clone()]);
    let look = |asker: &mut Asker| format!("{:?} {}", asker.quietly(0, &describe).unwrap(), well.look(asker));
    let before = look(asker);
    for (case, request) in [
        ("with too long metadata", commit(&producer, &known, &"m".repeat(4097), &id, generation)),
        ("for a topic that is not there", commit(&producer, &missing, "", &id, generation)),
        ("of the generation before", commit(&producer, &known, "", &id, generation - 1)),
        ("of a generation to come", commit(&producer, &known, "", &id, generation + 1)),
        ("of one who is unknown", commit(&producer, &known, "", "nobody", generation)),
        ("as an instance", commit(&producer, &known, "", &id, generation).with_group_instance_id(Some(string("i")))),
        ("of a fenced producer", commit(&old, &known, "zombie", &id, generation)),
    ] {
        for version in [4, 5] {
            asker.ask(&format!("offsets in a transaction {case}, version {version}"), version, &request);
        }
        assert_eq!(look(asker), before, "{case}");
    }
    let end = |of: &Producer| {
        EndTxnRequest::default()
            .with_transactional_id(of.transactional_id.clone())
            .with_producer_id(ProducerId(of.id))
            .with_producer_epoch(of.epoch)
    };
    for version in [3, 4, 5] {
        asker.ask(&format!("a fenced producer ends the transaction, version {version}"), version, &end(&old));
    }
    assert_eq!(look(asker), before);
    asker.ask("the transaction is committed", 5, &end(&producer).with_committed(true));
    let deadline = std::time::Instant::now() + crate::wire::PATIENCE;
    while !well.look(asker).contains("kept") {
        assert!(std::time::Instant::now() < deadline, "the offset that was committed is not there");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
