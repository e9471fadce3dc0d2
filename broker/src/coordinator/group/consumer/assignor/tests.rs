//! The assignors against what any assignment must be, on random groups, and against examples.

#![expect(clippy::indexing_slicing, reason = "tests")]

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;

fn topic(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn member(id: usize, topics: &[u128], assigned: &Partitions) -> Subscriber {
    Subscriber {
        id: StrBytes::from_string(format!("m{id:03}")),
        instance_id: None,
        topics: Rc::new(topics.iter().map(|number| topic(*number)).collect()),
        assigned: Rc::new(assigned.clone()),
    }
}

fn spec(members: Vec<Subscriber>, partitions: &[(u128, i32)]) -> Spec {
    let homogeneous = members.iter().all(|member| member.topics == members[0].topics);
    let partitions = partitions.iter().map(|(number, count)| (topic(*number), *count)).collect();
    Spec { members, partitions, homogeneous }
}

fn sizes(result: &[Partitions]) -> Vec<usize> {
    result.iter().map(|assigned| assigned.values().map(BTreeSet::len).sum()).collect()
}

/// Every partition that somebody reads is given to exactly one who reads it.
fn check(spec: &Spec, result: &[Partitions]) {
    assert_eq!(result.len(), spec.members.len());
    let mut given = BTreeSet::new();
    for (member, assigned) in spec.members.iter().zip(result) {
        for (topic, partitions) in assigned {
            assert!(member.topics.contains(topic), "{} gets what it does not read", member.id);
            assert!(!partitions.is_empty());
            for index in partitions {
                assert!((0..spec.partitions[topic]).contains(index));
                assert!(given.insert((*topic, *index)), "{topic}-{index} is given twice");
            }
        }
    }
    let read: BTreeSet<Uuid> = spec.members.iter().flat_map(|member| member.topics.iter().copied()).collect();
    let all: i32 = read.iter().map(|topic| spec.partitions[topic]).sum();
    assert_eq!(given.len(), all as usize, "every partition is given");
}

/// No move of one partition could make two members more even.
fn check_balance(spec: &Spec, result: &[Partitions]) {
    let sizes = sizes(result);
    for (from, assigned) in result.iter().enumerate() {
        for topic in assigned.keys() {
            for (to, member) in spec.members.iter().enumerate() {
                if member.topics.contains(topic) {
                    assert!(sizes[from] <= sizes[to] + 1, "{from} has {} and {to} has {}", sizes[from], sizes[to]);
                }
            }
        }
    }
}

fn random(random: &mut StdRng, homogeneous: bool) -> Spec {
    let topics: Vec<(u128, i32)> =
        (1..=random.random_range(1..8)).map(|number| (number, random.random_range(0..12))).collect();
    let pick = |random: &mut StdRng| {
        let mut chosen: Vec<u128> = topics.iter().map(|(number, _)| *number).collect();
        chosen.retain(|_| random.random_bool(0.6));
        chosen
    };
    let common = pick(random);
    let members = (0..random.random_range(1..10)).map(|id| {
        let own = if homogeneous { common.clone() } else { pick(random) };
        member(id, &own, &Partitions::new())
    });
    let members = members.collect();
    let mut made = spec(members, &topics);
    made.homogeneous &= homogeneous;
    made
}

#[test]
fn random_groups_get_whole_and_even_assignments() {
    let mut dice = StdRng::seed_from_u64(848);
    for round in 0..3000 {
        let mut group = random(&mut dice, round % 2 == 0);
        for assignor in [Assignor::Range, Assignor::Uniform] {
            check(&group, &assignor.assign(&group));
        }
        let first = Assignor::Uniform.assign(&group);
        check_balance(&group, &first);
        // Nothing changed, so nothing moves.
        for (member, assigned) in group.members.iter_mut().zip(&first) {
            member.assigned = Rc::new(assigned.clone());
        }
        assert_eq!(Assignor::Uniform.assign(&group), first);
        // One leaves: what it had is shared out, and the others lose nothing.
        if group.members.len() > 1 && group.homogeneous {
            group.members.pop();
            let second = Assignor::Uniform.assign(&group);
            check(&group, &second);
            check_balance(&group, &second);
            let moved = group.members.iter().zip(&second).flat_map(|(member, now)| {
                let lost = |(topic, partitions): (&Uuid, &BTreeSet<i32>)| {
                    now.get(topic).map_or(partitions.len(), |now| partitions.difference(now).count())
                };
                member.assigned.iter().map(lost)
            });
            // The one with a partition more than its quota may change.
            assert!(moved.sum::<usize>() <= group.members.len(), "round {round}");
        }
    }
}

#[test]
fn range_cuts_topics_at_the_same_places() {
    let members = (0..3).map(|id| member(id, &[1, 2], &Partitions::new())).collect();
    let result = Assignor::Range.assign(&spec(members, &[(1, 5), (2, 5)]));
    let of = |member: usize, number: u128| result[member][&topic(number)].iter().copied().collect::<Vec<i32>>();
    for number in [1, 2] {
        assert_eq!((of(0, number), of(1, number), of(2, number)), (vec![0, 1], vec![2, 3], vec![4]));
    }
}

#[test]
fn range_puts_static_members_first() {
    let mut last = member(9, &[1], &Partitions::new());
    last.instance_id = Some(StrBytes::from_static_str("i"));
    let group = spec(vec![member(1, &[1], &Partitions::new()), last], &[(1, 2)]);
    let result = Assignor::Range.assign(&group);
    assert_eq!(result[1][&topic(1)], BTreeSet::from([0]));
    assert_eq!(result[0][&topic(1)], BTreeSet::from([1]));
}

#[test]
fn a_new_member_takes_from_those_with_most() {
    let had = |partitions: std::ops::Range<i32>| Partitions::from([(topic(1), partitions.collect())]);
    let members =
        vec![member(0, &[1], &had(0..4)), member(1, &[1, 2], &had(4..8)), member(2, &[1], &Partitions::new())];
    let group = spec(members, &[(1, 8), (2, 4)]);
    let result = Assignor::Uniform.assign(&group);
    check(&group, &result);
    assert_eq!(sizes(&result), [4, 4, 4]);
    assert_eq!(result[0], had(0..4), "what it had is what it is to have");
}
