//! From what a member has to what it is to have, step by step: it gives up before anybody else is given, and is given what
//! nobody else has (Kafka's `CurrentAssignmentBuilder`).

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use uuid::Uuid;

use super::member::{CurrentAssignment, Member, MemberState, Owned, Partitions};
use super::refusal::Refusal;

/// What the next step depends on.
pub(super) struct Situation<'a> {
    pub(super) target_epoch: i32,
    pub(super) target: &'a Partitions,
    /// The topics that the member reads; what it has of others it is to give up.
    pub(super) topics: &'a BTreeSet<Uuid>,
    /// It reads others than it did when the target was computed.
    pub(super) subscription_changed: bool,
    /// What the member says that it has, if it does.
    pub(super) owned: Option<&'a Partitions>,
    pub(super) is_free: &'a dyn Fn(Uuid, i32) -> bool,
}

/// Where the member is after the step; as it was, if it cannot go on.
pub(super) fn reconcile(member: &Member, to: &Situation<'_>) -> Result<CurrentAssignment, Refusal> {
    let current = &member.current;
    if !to.subscription_changed && member.is_reconciled_to(to.target_epoch) {
        return Ok(current.clone());
    }
    match current.state {
        MemberState::Stable if current.epoch != to.target_epoch => Ok(to.next(current, current.epoch)),
        MemberState::Stable => Ok(to.without_unsubscribed(current)),
        MemberState::Unrevoked if to.still_owns(&current.revoking) => {
            Ok(if to.subscription_changed { to.without_unsubscribed(current) } else { current.clone() })
        }
        MemberState::Unrevoked | MemberState::Unreleased => Ok(to.next(current, current.epoch)),
        MemberState::Unknown if to.owned.is_some_and(BTreeMap::is_empty) => Ok(to.next(current, to.target_epoch)),
        MemberState::Unknown => Err(Refusal::fenced(
            "The consumer group member is in a unknown state. The member must abandon all its partitions and rejoin.",
        )),
    }
}

impl Situation<'_> {
    /// Whether the member still has one of these. As long as it does not say what it has, it has.
    fn still_owns(&self, revoking: &Owned) -> bool {
        let Some(owned) = self.owned else { return true };
        owned.iter().any(|(topic, partitions)| {
            revoking.get(topic).is_some_and(|revoking| partitions.iter().any(|index| revoking.contains_key(index)))
        })
    }

    fn next(&self, current: &CurrentAssignment, epoch: i32) -> CurrentAssignment {
        let mut assigned = Owned::new();
        let mut revoking = Owned::new();
        let mut pending: Vec<(Uuid, i32)> = Vec::new();
        let mut unreleased = false;
        let none = BTreeSet::new();
        let wanted = |topic: &Uuid| if self.topics.contains(topic) { self.target.get(topic) } else { None };
        for (topic, partitions) in current.assigned.iter() {
            let target = wanted(topic).unwrap_or(&none);
            for (index, since) in partitions {
                let kept = if target.contains(index) { &mut assigned } else { &mut revoking };
                kept.entry(*topic).or_default().insert(*index, *since);
            }
        }
        for (topic, partitions) in self.target.iter().filter(|(topic, _)| self.topics.contains(*topic)) {
            let has = current.assigned.get(topic);
            for index in partitions.iter().filter(|index| has.is_none_or(|has| !has.contains_key(*index))) {
                if (self.is_free)(*topic, *index) {
                    pending.push((*topic, *index));
                } else {
                    unreleased = true;
                }
            }
        }
        if !revoking.is_empty() && self.still_owns(&revoking) {
            return moved(current, epoch, MemberState::Unrevoked, assigned, revoking);
        }
        for (topic, index) in pending {
            assigned.entry(topic).or_default().insert(index, self.target_epoch);
        }
        let state = if unreleased { MemberState::Unreleased } else { MemberState::Stable };
        moved(current, self.target_epoch, state, assigned, Owned::new())
    }

    /// What the member does not subscribe to any more is taken away at once, before there is a new target.
    fn without_unsubscribed(&self, current: &CurrentAssignment) -> CurrentAssignment {
        let (assigned, gone): (Owned, Owned) = current
            .assigned
            .iter()
            .map(|(topic, partitions)| (*topic, partitions.clone()))
            .partition(|(topic, _)| self.topics.contains(topic));
        if gone.is_empty() {
            return current.clone();
        }
        let mut revoking = Owned::clone(&current.revoking);
        for (topic, partitions) in gone {
            revoking.entry(topic).or_default().extend(partitions);
        }
        if self.still_owns(&revoking) {
            moved(current, current.epoch, MemberState::Unrevoked, assigned, revoking)
        } else {
            moved(current, current.epoch, current.state, assigned, Owned::clone(&current.revoking))
        }
    }
}

fn moved(
    current: &CurrentAssignment,
    epoch: i32,
    state: MemberState,
    assigned: Owned,
    revoking: Owned,
) -> CurrentAssignment {
    CurrentAssignment {
        epoch,
        previous_epoch: current.epoch,
        state,
        assigned: Rc::new(assigned),
        revoking: Rc::new(revoking),
    }
}
