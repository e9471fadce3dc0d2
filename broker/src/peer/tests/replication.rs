//! A Raft group over three nodes: what the transport is for.

use bytes::Bytes;
use thalweg_protocol::records::{BatchBuilder, stamp};
use thalweg_protocol::{KafkaOffset, LeaderEpoch, PartitionIndex, TimestampMs};
use thalweg_raft::raft_id;
use thalweg_storage::log::{LogDescriptor, LogPoint};
use thalweg_storage::types::GroupId;

use super::*;

const GROUP: GroupId = GroupId(1001);

/// Makes the group's replica on its core.
fn create(node: &TestNode) {
    node.on(0, |core| async move { core.settle(1).await.unwrap() });
    node.on(owner(node), |core| async move {
        let index = PartitionIndex(0);
        let descriptor = LogDescriptor {
            topic_id: [7; 16],
            topic: "replicated".to_owned(),
            partition: index,
            dir: core.shared.place("replicated", index),
            voters: (1..=3).map(|node| raft_id(NodeId(node))).collect(),
            created: core.now(),
            start: LogPoint::default(),
        };
        core.create_group(GROUP, descriptor).await;
    });
}

fn owner(node: &TestNode) -> usize {
    CoreId::of(GROUP, node.shared.cores).0
}

fn leader(nodes: &[TestNode]) -> Option<&TestNode> {
    let serves = |core: Rc<Core>| async move { core.with_partition(GROUP, |partition| partition.serves()) };
    nodes.iter().find(|node| node.on(owner(node), serves) == Some(true))
}

fn batch(offset: i64, epoch: LeaderEpoch, value: &[u8]) -> Bytes {
    let mut builder = BatchBuilder::new();
    builder.push(TimestampMs(1), None, Some(value), &[]).unwrap();
    let mut batch = builder.build().unwrap();
    stamp(&mut batch, KafkaOffset(offset), epoch);
    batch.freeze()
}

/// Has the leader propose so many batches; false if it no longer leads.
fn propose(leader: &TestNode, from: i64, count: i64, bytes: usize) -> bool {
    leader.on(owner(leader), move |core| async move {
        let Some(epoch) = core.with_partition(GROUP, |partition| partition.leader_epoch()) else { return false };
        (from..from + count).all(|offset| core.propose(GROUP, batch(offset, epoch, &vec![7; bytes])).is_ok())
    })
}

fn high_watermark(node: &TestNode) -> i64 {
    node.on(owner(node), |core| async move {
        core.with_partition(GROUP, |partition| partition.high_watermark().0).unwrap_or(-1)
    })
}

fn await_high_watermark(nodes: &[TestNode], expected: i64) {
    for node in nodes {
        eventually(&format!("node {} has {expected} records", node.id), || high_watermark(node) == expected);
    }
}

#[test]
fn a_group_elects_replicates_and_goes_on_without_one_of_its_nodes() {
    let mut nodes = Vec::from([(1, 2), (2, 1), (3, 3)].map(|(node, cores)| TestNode::start(node, "one", cores)));
    introduce(&nodes);
    nodes.iter().for_each(create);
    eventually("a leader", || leader(&nodes).is_some());
    // Small ones in one turn, and larger than a frame is meant to be.
    assert!(propose(leader(&nodes).unwrap(), 0, 500, 20));
    await_high_watermark(&nodes, 500);
    assert!(propose(leader(&nodes).unwrap(), 500, 4, 6 << 20));
    await_high_watermark(&nodes, 504);
    let at = nodes.iter().position(|node| node.id == leader(&nodes).unwrap().id).unwrap();
    drop(nodes.remove(at));
    eventually("another leader", || leader(&nodes).is_some());
    assert!(propose(leader(&nodes).unwrap(), 504, 100, 20));
    await_high_watermark(&nodes, 604);
}
