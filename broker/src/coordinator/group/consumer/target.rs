//! The target assignment: what each member is to have in the group's epoch (Kafka's `TargetAssignmentBuilder`).

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use thalweg_protocol::{StrBytes, TimestampMs};
use uuid::Uuid;

use super::assignor::{Assignor, Spec, Subscriber};
use super::draft::Draft;
use super::group::ConsumerGroup;
use super::record::{ConsumerRecord, TargetEpoch};
use super::topics::Cluster;

/// Computes the target of the group's epoch, and writes down whose changed.
pub(super) fn retarget(draft: &mut Draft, assignor: Assignor, cluster: &Cluster, now: TimestampMs) {
    let spec = spec(&draft.group, cluster);
    let targets = assignor.assign(&spec);
    for (member, target) in spec.members.into_iter().zip(targets) {
        // Also an empty one is written once, as Kafka does: it says that the member was there.
        let known = draft.group.target.contains_key(&member.id);
        if !known || *member.assigned != target {
            draft.write(ConsumerRecord::Target(member.id, Some(Rc::new(target))));
        }
    }
    let epoch = draft.group.epoch.epoch;
    draft.write(ConsumerRecord::TargetEpoch(Some(TargetEpoch { epoch, computed_at: now })));
}

fn spec(group: &ConsumerGroup, cluster: &Cluster) -> Spec {
    let mut partitions = BTreeMap::new();
    let mut known: BTreeMap<Subscription<'_>, Rc<BTreeSet<Uuid>>> = BTreeMap::new();
    let members = group.members.values().map(|member| {
        let subscription = (member.metadata.topics.as_ref(), member.metadata.regex());
        let topics = known.entry(subscription).or_insert_with(|| {
            let ids = cluster.ids(&group.topics_of(&member.metadata));
            for topic in group.topics_of(&member.metadata).iter().filter_map(|name| cluster.topic(name)) {
                partitions.insert(topic.id, i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX));
            }
            Rc::new(ids)
        });
        Subscriber {
            id: member.id.clone(),
            instance_id: member.metadata.instance_id.clone(),
            topics: Rc::clone(topics),
            assigned: group.target_of(&member.id),
        }
    });
    let members = members.collect();
    Spec { members, partitions, homogeneous: group.is_homogeneous() }
}

/// What members of the same topics share.
type Subscription<'a> = (&'a BTreeSet<StrBytes>, Option<&'a StrBytes>);

/// The assignor that most members prefer; the first of the configured ones where nobody minds.
pub(in crate::coordinator::group) fn preferred_assignor(group: &ConsumerGroup, configured: &[Assignor]) -> Assignor {
    let mut votes: BTreeMap<Assignor, usize> = BTreeMap::new();
    for member in group.members.values() {
        let wanted = member.metadata.assignor.as_deref().and_then(Assignor::named);
        if let Some(assignor) = wanted.filter(|assignor| configured.contains(assignor)) {
            *votes.entry(assignor).or_default() += 1;
        }
    }
    let most = votes.into_iter().max_by_key(|(assignor, votes)| (*votes, std::cmp::Reverse(*assignor)));
    let default = configured.first().copied().unwrap_or(Assignor::Uniform);
    most.map_or(default, |(assignor, _)| assignor)
}
