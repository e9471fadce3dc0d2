//! `uniform` where all members read the same topics: everybody gets as many, give or take one, and keeps what it has as far
//! as that goes (Kafka's `UniformHomogeneousAssignmentBuilder`).

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::super::member::Partitions;
use super::Spec;

pub(super) fn assign(spec: &Spec) -> Vec<Partitions> {
    let Some(first) = spec.members.first() else { return Vec::new() };
    let mut free = unassigned(spec, &first.topics);
    let total: usize = first.topics.iter().map(|topic| count(spec, topic)).sum();
    let members = spec.members.len();
    let mut extra = total % members;
    let mut result = Vec::with_capacity(members);
    let mut room = Vec::with_capacity(members);
    for member in &spec.members {
        let quota = total / members + usize::from(extra > 0);
        extra = extra.saturating_sub(1);
        let (kept, left) = keep(&member.assigned, &first.topics, quota, &mut free);
        result.push(kept);
        room.push(left);
    }
    let mut free = free.into_iter();
    for (assigned, room) in result.iter_mut().zip(room) {
        for (topic, partition) in free.by_ref().take(room) {
            assigned.entry(topic).or_default().insert(partition);
        }
    }
    debug_assert!(free.next().is_none(), "the quotas add up to all partitions");
    result
}

fn count(spec: &Spec, topic: &Uuid) -> usize {
    spec.partitions.get(topic).and_then(|count| usize::try_from(*count).ok()).unwrap_or(0)
}

/// Partitions that nobody was to have.
fn unassigned(spec: &Spec, topics: &BTreeSet<Uuid>) -> Vec<(Uuid, i32)> {
    let mut taken: BTreeMap<Uuid, BTreeSet<i32>> = BTreeMap::new();
    for (topic, partitions) in spec.members.iter().flat_map(|member| member.assigned.iter()) {
        taken.entry(*topic).or_default().extend(partitions);
    }
    let all = topics.iter().flat_map(|topic| {
        let partitions = 0..spec.partitions.get(topic).copied().unwrap_or(0);
        partitions.map(move |index| (*topic, index))
    });
    all.filter(|(topic, index)| taken.get(topic).is_none_or(|taken| !taken.contains(index))).collect()
}

/// As much of what a member had as its quota allows; what is beyond that becomes free. Also the room that is left.
fn keep(
    assigned: &Partitions,
    topics: &BTreeSet<Uuid>,
    mut quota: usize,
    free: &mut Vec<(Uuid, i32)>,
) -> (Partitions, usize) {
    let mut kept = Partitions::new();
    for (topic, partitions) in assigned.iter().filter(|(topic, _)| topics.contains(*topic)) {
        for index in partitions {
            if quota > 0 {
                quota -= 1;
                kept.entry(*topic).or_default().insert(*index);
            } else {
                free.push((*topic, *index));
            }
        }
    }
    (kept, quota)
}
