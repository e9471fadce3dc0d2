//! Metadata, DescribeTopicPartitions, DescribeCluster, DescribeLogDirs.

use thalweg_protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use thalweg_protocol::messages::metadata_request::MetadataRequestTopic;
use thalweg_protocol::messages::{
    DescribeClusterRequest, DescribeLogDirsRequest, DescribeTopicPartitionsRequest, MetadataRequest,
};
use uuid::Uuid;

use crate::asker::{Asker, topic_name};

pub fn ask(asker: &mut Asker) {
    let id = asker.create("p1", 1, &[]);
    asker.create("p3", 3, &[]);
    let epoch = asker.await_leaders("p3", 3);
    // Kafka's first epoch is 0.
    asker.hide(format!("leader_epoch: {epoch},"), "leader_epoch: first,");
    metadata(asker, id);
    describe(asker);
    others(asker);
}

fn metadata(asker: &mut Asker, id: Uuid) {
    let topic =
        |name: Option<&str>, id| MetadataRequestTopic::default().with_name(name.map(topic_name)).with_topic_id(id);
    let request = |topics| MetadataRequest::default().with_topics(Some(topics)).with_allow_auto_topic_creation(false);
    let (known, missing) = (asker.name("p1"), asker.name("missing"));
    let cases = [
        ("a known id", topic(None, id)),
        ("an unknown id", topic(None, Uuid::from_u128(77))),
        ("neither name nor id", topic(None, Uuid::nil())),
        ("name and id", topic(Some(&known), id)),
        ("name and another id", topic(Some(&known), Uuid::from_u128(77))),
        ("an unknown name", topic(Some(&missing), Uuid::nil())),
        ("an invalid name", topic(Some("a b"), Uuid::nil())),
        ("an empty name", topic(Some(""), Uuid::nil())),
    ];
    for (case, topic) in cases {
        let answer = asker.quietly(12, &request(vec![topic])).map(|answer| answer.topics);
        asker.note(&format!("metadata of {case}"), &answer);
    }
    for version in [4, 9, 12] {
        let answer = asker.quietly(version, &request(Vec::new())).map(|answer| answer.topics);
        asker.note(&format!("metadata of nothing, version {version}"), &answer);
    }
    let names = |names: &[&str]| request(names.iter().map(|name| topic(Some(name), Uuid::nil())).collect());
    let answer = asker.quietly(9, &names(&[&known, &missing, &known])).map(|answer| answer.topics);
    asker.note("metadata of one name twice", &answer);
    let invalid = names(&["a b"]).with_allow_auto_topic_creation(true);
    let answer = asker.quietly(9, &invalid).map(|answer| answer.topics);
    asker.note("metadata of an invalid name to be created", &answer);
}

fn describe(asker: &mut Asker) {
    let (one, three, missing) = (asker.name("p1"), asker.name("p3"), asker.name("missing"));
    let request = |names: &[&str], limit, cursor: Option<(&str, i32)>| {
        let topics = names.iter().map(|name| TopicRequest::default().with_name(topic_name(name))).collect();
        let cursor = cursor.map(|(name, partition)| {
            Cursor::default().with_topic_name(topic_name(name)).with_partition_index(partition)
        });
        DescribeTopicPartitionsRequest::default()
            .with_topics(topics)
            .with_response_partition_limit(limit)
            .with_cursor(cursor)
    };
    let both: &[&str] = &[&three, &one];
    for limit in [-1, 0, 1, 2, 3, 4, 5000] {
        asker.ask(&format!("describe at most {limit} partitions"), 0, &request(both, limit, None));
    }
    let cursors = [
        ("at partition 1", three.as_str(), 1),
        ("at the last partition", &three, 2),
        ("behind the last partition", &three, 3),
        ("at partition -1", &three, -1),
        ("at a topic not asked for", &missing, 0),
        ("at the first topic", &one, 0),
    ];
    for (case, name, partition) in cursors {
        asker.ask(&format!("describe with a cursor {case}"), 0, &request(both, 2, Some((name, partition))));
    }
    asker.ask("describe an unknown topic", 0, &request(&[&missing], 10, None));
    asker.ask("describe an invalid name", 0, &request(&["a b"], 10, None));
    asker.ask("describe one topic twice", 0, &request(&[&one, &one], 10, None));
    let cursor = Some((missing.as_str(), 0));
    asker.ask("describe a topic that is gone, with a cursor at it", 0, &request(&[&missing, &one], 10, cursor));
}

fn others(asker: &mut Asker) {
    for endpoint_type in [0, 2, 3] {
        let request = DescribeClusterRequest::default().with_endpoint_type(endpoint_type);
        let answer = asker.quietly(1, &request).map(|answer| (answer.error_code, answer.brokers.len()));
        asker.note(&format!("the cluster's endpoints of type {endpoint_type}"), &answer);
    }
    let topic = |name: &str, partitions: &[i32]| {
        thalweg_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic::default()
            .with_topic(topic_name(name))
            .with_partitions(partitions.to_vec())
    };
    let (one, missing) = (asker.name("p1"), asker.name("missing"));
    for (case, topics) in [
        ("a partition", vec![topic(&one, &[0])]),
        ("an unknown partition", vec![topic(&one, &[7])]),
        ("no partition", vec![topic(&one, &[])]),
        ("an unknown topic", vec![topic(&missing, &[0])]),
        ("a topic twice", vec![topic(&one, &[0]), topic(&one, &[0])]),
        ("nothing", Vec::new()),
    ] {
        let answer = asker.quietly(4, &DescribeLogDirsRequest::default().with_topics(Some(topics)));
        let shown = answer.map(|answer| {
            (
                answer.error_code,
                answer.results.iter().map(|dir| (dir.error_code, dir.topics.clone())).collect::<Vec<_>>(),
            )
        });
        asker.note(&format!("the log directories of {case}"), &shown);
    }
}
