//! Acknowledged writes outlive any one node.

use crate::client::{create_topic, leader, producer, read, send};
use crate::support::{Cluster, Options};

const TOPIC: &str = "survivors";

#[test]
fn a_killed_leader_is_replaced_and_comes_back_as_a_follower() {
    let mut cluster = Cluster::start::<3>(Options::default().cores(2));
    let bootstrap = cluster.bootstrap();
    create_topic(&bootstrap, TOPIC, 3, 3);
    let producer = producer(&bootstrap);
    let mut written = vec![Vec::new(); 3];
    let mut write = |count: usize, tag: &str| {
        for n in 0..count {
            for partition in 0..3 {
                let value = format!("{tag}-{n}");
                let offset = send(&producer, TOPIC, partition, &value);
                assert_eq!(offset, written[partition as usize].len() as i64, "{value}");
                written[partition as usize].push(value);
            }
        }
        written.clone()
    };
    write(20, "before");
    for round in 0..3 {
        let killed = leader(&bootstrap, TOPIC, 0, -1);
        cluster.node(killed).kill9();
        let written = write(20, &format!("without-{killed}-{round}"));
        assert_ne!(leader(&bootstrap, TOPIC, 0, killed), killed);
        cluster.node(killed).restart();
        for partition in 0..3 {
            assert_eq!(read(&bootstrap, TOPIC, partition), written[partition as usize], "partition {partition}");
        }
    }
}

#[test]
fn a_stopped_leader_hands_over_and_all_nodes_come_back_from_a_power_cut() {
    let mut cluster = Cluster::start::<3>(Options::default().cores(1));
    let bootstrap = cluster.bootstrap();
    create_topic(&bootstrap, TOPIC, 1, 3);
    let producer = producer(&bootstrap);
    let mut written = Vec::new();
    for round in 0..3 {
        let stopped = leader(&bootstrap, TOPIC, 0, -1);
        cluster.node(stopped).stop();
        for n in 0..10 {
            let value = format!("{round}-{n}");
            send(&producer, TOPIC, 0, &value);
            written.push(value);
        }
        cluster.node(stopped).restart();
    }
    cluster.nodes.iter_mut().for_each(crate::support::Broker::kill9);
    cluster.nodes.iter_mut().for_each(crate::support::Broker::spawn);
    cluster.await_ready();
    assert_eq!(read(&bootstrap, TOPIC, 0), written);
}

#[test]
fn a_node_that_was_away_for_long_catches_up_from_segments() {
    let mut cluster = Cluster::start::<3>(Options::default().cores(1));
    let bootstrap = cluster.bootstrap();
    create_topic(&bootstrap, TOPIC, 2, 3);
    let producer = producer(&bootstrap);
    cluster.node(3).kill9();
    let mut written = vec![Vec::new(); 2];
    for n in 0..100 {
        for partition in 0..2 {
            let value = format!("{n}-{}", "x".repeat(20_000));
            send(&producer, TOPIC, partition, &value);
            written[partition as usize].push(value);
        }
    }
    // After a clean stop nothing of it is in memory, nor in the write-ahead log.
    for id in [1, 2] {
        cluster.node(id).stop();
        cluster.node(id).spawn();
    }
    cluster.node(3).spawn();
    cluster.await_ready();
    // From here on there is no majority without node 3, and no answer before it has all that came before.
    cluster.node(1).kill9();
    for partition in 0..2 {
        send(&producer, TOPIC, partition, "after");
        written[partition as usize].push("after".to_owned());
        assert_eq!(read(&bootstrap, TOPIC, partition), written[partition as usize]);
    }
}
