//! Random histories: right ones are not blamed, and a fault planted anywhere is found.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use super::tests::{IDEMPOTENT, PLAIN, World, batch, slot};
use super::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A producer's batch is written; `copies` more go in before it is acknowledged, if it is.
    Write {
        producer: u32,
        count: u64,
        copies: u64,
        acknowledged: bool,
    },
    Read,
    /// The reader at the end goes on.
    Follow,
}

fn step(copies_max: u64) -> impl Strategy<Value = Step> {
    let write = (0u32..2, 1u64..6, 0..=copies_max, prop::bool::weighted(0.9));
    prop_oneof![
        6 => write.prop_map(|(producer, count, copies, acknowledged)| Step::Write { producer, count, copies, acknowledged }),
        1 => Just(Step::Read),
        2 => Just(Step::Follow),
    ]
}

/// Plays a history; gives the world and the offsets that were acknowledged.
fn play(rules: Rules, steps: &[Step]) -> (World, Vec<i64>) {
    let mut world = World::new(rules);
    let (mut next, mut acknowledged) = ([0, 0], Vec::new());
    let mut follower = world.checker.pass(0);
    for step in steps {
        match *step {
            Step::Write { producer, count, copies, acknowledged: answered } => {
                let batch = batch(producer, next[producer as usize], count);
                next[producer as usize] += count;
                let bases: Vec<i64> = (0..=copies).map(|_| world.append(batch)).collect();
                if answered {
                    let base = *bases.last().unwrap();
                    world.checker.acknowledge(batch, Some(base));
                    acknowledged.extend(base..base + count as i64);
                }
            }
            Step::Read => world.read(),
            Step::Follow => world.read_from(&mut follower),
        }
    }
    (world, acknowledged)
}

/// A fault at one offset of the log.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Drop,
    /// What follows moves up.
    Remove,
    Repeat,
    Swap,
    Damage,
    Foreign,
    Truncate,
}

const FAULTS: [Fault; 7] =
    [Fault::Drop, Fault::Remove, Fault::Repeat, Fault::Swap, Fault::Damage, Fault::Foreign, Fault::Truncate];

/// Plants a fault at or near an offset; says which kinds must be found, one of them at least.
fn plant(log: &mut Vec<tests::Slot>, fault: Fault, at: usize) -> Vec<Kind> {
    match fault {
        Fault::Drop => {
            log[at] = None;
            vec![Kind::Gap, Kind::Gone, Kind::Lost]
        }
        Fault::Remove => {
            log.remove(at);
            vec![Kind::Lost, Kind::Changed]
        }
        Fault::Repeat => {
            let again = log[at].clone();
            log.insert(at, again);
            vec![Kind::Duplicate, Kind::Changed]
        }
        Fault::Swap => {
            let other = (at + 1) % log.len();
            log.swap(at, other);
            vec![Kind::Moved, Kind::Reordered, Kind::Changed]
        }
        Fault::Damage => {
            log[at] = Some(Err(Unreadable::Damaged("a byte".to_owned())));
            vec![Kind::Damaged, Kind::Changed]
        }
        Fault::Foreign => {
            log[at] = slot(0, 1 << 40);
            vec![Kind::Foreign, Kind::Changed, Kind::Lost]
        }
        Fault::Truncate => {
            log.truncate(at);
            vec![Kind::Lost, Kind::WatermarkBack]
        }
    }
}

fn fault_is_found(rules: Rules, steps: &[Step], fault: Fault, place: usize) -> TestCaseResult {
    let (mut world, acknowledged) = play(rules, steps);
    prop_assume!(world.log.len() >= 2 && !acknowledged.is_empty());
    let at = acknowledged[place % acknowledged.len()] as usize;
    // A hole behind which nothing comes is the reader's to find: it waits for the watermark in vain (`unreadable`).
    prop_assume!(!(matches!(fault, Fault::Drop) && at + 1 == world.log.len()));
    let kinds = plant(&mut world.log, fault, at);
    let found = world.end();
    prop_assert!(found.iter().any(|kind| kinds.contains(kind)), "{fault:?} at {at}: {:?}", world.checker.violations);
    // Reading it all once more finds nothing new.
    let before = world.checker.violations.total();
    world.read();
    let again = world.checker.violations.total() - before;
    prop_assert!(again == 0, "{again} more at the second reading: {:?}", world.checker.violations);
    Ok(())
}

proptest! {
    #[test]
    fn right_histories_are_not_blamed(steps in prop::collection::vec(step(0), 0..60)) {
        let (mut world, _) = play(IDEMPOTENT, &steps);
        prop_assert_eq!(world.end(), vec![], "{:?}", world.checker.violations);
    }

    #[test]
    fn repeated_sends_are_not_blamed_without_idempotence(steps in prop::collection::vec(step(2), 0..60)) {
        let (mut world, _) = play(PLAIN, &steps);
        prop_assert_eq!(world.end(), vec![], "{:?}", world.checker.violations);
    }

    #[test]
    fn a_planted_fault_is_found(
        steps in prop::collection::vec(step(0), 1..60),
        fault in prop::sample::select(&FAULTS[..]),
        place in any::<usize>(),
    ) {
        fault_is_found(IDEMPOTENT, &steps, fault, place)?;
    }

    #[test]
    fn a_repeated_record_without_idempotence_is_found_if_it_was_sent_less_often(
        steps in prop::collection::vec(step(2), 1..60),
        place in any::<usize>(),
    ) {
        fault_is_found(PLAIN, &steps, Fault::Repeat, place)?;
    }
}
