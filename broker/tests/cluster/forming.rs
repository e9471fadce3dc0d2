//! One cluster comes into being, whatever the order in which its nodes start.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::client::{config, create_topic, producer, read, send};
use crate::support::{Cluster, Options};

fn brokers_seen(bootstrap: &str) -> Vec<i32> {
    let consumer: BaseConsumer = config(bootstrap).create().unwrap();
    let metadata = consumer.fetch_metadata(None, Duration::from_secs(10)).unwrap();
    let mut ids: Vec<i32> = metadata.brokers().iter().map(|broker| broker.id()).collect();
    ids.sort_unstable();
    ids
}

fn cluster_id(node: &crate::support::Broker) -> String {
    let meta = std::fs::read_to_string(node.data_dir().join("meta.properties")).unwrap();
    meta.lines().find_map(|line| line.strip_prefix("cluster.id=")).unwrap_or_default().to_owned()
}

#[test]
fn nodes_that_start_one_after_the_other_form_one_cluster() {
    let mut cluster = Cluster::prepare::<3>(Options::default().cores(1));
    // The highest first, and the others only when it has waited.
    cluster.nodes[2].spawn();
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(cluster_id(&cluster.nodes[2]), "", "one of three founds nothing");
    cluster.nodes[0].spawn();
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(cluster_id(&cluster.nodes[0]), "", "two of three found nothing");
    cluster.nodes[1].spawn();
    cluster.await_ready();
    let ids: Vec<String> = cluster.nodes.iter().map(cluster_id).collect();
    assert!(!ids[0].is_empty() && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    for node in &cluster.nodes {
        assert_eq!(brokers_seen(node.bootstrap()), [1, 2, 3]);
    }
}

#[test]
fn a_further_node_joins_with_the_same_setting() {
    let mut cluster = Cluster::start::<3>(Options::default().cores(1));
    let joined = cluster.prepare_another();
    joined.spawn();
    joined.await_ready().unwrap_or_else(|error| panic!("{error}"));
    let bootstrap = joined.bootstrap().to_owned();
    assert_eq!(brokers_seen(&bootstrap), [1, 2, 3, 4]);
    create_topic(&bootstrap, "joined", 4, 4);
    let producer = producer(&bootstrap);
    for partition in 0..4 {
        send(&producer, "joined", partition, "hello");
        assert_eq!(read(&bootstrap, "joined", partition), ["hello"]);
    }
}
