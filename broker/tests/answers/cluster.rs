//! Elections, reassignments, the quorum, log directories, config resources and telemetry, as one node answers.

use thalweg_protocol::messages::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use thalweg_protocol::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use thalweg_protocol::messages::describe_configs_request::DescribeConfigsResource;
use thalweg_protocol::messages::elect_leaders_request::TopicPartitions;
use thalweg_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use thalweg_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use thalweg_protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterReplicaLogDirsRequest, BrokerId, DescribeConfigsRequest,
    DescribeQuorumRequest, ElectLeadersRequest, GetTelemetrySubscriptionsRequest, IncrementalAlterConfigsRequest,
    ListConfigResourcesRequest, ListPartitionReassignmentsRequest, PushTelemetryRequest, UnregisterBrokerRequest,
};
use thalweg_protocol::messages::{describe_quorum_request, describe_quorum_response};
use uuid::Uuid;

use crate::asker::{Asker, string, topic_name};

/// What a case is called, and what is in its request.
type Case<'a, T> = (&'a str, &'a [T]);

const CLIENT_METRICS: i8 = 16;

pub fn ask(asker: &mut Asker) {
    asker.create("c1", 1, &[]);
    elections(asker);
    reassignments(asker);
    quorum(asker);
    directories(asker);
    subscriptions(asker);
    resources(asker);
    telemetry(asker);
    for id in [-1, 9999] {
        asker.ask(
            &format!("unregister broker {id}"),
            0,
            &UnregisterBrokerRequest::default().with_broker_id(BrokerId(id)),
        );
    }
}

fn elections(asker: &mut Asker) {
    let (known, missing) = (asker.name("c1"), asker.name("missing"));
    let elect = |kind, topics: &[(&str, i32)]| {
        let topics = topics
            .iter()
            .map(|(name, index)| TopicPartitions::default().with_topic(topic_name(name)).with_partitions(vec![*index]));
        ElectLeadersRequest::default()
            .with_election_type(kind)
            .with_topic_partitions(Some(topics.collect()))
            .with_timeout_ms(10_000)
    };
    for kind in [0, 1, 2, -1] {
        asker.ask(&format!("elect with type {kind}"), 2, &elect(kind, &[(&known, 0)]));
    }
    asker.ask("elect, version 0", 0, &elect(0, &[(&known, 0)]));
    asker.ask("elect for an unknown partition", 2, &elect(0, &[(&known, 9)]));
    asker.ask("elect for an unknown topic", 2, &elect(0, &[(&missing, 0)]));
    asker.ask("elect for nothing", 2, &elect(0, &[]));
}

fn reassignments(asker: &mut Asker) {
    let (known, missing) = (asker.name("c1"), asker.name("missing"));
    let assign = |name: &str, index, replicas: Option<&[i32]>| {
        let replicas = replicas.map(|nodes| nodes.iter().map(|node| BrokerId(*node)).collect());
        let partition = ReassignablePartition::default().with_partition_index(index).with_replicas(replicas);
        let topic = ReassignableTopic::default().with_name(topic_name(name)).with_partitions(vec![partition]);
        AlterPartitionReassignmentsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000)
    };
    let cases = [
        ("where it is", assign(&known, 0, Some(&[1]))),
        ("nowhere", assign(&known, 0, Some(&[]))),
        ("to an unknown broker", assign(&known, 0, Some(&[9999]))),
        ("to one broker twice", assign(&known, 0, Some(&[1, 1]))),
        ("back, with nothing under way", assign(&known, 0, None)),
        ("an unknown partition", assign(&known, 9, Some(&[1]))),
        ("an unknown topic", assign(&missing, 0, Some(&[1]))),
        ("an unknown topic back", assign(&missing, 0, None)),
    ];
    for (case, request) in cases {
        asker.ask(&format!("reassign {case}"), 0, &request);
    }
    let fixed = assign(&known, 0, Some(&[1])).with_allow_replication_factor_change(false);
    asker.ask("reassign with a fixed replication factor", 1, &fixed);
    let list = |topics: Option<&[(&str, i32)]>| {
        let topics = topics.map(|topics| {
            let topic = |(name, index): &(&str, i32)| {
                ListPartitionReassignmentsTopics::default()
                    .with_name(topic_name(name))
                    .with_partition_indexes(vec![*index])
            };
            topics.iter().map(topic).collect()
        });
        ListPartitionReassignmentsRequest::default().with_topics(topics).with_timeout_ms(10_000)
    };
    asker.ask("reassignments, all", 0, &list(None));
    asker.ask("reassignments of known and unknown", 0, &list(Some(&[(&known, 0), (&known, 9), (&missing, 0)])));
}

fn quorum(asker: &mut Asker) {
    let request = |topics: &[(&str, &[i32])]| {
        let topics = topics.iter().map(|(name, indexes)| {
            let partitions = indexes
                .iter()
                .map(|index| describe_quorum_request::PartitionData::default().with_partition_index(*index));
            describe_quorum_request::TopicData::default()
                .with_topic_name(topic_name(name))
                .with_partitions(partitions.collect())
        });
        DescribeQuorumRequest::default().with_topics(topics.collect())
    };
    let metadata = "__cluster_metadata";
    let wrong: [Case<(&str, &[i32])>; 5] = [
        ("of nothing", &[]),
        ("of another topic", &[("other", &[0])]),
        ("of another partition", &[(metadata, &[1])]),
        ("of two partitions", &[(metadata, &[0, 1])]),
        ("of two topics", &[(metadata, &[0]), ("other", &[0])]),
    ];
    for (case, topics) in wrong {
        asker.ask(&format!("quorum {case}"), 2, &request(topics));
    }
    // Offsets, times and addresses are each run's own.
    for version in 0..=2 {
        let answer = asker.quietly(version, &request(&[(metadata, &[0])])).map(|answer| {
            let partition: &describe_quorum_response::PartitionData = &answer.topics[0].partitions[0];
            let voter = &partition.current_voters[0];
            (
                (answer.error_code, partition.error_code, partition.leader_id, partition.observers.len()),
                (partition.leader_epoch >= 0, partition.high_watermark > 0, partition.current_voters.len()),
                (voter.replica_id, voter.log_end_offset >= partition.high_watermark, voter.last_fetch_timestamp > 0),
                answer.nodes.iter().map(|node| (node.node_id, node.listeners.len())).collect::<Vec<_>>(),
            )
        });
        asker.note(&format!("quorum, version {version}"), &answer);
    }
}

fn directories(asker: &mut Asker) {
    let (known, missing) = (asker.name("c1"), asker.name("missing"));
    let to = |dir: &str, name: &str, index| {
        let topic = AlterReplicaLogDirTopic::default().with_name(topic_name(name)).with_partitions(vec![index]);
        let dir = AlterReplicaLogDir::default().with_path(string(dir)).with_topics(vec![topic]);
        AlterReplicaLogDirsRequest::default().with_dirs(vec![dir])
    };
    let long = "x".repeat(230);
    asker.ask("move to no directory", 2, &to("/no/such/directory", &known, 0));
    asker.ask("move to an empty name", 2, &to("", &known, 0));
    asker.ask("move an unknown topic to no directory", 2, &to("/no/such/directory", &missing, 0));
    asker.ask("move a topic with a long name", 2, &to("/no/such/directory", &long, 0));
    asker.ask("move nothing", 1, &AlterReplicaLogDirsRequest::default());
    let here = asker.log_dir(&known);
    asker.ask("move to where it is", 2, &to(&here, &known, 0));
    asker.ask("move an unknown partition", 2, &to(&here, &known, 9));
    asker.ask("move an unknown topic", 2, &to(&here, &missing, 0));
}

fn change(name: &str, pairs: &[(&str, i8, Option<&str>)]) -> IncrementalAlterConfigsRequest {
    let configs = pairs.iter().map(|(key, operation, value)| {
        AlterableConfig::default()
            .with_name(string(key))
            .with_config_operation(*operation)
            .with_value(value.map(string))
    });
    let resource = AlterConfigsResource::default()
        .with_resource_type(CLIENT_METRICS)
        .with_resource_name(string(name))
        .with_configs(configs.collect());
    IncrementalAlterConfigsRequest::default().with_resources(vec![resource])
}

fn subscriptions(asker: &mut Asker) {
    let name = asker.name("subscription");
    let describe = |name: &str| {
        let resource = DescribeConfigsResource::default()
            .with_resource_type(CLIENT_METRICS)
            .with_resource_name(string(name))
            .with_configuration_keys(None);
        DescribeConfigsRequest::default().with_resources(vec![resource]).with_include_synonyms(true)
    };
    let cases: &[Case<(&str, i8, Option<&str>)>] = &[
        ("interval 99", &[("interval.ms", 0, Some("99"))]),
        ("interval 3600001", &[("interval.ms", 0, Some("3600001"))]),
        ("interval often", &[("interval.ms", 0, Some("often"))]),
        ("another key", &[("interval", 0, Some("1000"))]),
        ("a null value", &[("metrics", 0, None)]),
        ("an unknown property", &[("match", 0, Some("client_name=a"))]),
        ("half a pattern", &[("match", 0, Some("client_id"))]),
        ("a bad pattern", &[("match", 0, Some("client_id=("))]),
        ("one key twice", &[("interval.ms", 0, Some("1000")), ("interval.ms", 0, Some("2000"))]),
        (
            "settings",
            &[("interval.ms", 0, Some("1000")), ("metrics", 0, Some("a.,b.")), ("match", 0, Some("client_id=never"))],
        ),
        ("a metric more", &[("metrics", 2, Some("c."))]),
        ("a metric less", &[("metrics", 3, Some("a."))]),
        ("an interval more", &[("interval.ms", 2, Some("1"))]),
    ];
    for (case, pairs) in cases {
        asker.ask(&format!("subscribe with {case}"), 1, &change(&name, pairs));
    }
    asker.ask("subscribe without a name", 1, &change("", &[("interval.ms", 0, Some("1000"))]));
    asker.ask("subscription", 4, &describe(&name));
    asker.ask("subscription that is not there", 4, &describe(&asker.name("missing")));
    asker.ask("subscription without a name", 4, &describe(""));
    let listed = asker.quietly(0, &ListConfigResourcesRequest::default()).map(|answer| {
        let mine = answer.config_resources.iter().filter(|resource| resource.resource_name.as_str() == name);
        (answer.error_code, mine.count())
    });
    asker.note("subscriptions, listed", &listed);
    let gone = [("interval.ms", 1, None), ("metrics", 1, None), ("match", 1, None)];
    asker.ask("unsubscribe", 1, &change(&name, &gone));
    asker.ask("subscription that is gone", 4, &describe(&name));
}

fn resources(asker: &mut Asker) {
    for types in
        [vec![2], vec![4], vec![8], vec![4, 8], vec![16], vec![32], vec![0], vec![1], vec![2, 99], vec![-1], vec![4, 4]]
    {
        let request = ListConfigResourcesRequest::default().with_resource_types(types.clone());
        let answer = asker.quietly(1, &request).map(|answer| {
            let kinds: std::collections::BTreeSet<i8> =
                answer.config_resources.iter().map(|resource| resource.resource_type).collect();
            // Kafka's order of types is a hash's.
            let mut brokers: Vec<_> = answer
                .config_resources
                .iter()
                .filter(|resource| [4, 8].contains(&resource.resource_type))
                .map(|resource| (resource.resource_type, resource.resource_name.to_string()))
                .collect();
            brokers.sort_unstable();
            (answer.error_code, kinds, brokers)
        });
        asker.note(&format!("resources of types {types:?}"), &answer);
    }
}

fn telemetry(asker: &mut Asker) {
    let id = Uuid::from_u128(0x1234_5678_9abc_def0_1234_5678_9abc_def0);
    let get = |id| GetTelemetrySubscriptionsRequest::default().with_client_instance_id(id);
    // Kafka serves these only with a plugin that takes what is pushed, and the file's broker has none.
    let answer = asker.quietly(0, &get(id)).map(|answer| {
        (answer.error_code, answer.push_interval_ms, answer.accepted_compression_types, answer.delta_temporality)
    });
    asker.note("telemetry, asked", &answer);
    let again = asker.quietly(0, &get(id)).map(|answer| answer.error_code);
    asker.note("telemetry, asked again at once", &again);
    let push = PushTelemetryRequest::default().with_client_instance_id(id).with_subscription_id(1);
    asker.ask("telemetry, pushed for another subscription", 0, &push);
    asker.ask("telemetry, pushed by nobody", 0, &push.with_client_instance_id(Uuid::nil()));
}
