//! Who reads from which partition: each partition has a reader, and each member something to read, with as few readers of one
//! partition as that allows (the aim of Kafka's `SimpleAssignor`).

use std::collections::{BTreeMap, BTreeSet};

use thalweg_protocol::StrBytes;
use uuid::Uuid;

use crate::coordinator::group::consumer::{Cluster, ConsumerGroup, Partitions};

/// What each member is to have.
pub(super) fn assign(group: &ConsumerGroup, cluster: &Cluster) -> BTreeMap<StrBytes, Partitions> {
    // Members that read the same topics share these out among them; so do, where they differ, the readers of each topic.
    let mut by_subscription: BTreeMap<&BTreeSet<StrBytes>, Vec<&StrBytes>> = BTreeMap::new();
    for (id, member) in &group.members {
        by_subscription.entry(&member.metadata.topics).or_default().push(id);
    }
    let mut targets = BTreeMap::new();
    if let [(topics, members)] = by_subscription.iter().collect::<Vec<_>>().as_slice() {
        share_out(&partitions(topics.iter(), cluster), members, &mut targets);
        return targets;
    }
    for name in group.topics.keys() {
        let readers = group.members.iter().filter(|(_, member)| member.metadata.topics.contains(name));
        let readers: Vec<&StrBytes> = readers.map(|(id, _)| id).collect();
        share_out(&partitions(std::iter::once(name), cluster), &readers, &mut targets);
    }
    targets
}

fn partitions<'a>(names: impl Iterator<Item = &'a StrBytes>, cluster: &Cluster) -> Vec<(Uuid, i32)> {
    let topics = names.filter_map(|name| cluster.topic(name));
    topics.flat_map(|topic| (0..).take(topic.partitions.len()).map(|index| (topic.id, index))).collect()
}

fn share_out(partitions: &[(Uuid, i32)], members: &[&StrBytes], targets: &mut BTreeMap<StrBytes, Partitions>) {
    if partitions.is_empty() {
        return;
    }
    // The longer of the two is gone through once, the other again and again.
    for turn in 0..partitions.len().max(members.len()) {
        let partition = partitions.get(turn % partitions.len());
        let member = members.get(turn % members.len().max(1));
        if let (Some((topic, index)), Some(member)) = (partition, member) {
            targets.entry((*member).clone()).or_default().entry(*topic).or_default().insert(*index);
        }
    }
}
