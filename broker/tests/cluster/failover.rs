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

#[test]
fn what_was_acknowledged_under_load_outlives_kills_of_any_node() {
    const PARTITIONS: i32 = 6;
    let mut cluster = Cluster::start::<3>(Options::default().cores(2));
    let bootstrap = cluster.bootstrap();
    create_topic(&bootstrap, TOPIC, PARTITIONS, 3);
    let running = std::sync::atomic::AtomicBool::new(true);
    let acknowledged = std::thread::scope(|scope| {
        let (running, bootstrap) = (&running, &bootstrap);
        let writers: Vec<_> =
            (0..2).map(|id| scope.spawn(move || write_while(running, bootstrap, id, PARTITIONS))).collect();
        for round in 0..4 {
            std::thread::sleep(std::time::Duration::from_secs(2));
            let killed = 1 + round % 3;
            cluster.node(killed).kill9();
            std::thread::sleep(std::time::Duration::from_secs(2));
            cluster.node(killed).restart();
        }
        running.store(false, std::sync::atomic::Ordering::Relaxed);
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(acknowledged.len() > 1000, "{} records were acknowledged", acknowledged.len());
    for partition in 0..PARTITIONS {
        let found = read(&bootstrap, TOPIC, partition);
        for (_, offset, value) in acknowledged.iter().filter(|(of, ..)| *of == partition) {
            assert_eq!(found.get(*offset as usize), Some(value), "partition {partition}, offset {offset}");
        }
        let distinct: std::collections::HashSet<_> = found.iter().collect();
        assert_eq!(distinct.len(), found.len(), "partition {partition} has something twice");
    }
}

/// Many records at once to all partitions, until told to stop: partition, offset and value of those acknowledged.
fn write_while(
    running: &std::sync::atomic::AtomicBool,
    bootstrap: &str,
    id: usize,
    partitions: i32,
) -> Vec<(i32, i64, String)> {
    let producer = producer(bootstrap);
    let mut acknowledged = Vec::new();
    let mut round = 0;
    while running.load(std::sync::atomic::Ordering::Relaxed) {
        let sent: Vec<_> = (0..300)
            .map(|n| {
                let (partition, value) = (n % partitions, format!("{id}-{round}-{n}"));
                let record = rdkafka::producer::FutureRecord::<(), _>::to(TOPIC).partition(partition).payload(&value);
                let delivery = producer.send_result(record).unwrap_or_else(|(error, _)| panic!("{value}: {error}"));
                (partition, value, delivery)
            })
            .collect();
        for (partition, value, delivery) in sent {
            let delivered = futures::executor::block_on(delivery).unwrap();
            let delivery = delivered.unwrap_or_else(|(error, _)| panic!("{value}: {error}"));
            acknowledged.push((partition, delivery.offset, value));
        }
        round += 1;
    }
    acknowledged
}
