//! `uniform` where members read different topics. What is free goes to those with the least, topic by topic; then partitions
//! move from those with the most to those with the least until that improves nothing more (Kafka's
//! `UniformHeterogeneousAssignmentBuilder`).

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::super::member::Partitions;
use super::Spec;

/// Passes over all topics while balancing. Where subscriptions overlap without being the same it takes long to come to rest,
/// and each pass about halves what is uneven.
const PASSES_MAX: usize = 16;

struct Topic {
    id: Uuid,
    /// Indexes of members, in order.
    subscribers: Vec<usize>,
    /// Who is to have each partition.
    owners: Vec<Option<usize>>,
}

struct Builder {
    topics: Vec<Topic>,
    /// How many partitions each member has.
    loads: Vec<usize>,
}

pub(super) fn assign(spec: &Spec) -> Vec<Partitions> {
    let mut builder = Builder::new(spec);
    builder.keep(spec);
    builder.assign_free();
    builder.balance();
    builder.result(spec.members.len())
}

impl Builder {
    fn new(spec: &Spec) -> Self {
        let mut subscribers: BTreeMap<Uuid, Vec<usize>> = BTreeMap::new();
        for (index, member) in spec.members.iter().enumerate() {
            for topic in member.topics.iter() {
                subscribers.entry(*topic).or_default().push(index);
            }
        }
        let topic = |(id, subscribers): (Uuid, Vec<usize>)| {
            let count = spec.partitions.get(&id).and_then(|count| usize::try_from(*count).ok()).unwrap_or(0);
            Topic { id, subscribers, owners: vec![None; count] }
        };
        let mut topics: Vec<Topic> = subscribers.into_iter().map(topic).collect();
        topics.sort_by(Topic::compare);
        Self { topics, loads: vec![0; spec.members.len()] }
    }

    /// Members keep what they had of topics that they still read.
    fn keep(&mut self, spec: &Spec) {
        for topic in &mut self.topics {
            for &subscriber in &topic.subscribers {
                let had = spec.members.get(subscriber).and_then(|member| member.assigned.get(&topic.id));
                for partition in had.into_iter().flatten() {
                    let owner = usize::try_from(*partition).ok().and_then(|index| topic.owners.get_mut(index));
                    let Some(owner) = owner.filter(|owner| owner.is_none()) else { continue };
                    *owner = Some(subscriber);
                    if let Some(load) = self.loads.get_mut(subscriber) {
                        *load += 1;
                    }
                }
            }
        }
    }

    fn assign_free(&mut self) {
        for topic in &mut self.topics {
            let mut queue = queue(&topic.subscribers, &self.loads);
            for owner in topic.owners.iter_mut().filter(|owner| owner.is_none()) {
                let Some((load, member)) = queue.pop_first() else { break };
                *owner = Some(member);
                queue.insert((load + 1, member));
            }
            settle(&queue, &mut self.loads);
        }
    }

    fn balance(&mut self) {
        for _ in 0..PASSES_MAX {
            let mut moved = false;
            for topic in self.topics.iter_mut().filter(|topic| topic.subscribers.len() > 1) {
                moved |= topic.balance(&mut self.loads);
            }
            if !moved {
                return;
            }
        }
    }

    fn result(self, members: usize) -> Vec<Partitions> {
        let mut result = vec![Partitions::new(); members];
        for topic in self.topics {
            for (partition, owner) in (0..).zip(topic.owners) {
                if let Some(assigned) = owner.and_then(|owner| result.get_mut(owner)) {
                    assigned.entry(topic.id).or_default().insert(partition);
                }
            }
        }
        result
    }
}

/// Members by how much they have, those with the least first.
fn queue(members: &[usize], loads: &[usize]) -> BTreeSet<(usize, usize)> {
    members.iter().map(|member| (loads.get(*member).copied().unwrap_or(0), *member)).collect()
}

fn settle(queue: &BTreeSet<(usize, usize)>, loads: &mut [usize]) {
    for (load, member) in queue {
        if let Some(of_member) = loads.get_mut(*member) {
            *of_member = *load;
        }
    }
}

impl Topic {
    /// Most partitions per subscriber first, then fewest subscribers, then by id.
    fn compare(&self, other: &Self) -> Ordering {
        let ratio = |of: &Self, by: &Self| of.owners.len() * by.subscribers.len();
        ratio(other, self)
            .cmp(&ratio(self, other))
            .then(self.subscribers.len().cmp(&other.subscribers.len()))
            .then(self.id.cmp(&other.id))
    }

    /// Moves partitions of this topic from those with the most to those with the least; whether any was.
    fn balance(&mut self, loads: &mut [usize]) -> bool {
        let mut queue = queue(&self.subscribers, loads);
        let mut has: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (partition, owner) in self.owners.iter().enumerate() {
            if let Some(owner) = owner {
                has.entry(*owner).or_default().push(partition);
            }
        }
        let mut moved = false;
        // Those without a partition of this topic have nothing to give, however much they have.
        let mut givers: BTreeSet<(usize, usize)> =
            queue.iter().filter(|(_, member)| has.contains_key(member)).copied().collect();
        while let (Some(&(least, to)), Some((most, from))) = (queue.first(), givers.pop_last()) {
            if most <= least + 1 {
                break;
            }
            let Some(partition) = has.get_mut(&from).and_then(Vec::pop) else { continue };
            if let Some(owner) = self.owners.get_mut(partition) {
                *owner = Some(to);
            }
            queue.remove(&(most, from));
            queue.insert((most - 1, from));
            queue.remove(&(least, to));
            queue.insert((least + 1, to));
            givers.insert((most - 1, from));
            moved = true;
        }
        settle(&queue, loads);
        moved
    }
}
