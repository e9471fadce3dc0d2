//! CreateTopics, DeleteTopics, CreatePartitions.

use thalweg_protocol::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
use thalweg_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use thalweg_protocol::messages::delete_topics_request::DeleteTopicState;
use thalweg_protocol::messages::{BrokerId, CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest};
use uuid::Uuid;

use crate::asker::{Asker, string, topic_name};

pub fn ask(asker: &mut Asker) {
    names(asker);
    numbers(asker);
    assignments(asker);
    configs(asker);
    deletions(asker);
    more_partitions(asker);
}

fn create(topics: Vec<CreatableTopic>, validate_only: bool) -> CreateTopicsRequest {
    CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(10_000).with_validate_only(validate_only)
}

fn topic(name: &str) -> CreatableTopic {
    CreatableTopic::default().with_name(topic_name(name)).with_num_partitions(1).with_replication_factor(1)
}

fn names(asker: &mut Asker) {
    for name in ["", ".", "..", "a b", "a/b", "ü"] {
        asker.ask(&format!("create the name {name:?}"), 7, &create(vec![topic(name)], true));
    }
    let (dot, underscore) = (asker.name("b.c"), asker.name("b_c"));
    asker.ask("create names that collide in one request", 7, &create(vec![topic(&dot), topic(&underscore)], true));
    asker.create("b.c", 1, &[]);
    asker.ask("create a name that collides", 7, &create(vec![topic(&underscore)], true));
    asker.ask("create a name that is there", 7, &create(vec![topic(&dot)], true));
    let twice = asker.name("twice");
    asker.ask("create one name twice", 7, &create(vec![topic(&twice), topic(&twice)], true));
    asker.ask("create nothing", 7, &create(Vec::new(), false));
    asker.ask("create the metadata topic", 7, &create(vec![topic("__cluster_metadata")], true));
    for timeout_ms in [0, -1] {
        let request = create(vec![topic(&asker.name("timeout"))], true).with_timeout_ms(timeout_ms);
        asker.ask(&format!("create with timeout {timeout_ms}"), 7, &request);
    }
}

fn numbers(asker: &mut Asker) {
    let name = asker.name("numbers");
    for partitions in [0, -1, -2, i32::MIN] {
        let topic = topic(&name).with_num_partitions(partitions);
        asker.ask(&format!("create {partitions} partitions"), 7, &create(vec![topic.clone()], true));
        asker.ask(&format!("create {partitions} partitions, version 3"), 3, &create(vec![topic], true));
    }
    for replicas in [0, -1, -2, 2, i16::MAX] {
        let topic = topic(&name).with_replication_factor(replicas);
        asker.ask(&format!("create {replicas} replicas"), 7, &create(vec![topic.clone()], true));
        asker.ask(&format!("create {replicas} replicas, version 3"), 3, &create(vec![topic], true));
    }
}

fn assigned(name: &str, assignments: &[(i32, &[i32])]) -> CreatableTopic {
    let assignments = assignments.iter().map(|(partition, brokers)| {
        let brokers = brokers.iter().map(|id| BrokerId(*id)).collect();
        CreatableReplicaAssignment::default().with_partition_index(*partition).with_broker_ids(brokers)
    });
    topic(name).with_num_partitions(-1).with_replication_factor(-1).with_assignments(assignments.collect())
}

fn assignments(asker: &mut Asker) {
    let name = asker.name("assigned");
    let cases: [&[(i32, &[i32])]; 9] = [
        &[(0, &[1]), (1, &[1])],
        &[(0, &[99])],
        &[(0, &[1, 1])],
        &[(0, &[-1])],
        &[(0, &[])],
        &[(0, &[1]), (2, &[1])],
        &[(1, &[1]), (2, &[1])],
        &[(0, &[1]), (0, &[1])],
        &[(-1, &[1])],
    ];
    for case in cases {
        asker.ask(&format!("create with assignments {case:?}"), 7, &create(vec![assigned(&name, case)], true));
    }
    let one: &[(i32, &[i32])] = &[(0, &[1])];
    for (partitions, replicas) in [(1, -1), (-1, 1), (1, 1)] {
        let topic = assigned(&name, one).with_num_partitions(partitions).with_replication_factor(replicas);
        let case = format!("create with assignments, {partitions} partitions and {replicas} replicas");
        asker.ask(&case, 7, &create(vec![topic], true));
    }
}

fn configs(asker: &mut Asker) {
    let name = asker.name("configured");
    let cases: [&[(&str, Option<&str>)]; 13] = [
        &[("no.such.key", Some("1"))],
        &[("retention.ms", Some("soon"))],
        &[("retention.ms", Some("-2"))],
        &[("retention.ms", None)],
        &[("retention.ms", Some(""))],
        &[("cleanup.policy", Some("delete,shred"))],
        &[("cleanup.policy", Some(""))],
        &[("compression.type", Some("rar"))],
        &[("compression.gzip.level", Some("99"))],
        &[("min.insync.replicas", Some("0"))],
        &[("max.message.bytes", Some("-1"))],
        &[("retention.ms", Some("1")), ("retention.ms", Some("2"))],
        &[("", Some("1"))],
    ];
    for case in cases {
        let configs = case
            .iter()
            .map(|(key, value)| CreatableTopicConfig::default().with_name(string(key)).with_value(value.map(string)));
        let topic = topic(&name).with_configs(configs.collect());
        // Version 4 has no settings in its answer.
        asker.ask(&format!("create with settings {case:?}"), 4, &create(vec![topic], true));
    }
}

fn deletions(asker: &mut Asker) {
    let unknown = Uuid::from_u128(77);
    let state =
        |name: Option<&str>, id: Uuid| DeleteTopicState::default().with_name(name.map(topic_name)).with_topic_id(id);
    let delete = |topics| DeleteTopicsRequest::default().with_topics(topics).with_timeout_ms(10_000);
    let (name, id) = (asker.name("victim"), asker.create("victim", 1, &[]));
    let missing = asker.name("missing");
    asker.ask("delete nothing", 6, &delete(Vec::new()));
    asker.ask("delete an unknown name", 6, &delete(vec![state(Some(&missing), Uuid::nil())]));
    asker.ask("delete an invalid name", 6, &delete(vec![state(Some("a b"), Uuid::nil())]));
    asker.ask("delete an unknown id", 6, &delete(vec![state(None, unknown)]));
    asker.ask("delete neither name nor id", 6, &delete(vec![state(None, Uuid::nil())]));
    asker.ask("delete by name and id", 6, &delete(vec![state(Some(&name), id)]));
    asker.ask("delete by name and by id", 6, &delete(vec![state(Some(&name), Uuid::nil()), state(None, id)]));
    let twice = delete(vec![state(Some(&name), Uuid::nil()), state(Some(&name), Uuid::nil())]);
    asker.ask("delete one name twice in a request", 6, &twice);
    asker.ask("delete one id twice in a request", 6, &delete(vec![state(None, id), state(None, id)]));
    let old = |names: &[&str]| {
        let names = names.iter().map(|name| topic_name(name)).collect();
        DeleteTopicsRequest::default().with_topic_names(names).with_timeout_ms(10_000)
    };
    asker.ask("delete one name twice, version 5", 5, &old(&[&name, &name]));
    asker.create("victim-2", 1, &[]);
    let name = asker.name("victim-2");
    asker.ask("delete", 5, &old(&[&name]));
    asker.ask("delete once more", 5, &old(&[&name]));
}

fn more_partitions(asker: &mut Asker) {
    asker.create("grows", 2, &[]);
    let name = asker.name("grows");
    let grow = |name: &str, count| CreatePartitionsTopic::default().with_name(topic_name(name)).with_count(count);
    let grow = |name: &str, count| grow(name, count).with_assignments(None);
    let request = |topics| {
        CreatePartitionsRequest::default().with_topics(topics).with_timeout_ms(10_000).with_validate_only(true)
    };
    for count in [-1, 0, 1, 2, 3] {
        asker.ask(&format!("grow from 2 partitions to {count}"), 3, &request(vec![grow(&name, count)]));
    }
    asker.ask("grow nothing", 3, &request(Vec::new()));
    asker.ask("grow an unknown topic", 3, &request(vec![grow(&asker.name("missing"), 3)]));
    asker.ask("grow an invalid name", 3, &request(vec![grow("a b", 3)]));
    asker.ask("grow one topic twice", 3, &request(vec![grow(&name, 3), grow(&name, 4)]));
    let cases: [&[&[i32]]; 6] = [&[&[1]], &[&[1], &[1]], &[&[99]], &[&[1, 1]], &[&[]], &[]];
    for case in cases {
        let assignments = case.iter().map(|brokers| {
            CreatePartitionsAssignment::default().with_broker_ids(brokers.iter().map(|id| BrokerId(*id)).collect())
        });
        let topic = grow(&name, 3).with_assignments(Some(assignments.collect()));
        asker.ask(&format!("grow by one with assignments {case:?}"), 3, &request(vec![topic]));
    }
}
