//! `range`: each topic is cut into consecutive pieces, one for each of its subscribers. Members are in the order of their
//! instance ids, those without one behind them in the order of their member ids, so that topics with as many partitions are
//! cut at the same places (co-partitioning) and a static member that returns gets what it had.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::super::member::Partitions;
use super::{Spec, Subscriber};

/// What is left of a topic while it is dealt out.
struct Cut {
    partitions: i32,
    subscribers: i32,
    /// How many subscribers still get one more than the others.
    extra: i32,
    next: i32,
}

impl Cut {
    fn take(&mut self) -> std::ops::Range<i32> {
        let quota = self.partitions / self.subscribers + i32::from(self.extra > 0);
        self.extra -= 1;
        let start = self.next;
        self.next = (start + quota).min(self.partitions);
        start..self.next
    }
}

pub(super) fn assign(spec: &Spec) -> Vec<Partitions> {
    let mut cuts: BTreeMap<Uuid, Cut> = BTreeMap::new();
    for topic in spec.members.iter().flat_map(|member| member.topics.iter()) {
        let partitions = spec.partitions.get(topic).copied().unwrap_or(0);
        let cut = cuts.entry(*topic).or_insert(Cut { partitions, subscribers: 0, extra: 0, next: 0 });
        cut.subscribers += 1;
        cut.extra = partitions % cut.subscribers;
    }
    let mut order: Vec<(usize, &Subscriber)> = spec.members.iter().enumerate().collect();
    order.sort_by_key(|(_, member)| (member.instance_id.is_none(), member.instance_id.clone(), member.id.clone()));
    let mut result: Vec<(usize, Partitions)> = order
        .into_iter()
        .map(|(index, member)| {
            let mut assigned = Partitions::new();
            for topic in member.topics.iter() {
                let range = cuts.get_mut(topic).map_or(0..0, Cut::take);
                if !range.is_empty() {
                    assigned.insert(*topic, range.collect());
                }
            }
            (index, assigned)
        })
        .collect();
    result.sort_by_key(|(index, _)| *index);
    result.into_iter().map(|(_, assigned)| assigned).collect()
}
